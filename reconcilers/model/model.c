#include "reconcilers/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "reconcilers/model/allocate.h"
#include "schema/base/clock.h"
#include "schema/base/error.h"
#include "schema/base/mem.h"
#include "schema/types.h"

typedef void dirty_fn(void *context, const char *key);

struct update {
    struct model *model;
    const struct model_inputs *inputs;
    dirty_fn *dirty;
    void *context;
};

enum { MTU_DEFAULT = 1420, MTU_OVERHEAD = 80, MTU_LEAST = 1280 };

char *model_peer_key(const struct wgkey *key, char buf[static MODEL_KEY_MAX])
{
    memcpy(buf, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1);
    wgkey_format(key, buf + sizeof(MODEL_KEY_PEER) - 1);
    return buf;
}

static void mark_peer(const struct update *u, const struct wgkey *key)
{
    char buf[MODEL_KEY_MAX];
    u->dirty(u->context, model_peer_key(key, buf));
}

/* ---- life
 * -----------------------------------------------------------------------------------------------
 */

struct model *model_new(uint64_t enforcers)
{
    struct model *model = mem_alloc(sizeof(*model));
    model->enforcers = enforcers;
    return model;
}

static void peer_free(struct model_peer *peer)
{
    if (peer->preshared_key)
        wgkey_wipe(peer->preshared_key);
    mem_freep(&peer->preshared_key);
    mem_freep(&peer->allowed);
    error_free(peer->off_error);
    resource_unref(peer->resource);
    mem_freep(&peer);
}

void model_free(struct model *model)
{
    if (!model)
        return;
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&model->peers, &at)))
        peer_free(entry->value);
    at = 0;
    while ((entry = map_next(&model->departed, &at)))
        mem_freep(&entry->value);
    map_clear(&model->peers);
    map_clear(&model->by_key);
    map_clear(&model->by_prefix);
    map_clear(&model->departed);
    map_clear(&model->used);
    resource_unref(model->cell.resource);
    mem_freep(&model->cell.former_interface);
    mem_freep(&model->hold);
    wgkey_wipe(&model->cell.private_key);
    mem_freep(&model);
}

/* ---- indexes
 * -------------------------------------------------------------------------------------------- */

/* Takes an entry out of an index, but only if it is this peer's: another may have taken the place.
 */
static void unindex(struct map *map, const void *key, size_t len, const struct model_peer *peer)
{
    if (map_get(map, key, len) == peer)
        map_remove(map, key, len);
}

static void drop_prefixes(struct model *model, struct model_peer *peer)
{
    for (size_t i = 0; i < peer->allowed_count; i++)
        unindex(&model->by_prefix, &peer->allowed[i], sizeof(struct prefix), peer);
    mem_freep(&peer->allowed);
    peer->allowed_count = 0;
}

static void take_prefixes(struct model *model, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    size_t most = 2 + spec->subnets.count;

    if (peer->off != PEER_ON)
        return;
    peer->allowed = mem_alloc(most * sizeof(*peer->allowed));
    peer->allowed[peer->allowed_count++] = prefix_of_host(&peer->address);
    if (peer->address6.family)
        peer->allowed[peer->allowed_count++] = prefix_of_host(&peer->address6);
    for (uint32_t i = 0; i < spec->subnets.count; i++)
        peer->allowed[peer->allowed_count++] = list_prefixes(&spec->subnets)[i];
    for (size_t i = 0; i < peer->allowed_count; i++)
        map_put(&model->by_prefix, &peer->allowed[i], sizeof(struct prefix), peer);
}

static void drop_address(struct model *model, struct model_peer *peer)
{
    unindex(&model->used, &peer->address, sizeof(peer->address), peer);
}

/* ---- resolving one peer
 * ------------------------------------------------------------------------------------ */

