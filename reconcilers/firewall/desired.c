#include "reconcilers/firewall/firewall.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/types.h"

/* ---- the shape ---- */

static uint64_t exits_of(const struct model *model)
{
    const struct map_entry *entry;
    size_t at = 0;
    uint64_t exits = 0;
    while ((entry = map_next(&model->links, &at))) {
        const struct model_link *link = entry->value;
        if (fw_has_tunnel(link))
            exits |= UINT64_C(1) << link->number;
    }
    return exits;
}

static bool any_subnets(const struct model *model)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        const struct peer_spec *spec = peer->resource->spec;
        if (peer->off == PEER_ON && spec->subnets.count)
            return true;
    }
    return false;
}

static void shape(struct fw_desired *d)
{
    const struct model_cell *cell = &d->model->cell;
    struct fw_shape *shape = &d->shape;

    snprintf(shape->interface, sizeof(shape->interface), "%s", cell->spec->interface);
    shape->address = cell->address;
    shape->address6 = cell->address6;
    shape->sync_port = cell->spec->peer_sync_port;
    shape->exits = exits_of(d->model);
    /* Where not everything is looked at, nobody asks for twins. */
    shape->subnets = d->everything && any_subnets(d->model);
}

/* ---- which addresses are due ---- */

/*
 * A peer's key is about the elements of its addresses, and of those of whoever names it in
 * access.peers. Subnets lie in the sets of everybody's, and so do links and the cell: then
 * everything is looked at.
 */
struct scope {
    struct fw_desired *desired;
    struct map names; /* of the peers that the keys are about */
    size_t capacity;
};

static void add_address(struct scope *scope, const struct ip *ip)
{
    struct fw_desired *d = scope->desired;
    if (!ip->family)
        return;
    if (d->address_count == scope->capacity) {
        scope->capacity = scope->capacity ? 2 * scope->capacity : 8;
        struct ip *larger = arena_alloc(d->arena, scope->capacity * sizeof(*larger));
        if (d->address_count)
            memcpy(larger, d->addresses, d->address_count * sizeof(*larger));
        d->addresses = larger;
    }
    d->addresses[d->address_count++] = *ip;
}

static bool is_address(const struct cell_spec *cell, const struct prefix *prefix)
{
    return prefix->len == ip_bits(&prefix->ip) &&
           (prefix_contains(&cell->vpn, &prefix->ip) || prefix_contains(&cell->vpn6, &prefix->ip));
}

static void add_prefixes(struct scope *scope, const struct prefix *list, size_t count)
{
    struct fw_desired *d = scope->desired;
    for (size_t i = 0; i < count; i++) {
        if (is_address(d->model->cell.spec, &list[i]))
            add_address(scope, &list[i].ip);
        else
            d->everything = true;
    }
}

static void add_peer(struct scope *scope, const struct wgkey *key)
{
    const struct model *model = scope->desired->model;
    const struct model_peer *peer = model_peer_by_key(model, key);
    const struct model_departed *departed = model_departed(model, key);
    static const char present;

    if (peer) {
        map_put_text(&scope->names, peer->resource->name, (void *)&present);
        add_address(scope, &peer->address);
        add_address(scope, &peer->address6);
        add_prefixes(scope, peer->allowed, peer->allowed_count);
        add_prefixes(scope, peer->former, peer->former_count);
    }
    if (departed) {
        map_put_text(&scope->names, strchr(departed->id, '/') + 1, (void *)&present);
        add_prefixes(scope, departed->former, departed->former_count);
    }
}

static bool names_any(const struct model_peer *peer, const struct map *names)
{
    const struct peer_spec *spec = peer->resource->spec;
    for (uint32_t i = 0; i < spec->peers.count; i++)
        if (map_get_text(names, list_text(&spec->peers, i)))
            return true;
    return false;
}

static void add_referrers(struct scope *scope)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&scope->desired->model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        if (!peer->confined || !names_any(peer, &scope->names))
            continue;
        add_address(scope, &peer->address);
        add_address(scope, &peer->address6);
    }
}

static bool key_of_peer(const char *key, struct wgkey *ret)
{
    return strncmp(key, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1) == 0 &&
           wgkey_parse(key + sizeof(MODEL_KEY_PEER) - 1, ret) == 0;
}

static int by_address(const void *a, const void *b)
{
    return ip_compare(a, b);
}

static void sort_addresses(struct fw_desired *d)
{
    size_t kept = 0;
    if (d->address_count > 1)
        qsort(d->addresses, d->address_count, sizeof(*d->addresses), by_address);
    for (size_t i = 0; i < d->address_count; i++)
        if (!kept || !ip_equal(&d->addresses[kept - 1], &d->addresses[i]))
            d->addresses[kept++] = d->addresses[i];
    d->address_count = kept;
}

static void look_at_keys(struct fw_desired *d, const struct keys *keys)
{
    struct scope scope = {.desired = d, .names = MAP_INIT};
    struct wgkey key;

    d->everything = !keys->list;
    for (size_t i = 0; !d->everything && i < keys->count; i++) {
        if (key_of_peer(keys->list[i], &key))
            add_peer(&scope, &key);
        else
            d->everything = true;
    }
    if (!d->everything)
        add_referrers(&scope);
    map_clear(&scope.names);
    sort_addresses(d);
}

/* ---- the elements ---- */

static void members_of(struct fw_desired *d, const struct model_peer *peer,
                       const struct ip *address)
{
    struct fw_source source = fw_source_of(address);
    if (address->family)
        fw_peer_members(d, peer, &source);
}

static void members_of_all(struct fw_desired *d)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&d->model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        if (peer->off != PEER_ON)
            continue;
        members_of(d, peer, &peer->address);
        members_of(d, peer, &peer->address6);
    }
}

/* Whoever has the address now. */
static void members_of_addresses(struct fw_desired *d)
{
    for (size_t i = 0; i < d->address_count; i++) {
        const struct model_peer *peer =
            map_get(&d->model->used, &d->addresses[i], sizeof(d->addresses[i]));
        if (peer && peer->off == PEER_ON)
            members_of(d, peer, &d->addresses[i]);
    }
}

static void define_sets(struct fw_desired *d)
{
    for (unsigned i = 0; i < FW_INSTANCES; i++)
        if (fw_wanted(&d->shape, i) && (d->everything || fw_owner_of(i) == FW_OF_PEER))
            fw_define(i, &d->sets[i]);
}

static void fill_sets(struct fw_desired *d)
{
    if (d->everything) {
        fw_cell_members(d);
        members_of_all(d);
    } else {
        members_of_addresses(d);
    }
    if (d->shape.subnets)
        fw_subnet_members(d);
    for (unsigned i = 0; i < FW_INSTANCES; i++)
        if (d->sets[i].count)
            fw_settle(&d->sets[i]);
}

const void *fw_desired(const struct model *model, const struct keys *keys, struct arena *arena)
{
    const struct model_cell *cell = &model->cell;
    struct fw_desired *d = arena_alloc(arena, sizeof(*d));

    d->model = model;
    d->arena = arena;
    d->wanted = cell->resource && !model->teardown;
    d->nothing_due =
        model->hold || (!cell->resource && !cell->former_interface && !model->teardown);
    if (d->nothing_due || !d->wanted)
        return d;
    look_at_keys(d, keys);
    shape(d);
    define_sets(d);
    fill_sets(d);
    if (d->everything)
        d->chains = fw_chains(&d->shape, arena, &d->chain_count);
    return d;
}
