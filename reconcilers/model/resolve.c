#include "reconcilers/model/inside.h"

#include <string.h>

#include "reconcilers/model/allocate.h"
#include "reconcilers/model/prefix_list.h"
#include "schema/base/error.h"
#include "schema/base/mem.h"
#include "schema/types.h"

enum { MTU_DEFAULT = 1420, MTU_OVERHEAD = 80, MTU_LEAST = 1280 };

/* Takes an entry out of an index, but only if it is this peer's: another may have taken the place.
 */
static void unindex(struct map *map, const void *key, size_t len, const struct model_peer *peer)
{
    if (map_get(map, key, len) == peer)
        map_remove(map, key, len);
}

void resolve_drop_prefixes(struct model *model, struct model_peer *peer)
{
    for (size_t i = 0; i < peer->allowed_count; i++)
        unindex(&model->by_prefix, &peer->allowed[i], sizeof(struct prefix), peer);
    prefix_list_move(&peer->former, &peer->former_count, &peer->allowed, &peer->allowed_count);
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
    prefix_list_subtract(&peer->former, &peer->former_count, peer->allowed, peer->allowed_count);
}

void resolve_drop_address(struct model *model, struct model_peer *peer)
{
    unindex(&model->used, &peer->address, sizeof(peer->address), peer);
    unindex(&model->used, &peer->address6, sizeof(peer->address6), peer);
}

static void give_addresses(const struct update *u, struct model_peer *peer);

/* What a person wrote goes before what was given: a holder who was only given it gets another one.
 */
static void take_written(const struct update *u, struct model_peer *peer, struct ip *own,
                         const struct ip *written)
{
    struct model *model = u->model;
    struct model_peer *holder = map_get(&model->used, written, sizeof(*written));

    *own = *written;
    map_put(&model->used, own, sizeof(*own), peer);
    if (!holder || holder == peer)
        return;
    resolve_drop_prefixes(model, holder);
    resolve_drop_address(model, holder);
    give_addresses(u, holder);
    if (holder->off == PEER_ON && !holder->address.family)
        holder->off = PEER_NO_ADDRESS;
    take_prefixes(model, holder);
    exits_decide(model, holder);
    model_peer_changed(u, holder);
}

static void take_given(struct model *model, struct model_peer *peer, struct ip *own,
                       const struct ip *given)
{
    *own = *given;
    if (own->family)
        map_put(&model->used, own, sizeof(*own), peer);
}

/* The host number of the IPv4 address; a written address may be there already: then the next of the
 * same number, above all that network.vpn has. */
static struct ip derive_address6(const struct model *model, const struct model_peer *peer)
{
    const struct cell_spec *cell = model->cell.spec;
    struct ip address = {0};
    if (!cell->vpn6.ip.family || !peer->address.family)
        return address;
    uint32_t number = prefix_host_number(&cell->vpn, &peer->address);
    for (uint32_t above = 0; above < 256; above++) {
        address = prefix_host(&cell->vpn6, number | above << 24);
        if (!map_get(&model->used, &address, sizeof(address)))
            break;
    }
    return address;
}

static void give_addresses(const struct update *u, struct model_peer *peer)
{
    struct model *model = u->model;
    const struct peer_spec *spec = peer->resource->spec;
    struct ip given = {0};

    peer->address_given = !spec->address.family;
    if (spec->address.family) {
        take_written(u, peer, &peer->address, &spec->address);
    } else {
        u->inputs->remembered(u->inputs->context, peer->resource->name, &peer->public_key, &given);
        given = allocate_address(model, peer->resource->name, &given);
        take_given(model, peer, &peer->address, &given);
    }
    if (spec->address6.family) {
        take_written(u, peer, &peer->address6, &spec->address6);
    } else {
        given = derive_address6(model, peer);
        take_given(model, peer, &peer->address6, &given);
    }
}

void resolve_recorded(const struct update *u, const struct resource *resource,
                      struct model_departed *departed)
{
    const struct peer_spec *spec = resource->spec;
    const struct cell_spec *cell = u->model->cell.spec;
    struct prefix *list = mem_alloc((2 + spec->subnets.count) * sizeof(*list));
    struct ip address = spec->address, address6 = spec->address6;
    size_t count = 0;

    if (!address.family)
        u->inputs->remembered(u->inputs->context, resource->name, &spec->public_key, &address);
    if (!address6.family && address.family && cell && cell->vpn6.ip.family)
        address6 = prefix_host(&cell->vpn6, prefix_host_number(&cell->vpn, &address));
    if (address.family)
        list[count++] = prefix_of_host(&address);
    if (address6.family)
        list[count++] = prefix_of_host(&address6);
    for (uint32_t i = 0; i < spec->subnets.count; i++)
        list[count++] = list_prefixes(&spec->subnets)[i];
    if (count)
        prefix_list_move(&departed->former, &departed->former_count, &list, &count);
    mem_freep(&list);
}

static bool is_unconfined(const struct model *model, const struct resource *resource)
{
    uint64_t rows = model_not_enforced(model, resource);
    for (size_t i = 0; rows && i < resource->kind->field_count; i++)
        if ((rows >> i & 1) && (resource->kind->fields[i].flags & FIELD_CONFINES))
            return true;
    return false;
}