static void give_address(const struct update *u, struct model_peer *peer)
{
    struct model *model = u->model;
    const struct peer_spec *spec = peer->resource->spec;

    peer->address_given = !spec->address.family;
    if (spec->address.family) {
        struct model_peer *holder = map_get(&model->used, &spec->address, sizeof(spec->address));
        peer->address = spec->address;
        map_put(&model->used, &peer->address, sizeof(peer->address), peer);
        /* What a person wrote goes before what was given: the holder gets another one. */
        if (holder && holder != peer && holder->address_given) {
            drop_prefixes(model, holder);
            give_address(u, holder);
            take_prefixes(model, holder);
            mark_peer(u, &holder->public_key);
        }
        return;
    }
    struct ip remembered = {0};
    u->inputs->remembered(u->inputs->context, peer->resource->name, &peer->public_key, &remembered);
    peer->address = allocate_address(model, peer->resource->name, &remembered);
    if (peer->address.family)
        map_put(&model->used, &peer->address, sizeof(peer->address), peer);
}

static void give_address6(const struct model *model, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    const struct cell_spec *cell = model->cell.spec;

    if (spec->address6.family)
        peer->address6 = spec->address6;
    else if (cell->vpn6.ip.family && peer->address.family)
        peer->address6 = prefix_host(&cell->vpn6, prefix_host_number(&cell->vpn, &peer->address));
}

uint64_t model_not_enforced(const struct model *model, const struct resource *resource)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < resource->kind->field_count; i++) {
        const struct field *field = &resource->kind->fields[i];
        if (resource_has(resource, (unsigned)i) && !(model->enforcers >> field->enforcer & 1) &&
            field->presence != REQUIRED && !type_is_default(field, resource->spec))
            rows |= UINT64_C(1) << i;
    }
    return rows;
}

static bool is_unconfined(const struct model *model, const struct resource *resource)
{
    uint64_t rows = model_not_enforced(model, resource);
    for (size_t i = 0; rows && i < resource->kind->field_count; i++)
        if ((rows >> i & 1) && (resource->kind->fields[i].flags & FIELD_CONFINES))
            return true;
    return false;
}

static bool has_expired(const struct update *u, const struct resource *resource)
{
    const struct peer_spec *spec = resource->spec;
    if (!resource_has(resource, PEER_expires))
        return false;
    if (spec->expires > u->inputs->now &&
        (!u->model->next_expiry || spec->expires < u->model->next_expiry))
        u->model->next_expiry = spec->expires;
    return u->inputs->clock_trusted && u->inputs->now >= spec->expires;
}

static bool read_preshared_key(const struct update *u, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    if (!spec->preshared_key)
        return true;
    peer->preshared_key = mem_alloc(sizeof(*peer->preshared_key));
    if (u->inputs->secret_key(u->inputs->context, spec->preshared_key, peer->preshared_key,
                              &peer->off_error) == 0)
        return true;
    mem_freep(&peer->preshared_key);
    return false;
}

static enum model_off decide_off(const struct update *u, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    if (!spec->enabled)
        return PEER_DISABLED;
    if (has_expired(u, peer->resource))
        return PEER_EXPIRED;
    if (is_unconfined(u->model, peer->resource))
        return PEER_UNCONFINED;
    if (!read_preshared_key(u, peer))
        return PEER_NO_SECRET;
    return peer->address.family ? PEER_ON : PEER_NO_ADDRESS;
}

static void resolve_peer(const struct update *u, struct model_peer *peer)
{
    give_address(u, peer);
    give_address6(u->model, peer);
    peer->off = decide_off(u, peer);
    take_prefixes(u->model, peer);
    mark_peer(u, &peer->public_key);
}

/* ---- changes
 * ---------------------------------------------------------------------------------------------- */

static void depart(const struct update *u, const struct resource *resource)
{
    const struct peer_spec *spec = resource->spec;
    struct model_departed *departed = mem_alloc(sizeof(*departed));
    departed->public_key = spec->public_key;
    memcpy(departed->id, resource->id, strlen(resource->id) + 1);
    free(map_remove(&u->model->departed, &departed->public_key, WGKEY_LEN));
    map_put(&u->model->departed, &departed->public_key, WGKEY_LEN, departed);
    mark_peer(u, &departed->public_key);
}

/* `before` may be known from the record of an earlier run only: then there is no entry to remove.
 */
static void remove_peer(const struct update *u, const struct resource *before)
{
    struct model *model = u->model;
    struct model_peer *peer = map_remove_text(&model->peers, before->name);

    depart(u, before);
    if (!peer)
        return;
    unindex(&model->by_key, &peer->public_key, WGKEY_LEN, peer);
    drop_prefixes(model, peer);
    drop_address(model, peer);
    peer_free(peer);
}

