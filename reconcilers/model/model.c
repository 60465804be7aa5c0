#include "reconcilers/model/inside.h"

#include <stdlib.h>
#include <string.h>

#include "reconcilers/model/prefix_list.h"
#include "schema/base/error.h"
#include "schema/base/mem.h"

char *model_peer_key(const struct wgkey *key, char buf[static MODEL_KEY_MAX])
{
    memcpy(buf, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1);
    wgkey_format(key, buf + sizeof(MODEL_KEY_PEER) - 1);
    return buf;
}

void model_mark_peer(const struct update *u, const struct wgkey *key)
{
    char buf[MODEL_KEY_MAX];
    u->dirty(u->context, model_peer_key(key, buf));
}

void model_peer_changed(const struct update *u, struct model_peer *peer)
{
    peer->applied = false;
    model_mark_peer(u, &peer->public_key);
}

/* ---- life ---- */

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
    mem_freep(&peer->former);
    error_free(peer->off_error);
    resource_unref(peer->resource);
    mem_freep(&peer);
}

void model_departed_free(struct model_departed *departed)
{
    if (departed) {
        resource_unref(departed->resource);
        mem_freep(&departed->former);
    }
    mem_freep(&departed);
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
        model_departed_free(entry->value);
    links_free(model);
    exits_free(model);
    host_clear(&model->host);
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

/* ---- changes ---- */

/* `peer`: what was made of the resource, or NULL. */
static void depart(const struct update *u, const struct resource *resource, struct model_peer *peer)
{
    const struct peer_spec *spec = resource->spec;
    struct map *map = &u->model->departed;
    struct model_departed *departed = mem_alloc(sizeof(*departed));
    struct model_departed *before = map_remove(map, &spec->public_key, WGKEY_LEN);

    departed->public_key = spec->public_key;
    memcpy(departed->id, resource->id, strlen(resource->id) + 1);
    departed->resource = resource_ref(resource);
    if (before)
        prefix_list_move(&departed->former, &departed->former_count, &before->former,
                         &before->former_count);
    model_departed_free(before);
    if (peer)
        prefix_list_move(&departed->former, &departed->former_count, &peer->former,
                         &peer->former_count);
    else
        resolve_recorded(u, resource, departed);
    map_put(map, &departed->public_key, WGKEY_LEN, departed);
    model_mark_peer(u, &departed->public_key);
}

/* `before` may be known from the record of an earlier run only: then there is no entry to remove.
 */
static void remove_peer(const struct update *u, const struct resource *before)
{
    struct model *model = u->model;
    struct model_peer *peer = map_remove_text(&model->peers, before->name);

    if (peer) {
        resolve_drop_prefixes(model, peer);
        resolve_drop_address(model, peer);
        exits_leave(model, peer);
        if (map_get(&model->by_key, &peer->public_key, WGKEY_LEN) == peer)
            map_remove(&model->by_key, &peer->public_key, WGKEY_LEN);
    }
    depart(u, before, peer);
    if (peer)
        peer_free(peer);
}

/* The traces of who had the key before are its own now. */
static void add_peer(const struct update *u, const struct resource *resource, bool applied)
{
    struct model *model = u->model;
    const struct peer_spec *spec = resource->spec;
    struct model_peer *peer = mem_alloc(sizeof(*peer));

    peer->resource = resource_ref(resource);
    peer->public_key = spec->public_key;
    peer->applied = applied;
    map_put_text(&model->peers, peer->resource->name, peer);
    map_put(&model->by_key, &peer->public_key, WGKEY_LEN, peer);
    struct model_departed *departed = map_remove(&model->departed, &peer->public_key, WGKEY_LEN);
    if (departed)
        prefix_list_move(&peer->former, &peer->former_count, &departed->former,
                         &departed->former_count);
    model_departed_free(departed);
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
    if (after && cell->former_interface && strcmp(cell->former_interface, after->interface) == 0)
        mem_freep(&cell->former_interface);
    resource_unref(cell->resource);
    cell->resource = change->after ? resource_ref(change->after) : NULL;
    cell->spec = after;
    cell->applied = change->applied;
}

/* ---- updates ---- */

enum { CHANGED_CELL = 1, CHANGED_LINKS = 2 };

/* First everything that goes, so that what comes finds its place free. */
static unsigned take_entries(const struct update *u, const struct changes *changes)
{
    unsigned changed = 0;
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        const struct kind *kind = change_resource(change)->kind;
        if (kind == &kind_cell)
            change_cell(u, change);
        else if (kind == &kind_link && !change->after)
            links_remove(u, change->before);
        else if (kind == &kind_peer && change->before)
            remove_peer(u, change->before);
        changed |= kind == &kind_cell ? CHANGED_CELL : kind == &kind_link ? CHANGED_LINKS : 0;
    }
    for (size_t i = 0; i < changes->count; i++) {
        const struct change *change = &changes->list[i];
        if (change->after && change->after->kind == &kind_link)
            links_put(u, change->after, change->applied);
        else if (change->after && change->after->kind == &kind_peer)
            add_peer(u, change->after, change->applied);
    }
    return changed;
}