void resolve_note_time(const struct update *u, int64_t when)
{
    if (when > u->inputs->now && (!u->model->next_expiry || when < u->model->next_expiry))
        u->model->next_expiry = when;
}

bool resolve_has_expired(const struct update *u, const struct resource *resource)
{
    const struct peer_spec *spec = resource->spec;
    if (!resource_has(resource, PEER_expires))
        return false;
    resolve_note_time(u, spec->expires);
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
    if (resolve_has_expired(u, peer->resource))
        return PEER_EXPIRED;
    if (is_unconfined(u->model, peer->resource))
        return PEER_UNCONFINED;
    if (!read_preshared_key(u, peer))
        return PEER_NO_SECRET;
    return peer->address.family ? PEER_ON : PEER_NO_ADDRESS;
}

void resolve_peer(const struct update *u, struct model_peer *peer)
{
    give_addresses(u, peer);
    peer->off = decide_off(u, peer);
    take_prefixes(u->model, peer);
    exits_enter(u->model, peer);
    exits_decide(u->model, peer);
    model_mark_peer(u, &peer->public_key);
}

static void drop_secret(struct model_peer *peer)
{
    error_free(peer->off_error);
    peer->off_error = NULL;
    if (peer->preshared_key)
        wgkey_wipe(peer->preshared_key);
    mem_freep(&peer->preshared_key);
}

void resolve_again(const struct update *u, struct model_peer *peer)
{
    WGKEY_SECRET none = {{0}}, before = peer->preshared_key ? *peer->preshared_key : none;
    enum model_off off = peer->off;

    drop_secret(peer);
    peer->off = decide_off(u, peer);
    if (peer->off != off) {
        resolve_drop_prefixes(u->model, peer);
        take_prefixes(u->model, peer);
    }
    bool changed = exits_decide(u->model, peer) || peer->off != off;
    if (changed || !wgkey_equal(peer->preshared_key ? peer->preshared_key : &none, &before))
        model_peer_changed(u, peer);
}

uint32_t resolve_mtu(uint32_t written, uint32_t path)
{
    if (written)
        return written;
    if (!path)
        return MTU_DEFAULT;
    return path >= MTU_LEAST + MTU_OVERHEAD ? path - MTU_OVERHEAD : MTU_LEAST;
}

/* Is the machine around us another? What follows from that is nobody's drift. Whether it forwards
 * is our own doing: whoever switches that off makes drift. */
static bool has_moved(const struct host *from, const struct host *to)
{
    struct host moved = *to;
    moved.forwarding4 = from->forwarding4;
    moved.forwarding6 = from->forwarding6;
    return !host_equal(from, &moved);
}

void resolve_cell(const struct update *u)
{
    struct model_cell *cell = &u->model->cell;
    if (!cell->resource)
        return;
    if (!host_equal(&u->model->host, u->inputs->host)) {
        if (cell->address.family && has_moved(&u->model->host, u->inputs->host))
            cell->applied = false;
        host_copy(&u->model->host, u->inputs->host);
    }
    if (!wgkey_equal(&cell->private_key, &u->inputs->private_key))
        links_all_due(u->model); /* their interfaces have the same key */
    cell->spec = cell->resource->spec;
    memcpy(cell->id, u->inputs->cell_id, strnlen(u->inputs->cell_id, sizeof(cell->id) - 1) + 1);
    cell->private_key = u->inputs->private_key;
    wgkey_public(&cell->private_key, &cell->public_key);
    cell->address = cell_address(cell->spec);
    cell->address6 = cell_address6(cell->spec);
    cell->mtu = resolve_mtu(cell->spec->mtu, u->model->host.uplink_mtu);
    u->dirty(u->context, MODEL_KEY_CELL);
}

static int peer_order(const void *a, const void *b)
{
    const struct model_peer *x = a, *y = b;
    return strcmp(x->resource->name, y->resource->name);
}

int resolve_wants_address(const struct resource *resource)
{
    const struct peer_spec *spec = resource->spec;
    return spec->address.family == 0;
}

/* Written addresses first, then the others by name: the result depends on no order of files. */
void resolve_all(const struct update *u)
{
    struct model *model = u->model;
    struct model_peer **list = (struct model_peer **)map_sorted(&model->peers, peer_order);
    size_t count = model->peers.count;

    model->provisional = model->hold;
    map_clear(&model->used);
    map_clear(&model->by_prefix);
    for (size_t i = 0; i < count; i++) {
        struct model_peer *peer = list[i];
        prefix_list_move(&peer->former, &peer->former_count, &peer->allowed, &peer->allowed_count);
        peer->address = peer->address6 = (struct ip){0};
        drop_secret(peer);
    }
    for (int given = 0; model->cell.resource && given < 2; given++)
        for (size_t i = 0; i < count; i++)
            if (resolve_wants_address(list[i]->resource) == given)
                resolve_peer(u, list[i]);
    mem_freep(&list);
}