static struct model_peer *add_peer(const struct update *u, const struct resource *resource,
                                   bool applied)
{
    const struct peer_spec *spec = resource->spec;
    struct model_peer *peer = mem_alloc(sizeof(*peer));

    peer->resource = resource_ref(resource);
    peer->public_key = spec->public_key;
    peer->applied = applied;
    map_put_text(&u->model->peers, peer->resource->name, peer);
    map_put(&u->model->by_key, &peer->public_key, WGKEY_LEN, peer);
    free(map_remove(&u->model->departed, &peer->public_key, WGKEY_LEN));
    return peer;
}

static uint32_t resolve_mtu(const struct cell_spec *cell, uint32_t uplink)
{
    if (cell->mtu)
        return cell->mtu;
    if (!uplink)
        return MTU_DEFAULT;
    return uplink >= MTU_LEAST + MTU_OVERHEAD ? uplink - MTU_OVERHEAD : MTU_LEAST;
}

static void resolve_cell(const struct update *u)
{
    struct model_cell *cell = &u->model->cell;
    if (!cell->resource)
        return;
    cell->spec = cell->resource->spec;
    memcpy(cell->id, u->inputs->cell_id, strnlen(u->inputs->cell_id, sizeof(cell->id) - 1) + 1);
    cell->private_key = u->inputs->private_key;
    wgkey_public(&cell->private_key, &cell->public_key);
    cell->address = cell_address(cell->spec);
    cell->address6 = cell_address6(cell->spec);
    cell->mtu = resolve_mtu(cell->spec, u->inputs->uplink_mtu);
    u->dirty(u->context, MODEL_KEY_CELL);
}

static int peer_order(const void *a, const void *b)
{
    const struct model_peer *x = a, *y = b;
    return strcmp(x->resource->name, y->resource->name);
}

static int writes_no_address(const struct resource *resource)
{
    const struct peer_spec *spec = resource->spec;
    return spec->address.family == 0;
}

/* Written addresses first, then the others by name: the result depends on no order of files. */
static void resolve_all(const struct update *u)
{
    struct model *model = u->model;
    struct model_peer **list = (struct model_peer **)map_sorted(&model->peers, peer_order);
    size_t count = model->peers.count;

    model->next_expiry = 0;
    map_clear(&model->used);
    map_clear(&model->by_prefix);
    for (size_t i = 0; i < count; i++) {
        struct model_peer *peer = list[i];
        mem_freep(&peer->allowed);
        peer->allowed_count = 0;
        peer->address = peer->address6 = (struct ip){0};
        error_free(peer->off_error);
        peer->off_error = NULL;
        if (peer->preshared_key)
            wgkey_wipe(peer->preshared_key);
        mem_freep(&peer->preshared_key);
    }
    for (int given = 0; model->cell.resource && given < 2; given++)
        for (size_t i = 0; i < count; i++)
            if (writes_no_address(list[i]->resource) == given)
                resolve_peer(u, list[i]);
    mem_freep(&list);
}

static void change_cell(const struct update *u, const struct change *change)
{
    struct model_cell *cell = &u->model->cell;
    const struct cell_spec *before = change->before ? change->before->spec : NULL;
    const struct cell_spec *after = change->after ? change->after->spec : NULL;

    if (before && (!after || strcmp(before->interface, after->interface) != 0)) {
        mem_freep(&cell->former_interface);
        cell->former_interface = mem_strdup(before->interface);
    }
    resource_unref(cell->resource);
    cell->resource = change->after ? resource_ref(change->after) : NULL;
    cell->spec = after;
    cell->applied = change->applied;
}

