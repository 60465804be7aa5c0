#include "reconcilers/wireguard/wireguard.h"

#include <stdio.h>
#include <string.h>

static void want_peer(struct wg_desired *desired, const struct wgkey *key)
{
    const struct model_peer *peer = model_peer_by_key(desired->model, key);
    const struct model_departed *departed = model_departed(desired->model, key);

    desired->peers[desired->peer_count++] = (struct wg_desired_peer){
        .key = *key,
        .peer = peer && peer->off == PEER_ON ? peer : NULL,
        .leave = peer && peer->off == PEER_NO_SECRET,
        .id = peer       ? peer->resource->id
              : departed ? departed->id
                         : NULL,
    };
}

static void want_everything(struct wg_desired *desired, struct arena *arena)
{
    const struct model *model = desired->model;
    size_t at = 0;
    const struct map_entry *entry;

    desired->device_due = desired->every_peer = true;
    desired->peers = arena_alloc(arena, (model->peers.count + 1) * sizeof(*desired->peers));
    while ((entry = map_next(&model->peers, &at)))
        want_peer(desired, &((const struct model_peer *)entry->value)->public_key);
}

static void want_keys(struct wg_desired *desired, const struct keys *keys, struct arena *arena)
{
    desired->peers = arena_alloc(arena, (keys->count + 1) * sizeof(*desired->peers));
    for (size_t i = 0; i < keys->count; i++) {
        const char *key = keys->list[i];
        struct wgkey peer;
        if (strcmp(key, MODEL_KEY_CELL) == 0)
            desired->device_due = true;
        else if (strncmp(key, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1) == 0 &&
                 wgkey_parse(key + sizeof(MODEL_KEY_PEER) - 1, &peer) == 0)
            want_peer(desired, &peer);
    }
}

const void *wg_desired(const struct model *model, const struct keys *keys, struct arena *arena)
{
    struct wg_desired *desired = arena_alloc(arena, sizeof(*desired));

    desired->model = model;
    desired->device_wanted = model->cell.resource && !model->teardown;
    desired->nothing_due =
        model->hold || (!model->cell.resource && !model->cell.former_interface && !model->teardown);
    if (desired->nothing_due)
        return desired;
    if (keys->list)
        want_keys(desired, keys, arena);
    else
        want_everything(desired, arena);
    return desired;
}

void wg_alias(const struct model *model, char buf[static 64])
{
    snprintf(buf, 64, "pic:%s", model->cell.id);
}