static void resolve_everything(const struct update *u)
{
    u->model->next_expiry = 0;
    resolve_cell(u);
    links_resolve(u, true);
    resolve_all(u);
    links_settle(u);
}

static void resolve_changed_peers(const struct update *u, const struct changes *changes)
{
    for (int given = 0; given < 2; given++) {
        for (size_t i = 0; i < changes->count; i++) {
            const struct resource *after = changes->list[i].after;
            if (after && after->kind == &kind_peer && resolve_wants_address(after) == given)
                resolve_peer(u, map_get_text(&u->model->peers, after->name));
        }
    }
}

void model_update(struct model *model, const struct changes *changes,
                  const struct model_inputs *inputs, void (*dirty)(void *context, const char *key),
                  void *context)
{
    struct update u = {model, inputs, dirty, context};
    unsigned changed = take_entries(&u, changes);

    if (changed & CHANGED_CELL) {
        links_all_due(model);
        resolve_everything(&u);
        return;
    }
    if (!model->cell.resource)
        return;
    if (changed & CHANGED_LINKS)
        links_resolve(&u, false);
    resolve_changed_peers(&u, changes);
    links_settle(&u);
}

void model_refresh(struct model *model, const struct model_inputs *inputs,
                   void (*dirty)(void *context, const char *key), void *context)
{
    struct update u = {model, inputs, dirty, context};
    size_t at = 0;
    struct map_entry *entry;

    if (!model->cell.resource)
        return;
    if (model->provisional) {
        resolve_everything(&u);
        return;
    }
    model->next_expiry = 0;
    resolve_cell(&u);
    links_resolve(&u, true);
    while ((entry = map_next(&model->peers, &at)))
        resolve_again(&u, entry->value);
    links_settle(&u);
}

void model_refresh_link(struct model *model, const char *name, const struct model_inputs *inputs,
                        void (*dirty)(void *context, const char *key), void *context)
{
    struct update u = {model, inputs, dirty, context};
    struct model_link *link = map_get_text(&model->links, name);

    if (!model->cell.resource || !link)
        return;
    link_resolve(&u, link);
    links_settle(&u);
}

void model_seek_secrets(struct model *model, const struct model_inputs *inputs,
                        void (*dirty)(void *context, const char *key), void *context)
{
    struct update u = {model, inputs, dirty, context};
    size_t at = 0;
    struct map_entry *entry;

    while ((entry = map_next(&model->links, &at)))
        if (((struct model_link *)entry->value)->off == LINK_NO_SECRET)
            link_resolve(&u, entry->value);
    at = 0;
    while ((entry = map_next(&model->peers, &at)))
        if (((struct model_peer *)entry->value)->off == PEER_NO_SECRET)
            resolve_again(&u, entry->value);
    links_settle(&u);
}

static void expire_peer(const struct update *u, struct model_peer *peer)
{
    if (!resolve_has_expired(u, peer->resource) ||
        (peer->off != PEER_ON && peer->off != PEER_NO_SECRET))
        return;
    peer->off = PEER_EXPIRED;
    resolve_drop_prefixes(u->model, peer);
    exits_decide(u->model, peer);
    model_peer_changed(u, peer);
}

int64_t model_expire(struct model *model, const struct model_inputs *inputs,
                     void (*dirty)(void *context, const char *key), void *context)
{
    struct update u = {model, inputs, dirty, context};
    size_t at = 0;
    struct map_entry *entry;

    if (!model->next_expiry || inputs->now < model->next_expiry)
        return model->next_expiry;
    model->next_expiry = 0;
    while ((entry = map_next(&model->links, &at)))
        link_look_at_time(&u, entry->value);
    at = 0;
    while ((entry = map_next(&model->peers, &at)))
        expire_peer(&u, entry->value);
    links_settle(&u);
    return model->next_expiry;
}