void model_update(struct model *model, const struct changes *changes,
                  const struct model_inputs *inputs, dirty_fn *dirty, void *context)
{
    struct update u = {model, inputs, dirty, context};
    bool cell_changed = false;

    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        const struct resource *resource = change_resource(change);
        if (resource->kind == &kind_cell) {
            change_cell(&u, change);
            cell_changed = true;
        } else if (change->before && change->before->kind == &kind_peer) {
            remove_peer(&u, change->before);
        }
    }
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        if (change->after && change->after->kind == &kind_peer)
            add_peer(&u, change->after, change->applied);
    }
    if (cell_changed) {
        resolve_cell(&u);
        resolve_all(&u);
        return;
    }
    if (!model->cell.resource)
        return;
    for (int given = 0; given < 2; given++) {
        for (size_t i = 0; i < changes->count; i++) {
            const struct resource *after = changes->list[i].after;
            if (after && after->kind == &kind_peer && writes_no_address(after) == given)
                resolve_peer(&u, map_get_text(&model->peers, after->name));
        }
    }
}

void model_refresh(struct model *model, const struct model_inputs *inputs, dirty_fn *dirty,
                   void *context)
{
    struct update u = {model, inputs, dirty, context};
    resolve_cell(&u);
    resolve_all(&u);
}

int64_t model_expire(struct model *model, const struct model_inputs *inputs, dirty_fn *dirty,
                     void *context)
{
    struct update u = {model, inputs, dirty, context};
    size_t at = 0;
    struct map_entry *entry;

    if (!model->next_expiry || inputs->now < model->next_expiry)
        return model->next_expiry;
    model->next_expiry = 0;
    while ((entry = map_next(&model->peers, &at))) {
        struct model_peer *peer = entry->value;
        if (!has_expired(&u, peer->resource) || peer->off != PEER_ON)
            continue;
        peer->off = PEER_EXPIRED;
        drop_prefixes(model, peer);
        peer->applied = false;
        mark_peer(&u, &peer->public_key);
    }
    return model->next_expiry;
}

/* ---- looking up
 * ------------------------------------------------------------------------------------------- */

const struct model_peer *model_peer_by_name(const struct model *model, const char *name)
{
    return map_get_text(&model->peers, name);
}

const struct model_peer *model_peer_by_key(const struct model *model, const struct wgkey *key)
{
    return map_get(&model->by_key, key, WGKEY_LEN);
}

const struct model_peer *model_owner(const struct model *model, const struct prefix *prefix)
{
    return map_get(&model->by_prefix, prefix, sizeof(*prefix));
}

const struct model_departed *model_departed(const struct model *model, const struct wgkey *key)
{
    return map_get(&model->departed, key, WGKEY_LEN);
}

void model_applied(struct model *model, const char *key)
{
    struct wgkey peer_key;

    if (strcmp(key, MODEL_KEY_CELL) == 0) {
        model->cell.applied = true;
        mem_freep(&model->cell.former_interface);
        return;
    }
    if (strncmp(key, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1) != 0 ||
        wgkey_parse(key + sizeof(MODEL_KEY_PEER) - 1, &peer_key) < 0)
        return;
    struct model_peer *peer = map_get(&model->by_key, &peer_key, WGKEY_LEN);
    if (peer)
        peer->applied = true;
    free(map_remove(&model->departed, &peer_key, WGKEY_LEN));
}

void model_off_reason(const struct model *model, const struct model_peer *peer, struct strbuf *out)
{
    char when[CLOCK_RFC3339_MAX];
    const struct peer_spec *spec = peer->resource->spec;
    uint64_t rows;

    switch (peer->off) {
    case PEER_ON:
    case PEER_OFF_COUNT:
        return;
    case PEER_DISABLED:
        strbuf_puts(out, "disabled in its manifest");
        return;
    case PEER_EXPIRED:
        strbuf_printf(out, "expired on %s", clock_format_rfc3339(spec->expires, when));
        return;
    case PEER_UNCONFINED:
        strbuf_puts(out, "not on the device: nothing here enforces its restriction yet:");
        rows = model_not_enforced(model, peer->resource);
        for (size_t i = 0; i < peer->resource->kind->field_count; i++)
            if ((rows >> i & 1) && (peer->resource->kind->fields[i].flags & FIELD_CONFINES))
                strbuf_printf(out, " %s", peer->resource->kind->fields[i].path);
        return;
    case PEER_NO_SECRET:
        strbuf_printf(out, "not on the device: presharedKey: %s",
                      peer->off_error ? peer->off_error->message : "cannot be read");
        return;
    case PEER_NO_ADDRESS:
        strbuf_puts(out, "not on the device: network.vpn has no free address; make it larger");
        return;
    }
}
