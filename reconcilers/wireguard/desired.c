#include "reconcilers/wireguard/wireguard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the peers' interface ---- */

static void want_peer(struct wg_desired_device *device, const struct model *model,
                      const struct wgkey *key)
{
    const struct model_peer *peer = model_peer_by_key(model, key);
    const struct model_departed *departed = model_departed(model, key);
    struct wg_desired_peer *want = &device->peers[device->peer_count++];

    *want = (struct wg_desired_peer){.key = *key, .id = departed ? departed->id : NULL};
    if (!peer)
        return;
    want->wanted = peer->off == PEER_ON;
    want->leave = peer->off == PEER_NO_SECRET;
    want->applied = peer->applied;
    want->confined = peer->confined;
    want->id = peer->resource->id;
    want->allowed = peer->allowed;
    want->allowed_count = peer->allowed_count;
    want->preshared_key = peer->preshared_key;
}

static void want_cell(struct wg_desired_device *device, const struct model *model)
{
    const struct model_cell *cell = &model->cell;

    *device = (struct wg_desired_device){
        .interface = cell->spec->interface,
        .key = MODEL_KEY_CELL,
        .id = cell->resource->id,
        .applied = cell->applied,
        .listen_port = cell->spec->listen_port,
        .mtu = cell->mtu,
        .addresses = {{cell->address, cell->spec->vpn.len}},
        .address_count = 1,
        .prefix_route = !(model->enforcers >> BY_ROUTES & 1),
    };
    if (cell->address6.family)
        device->addresses[device->address_count++] =
            (struct prefix){cell->address6, cell->spec->vpn6.len};
}

static void want_all_peers(struct wg_desired_device *device, const struct model *model,
                           struct arena *arena)
{
    size_t at = 0;
    const struct map_entry *entry;

    device->every_peer = true;
    device->peers = arena_alloc(arena, (model->peers.count + 1) * sizeof(*device->peers));
    while ((entry = map_next(&model->peers, &at)))
        want_peer(device, model, &((const struct model_peer *)entry->value)->public_key);
}

/* ---- links ---- */

static enum wg_wish link_wish(const struct model_link *link)
{
    return !link                         ? WG_GONE
           : link->off == LINK_ON        ? WG_WANTED
           : link->off == LINK_NO_SECRET ? WG_LEFT
                                         : WG_GONE;
}

static void want_link_peer(struct wg_desired_device *device, const struct model_link *link,
                           struct arena *arena)
{
    device->every_peer = true;
    device->peers = arena_alloc(arena, sizeof(*device->peers));
    device->peer_count = 1;
    *device->peers = (struct wg_desired_peer){
        .key = link->spec->public_key,
        .wanted = true,
        .applied = link->applied,
        .keepalive = (uint16_t)link->spec->keepalive,
        .id = link->resource->id,
        .allowed = link->allowed,
        .allowed_count = link->allowed_count,
        .preshared_key = link->preshared_key,
    };
}

/* The cell's own address alone: a link needs one, and must not make a prefix ours on it. */
static void number_link(struct wg_desired_device *device, const struct model_cell *cell)
{
    device->addresses[device->address_count++] = prefix_of_host(&cell->address);
    if (cell->address6.family)
        device->addresses[device->address_count++] = prefix_of_host(&cell->address6);
}

/* `link`: NULL when there is none any more. */
static void want_link(struct wg_desired *desired, const char *interface,
                      const struct model_link *link, struct arena *arena)
{
    const struct model *model = desired->model;
    const struct model_departed_link *departed = model_departed_link(model, interface);
    struct wg_desired_device *device = &desired->devices[desired->device_count++];
    char key[MODEL_KEY_MAX];

    *device = (struct wg_desired_device){
        .interface = interface,
        .key = arena_strdup(arena, model_link_key(interface, key)),
        .id = link       ? link->resource->id
              : departed ? departed->id
                         : NULL,
        .applied = link && link->applied,
        .wish = link_wish(link),
        .due = true,
        .link = link,
    };
    if (device->wish != WG_WANTED)
        return;
    device->listen_port = link->listen_port;
    device->mtu = link->mtu;
    number_link(device, &model->cell);
    want_link_peer(device, link, arena);
}

static int by_interface(const void *a, const void *b)
{
    const struct wg_desired_device *x = a, *y = b;
    return strcmp(x->interface, y->interface);
}

static void want_all_links(struct wg_desired *desired, struct arena *arena)
{
    size_t at = 0, first = desired->device_count;
    const struct map_entry *entry;

    while ((entry = map_next(&desired->model->links, &at))) {
        const struct model_link *link = entry->value;
        want_link(desired, link->interface, link, arena);
    }
    if (desired->device_count - first > 1)
        qsort(&desired->devices[first], desired->device_count - first, sizeof(*desired->devices),
              by_interface);
}

/* ---- what a run is about ---- */

/* What follows the prefix of a model key; NULL: it is not of that sort. */
static const char *after(const char *key, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(key, prefix, len) == 0 ? key + len : NULL;
}

static bool have(const struct keys *keys, const char *key)
{
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->list[i], key) == 0)
            return true;
    return false;
}

/* A change of the Cell concerns every interface: its key, its addresses, which names are taken. */
static void want_keys(struct wg_desired *desired, const struct keys *keys, struct arena *arena)
{
    const struct model *model = desired->model;
    struct wg_desired_device *cell = &desired->devices[0];
    struct wgkey key;

    cell->due = desired->every_device = have(keys, MODEL_KEY_CELL);
    cell->peers = arena_alloc(arena, (keys->count + 1) * sizeof(*cell->peers));
    for (size_t i = 0; i < keys->count; i++) {
        const char *peer = after(keys->list[i], MODEL_KEY_PEER);
        const char *link = after(keys->list[i], MODEL_KEY_LINK);
        if (peer && wgkey_parse(peer, &key) == 0)
            want_peer(cell, model, &key);
        else if (link && !desired->every_device)
            want_link(desired, link, model_link_by_interface(model, link), arena);
    }
    if (desired->every_device)
        want_all_links(desired, arena);
}

const void *wg_desired(const struct model *model, const struct keys *keys, struct arena *arena)
{
    struct wg_desired *desired = arena_alloc(arena, sizeof(*desired));

    char alias[64];

    desired->model = model;
    desired->alias = arena_strdup(arena, wg_alias(model, alias));
    desired->nothing_due =
        model->hold || (!model->cell.resource && !model->cell.former_interface && !model->teardown);
    if (desired->nothing_due)
        return desired;
    if (!model->cell.resource || model->teardown) {
        desired->every_device = true;
        return desired;
    }
    desired->devices =
        arena_alloc(arena, (1 + model->links.count + keys->count) * sizeof(*desired->devices));
    want_cell(&desired->devices[desired->device_count++], model);
    if (keys->list) {
        want_keys(desired, keys, arena);
        return desired;
    }
    desired->devices[0].due = desired->every_device = true;
    want_all_peers(&desired->devices[0], model, arena);
    want_all_links(desired, arena);
    return desired;
}

char *wg_alias(const struct model *model, char buf[static 64])
{
    snprintf(buf, 64, "pic:%s", model->cell.id);
    return buf;
}
