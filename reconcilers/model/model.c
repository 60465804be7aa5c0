#include "reconcilers/model/inside.h"

#include <stdlib.h>
#include <string.h>

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

/* ---- changes ---- */

static void depart(const struct update *u, const struct resource *resource)
{
    const struct peer_spec *spec = resource->spec;
    struct model_departed *departed = mem_alloc(sizeof(*departed));
    departed->public_key = spec->public_key;
    memcpy(departed->id, resource->id, strlen(resource->id) + 1);
    free(map_remove(&u->model->departed, &departed->public_key, WGKEY_LEN));
    map_put(&u->model->departed, &departed->public_key, WGKEY_LEN, departed);
    model_mark_peer(u, &departed->public_key);
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
    if (map_get(&model->by_key, &peer->public_key, WGKEY_LEN) == peer)
        map_remove(&model->by_key, &peer->public_key, WGKEY_LEN);
    resolve_drop_prefixes(model, peer);
    resolve_drop_address(model, peer);
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

void model_update(struct model *model, const struct changes *changes,
                  const struct model_inputs *inputs, void (*dirty)(void *context, const char *key),
                  void *context)
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
            if (after && after->kind == &kind_peer && resolve_wants_address(after) == given)
                resolve_peer(&u, map_get_text(&model->peers, after->name));
        }
    }
}

void model_refresh(struct model *model, const struct model_inputs *inputs,
                   void (*dirty)(void *context, const char *key), void *context)
{
    struct update u = {model, inputs, dirty, context};
    resolve_cell(&u);
    resolve_all(&u);
}

void model_seek_secrets(struct model *model, const struct model_inputs *inputs,
                        void (*dirty)(void *context, const char *key), void *context)
{
    struct update u = {model, inputs, dirty, context};
    size_t at = 0;
    struct map_entry *entry;

    while ((entry = map_next(&model->peers, &at)))
        if (((struct model_peer *)entry->value)->off == PEER_NO_SECRET)
            resolve_secret(&u, entry->value);
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
    while ((entry = map_next(&model->peers, &at))) {
        struct model_peer *peer = entry->value;
        if (!resolve_has_expired(&u, peer->resource) ||
            (peer->off != PEER_ON && peer->off != PEER_NO_SECRET))
            continue;
        peer->off = PEER_EXPIRED;
        resolve_drop_prefixes(model, peer);
        peer->applied = false;
        model_mark_peer(&u, &peer->public_key);
    }
    return model->next_expiry;
}
