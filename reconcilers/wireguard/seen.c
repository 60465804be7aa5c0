/* The peers of a device as they were last seen, and what was acknowledged since. */
#include "reconcilers/wireguard/wireguard.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"

uint64_t wg_preshared_hash(const struct wgkey *key)
{
    return wgkey_is_zero(key) ? 0 : hash_bytes(key, WGKEY_LEN, 1) | 1;
}

/* ---- allowed IPs ---- */

static void disown(struct wg_seen_device *device, struct wg_seen_peer *peer)
{
    for (size_t i = 0; i < peer->allowed_count; i++)
        if (map_get(&device->owners, &peer->allowed[i], sizeof(struct prefix)) == peer)
            map_remove(&device->owners, &peer->allowed[i], sizeof(struct prefix));
}

static int by_prefix(const void *a, const void *b)
{
    return prefix_compare(a, b);
}

/* Takes over a list of allowed IPs, sorted; an IP belongs to one peer of the device, the last to
 * get it. */
static void set_allowed(struct wg_seen_device *device, struct wg_seen_peer *peer,
                        const struct prefix *allowed, size_t count)
{
    if (count == peer->allowed_count &&
        (count == 0 || memcmp(allowed, peer->allowed, count * sizeof(*allowed)) == 0))
        return;
    disown(device, peer);
    mem_freep(&peer->allowed);
    peer->allowed_count = count;
    peer->allowed = count ? mem_alloc(count * sizeof(*allowed)) : NULL;
    if (count)
        memcpy(peer->allowed, allowed, count * sizeof(*allowed));
    if (count > 1)
        qsort(peer->allowed, count, sizeof(*allowed), by_prefix);
    for (size_t i = 0; i < count; i++)
        map_put(&device->owners, &peer->allowed[i], sizeof(struct prefix), peer);
}

static size_t index_of(const struct wg_seen_peer *peer, const struct prefix *prefix)
{
    size_t i = 0;
    while (i < peer->allowed_count && prefix_compare(&peer->allowed[i], prefix) != 0)
        i++;
    return i;
}

static void take_away(struct wg_seen_device *device, struct wg_seen_peer *peer,
                      const struct prefix *prefix)
{
    size_t i = index_of(peer, prefix);
    if (i == peer->allowed_count)
        return;
    /* The index's key lies in the array that is about to change. */
    disown(device, peer);
    peer->allowed_count--;
    memmove(&peer->allowed[i], &peer->allowed[i + 1], (peer->allowed_count - i) * sizeof(*prefix));
    for (size_t j = 0; j < peer->allowed_count; j++)
        map_put(&device->owners, &peer->allowed[j], sizeof(struct prefix), peer);
}

static void add_allowed(struct wg_seen_device *device, struct wg_seen_peer *peer,
                        const struct prefix *more, size_t more_count)
{
    if (!more_count)
        return;
    for (size_t i = 0; i < more_count; i++) {
        struct wg_seen_peer *former = map_get(&device->owners, &more[i], sizeof(struct prefix));
        if (former)
            take_away(device, former, &more[i]);
    }
    size_t count = peer->allowed_count + more_count;
    struct prefix *all = mem_alloc(count * sizeof(*all));
    if (peer->allowed_count)
        memcpy(all, peer->allowed, peer->allowed_count * sizeof(*all));
    memcpy(all + peer->allowed_count, more, more_count * sizeof(*all));
    set_allowed(device, peer, all, count);
    mem_freep(&all);
}

/* ---- peers ---- */

static struct wg_seen_peer *enter(struct wg_seen_device *device, const struct wgkey *key)
{
    struct wg_seen_peer *peer = map_get(&device->peers, key, WGKEY_LEN);
    if (peer)
        return peer;
    peer = mem_alloc(sizeof(*peer));
    peer->key = *key;
    map_put(&device->peers, &peer->key, WGKEY_LEN, peer);
    return peer;
}

static void forget_peer(struct wg_seen_device *device, struct wg_seen_peer *peer)
{
    disown(device, peer);
    map_remove(&device->peers, &peer->key, WGKEY_LEN);
    mem_freep(&peer->allowed);
    mem_freep(&peer);
}

void wg_see_peer(struct wg_seen_device *device, const struct sys_wg_peer *reported)
{
    struct wg_seen_peer *peer = enter(device, &reported->public_key);
    struct wg_endpoint endpoint = {reported->endpoint, reported->endpoint_port};

    if (!wg_endpoint_equal(&peer->endpoint, &endpoint)) {
        peer->endpoint = endpoint;
        wg_source_is_fresh(device, peer);
    }
    peer->round = device->round;
    peer->preshared_hash = wg_preshared_hash(&reported->preshared_key);
    peer->keepalive = reported->keepalive;
    peer->last_handshake = reported->last_handshake;
    peer->rx_bytes = reported->rx_bytes;
    peer->tx_bytes = reported->tx_bytes;
    set_allowed(device, peer, reported->allowed, reported->allowed_count);
}

/* Removing from a map while walking it is not allowed: collect first. */
void wg_forget_unseen(struct wg_seen_device *device)
{
    struct wg_seen_peer **gone = NULL;
    size_t count = 0, capacity = 0, at = 0;
    struct map_entry *entry;

    while ((entry = map_next(&device->peers, &at))) {
        struct wg_seen_peer *peer = entry->value;
        if (peer->round == device->round)
            continue;
        gone = mem_grow(gone, count, &capacity, sizeof(*gone));
        gone[count++] = peer;
    }
    for (size_t i = 0; i < count; i++)
        forget_peer(device, gone[i]);
    mem_freep(&gone);
}

void wg_forget_peers(struct wg_seen_device *device)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&device->peers, &at))) {
        struct wg_seen_peer *peer = entry->value;
        mem_freep(&peer->allowed);
        mem_freep(&peer);
    }
    map_clear(&device->peers);
    map_clear(&device->owners);
}

/* The one that it has already is sent for the sake of its source address: nobody was told anything.
 */
static void learn_endpoint(struct wg_seen_device *device, struct wg_seen_peer *peer,
                           const struct wg_endpoint *endpoint)
{
    if (!wg_endpoint_equal(&peer->endpoint, endpoint))
        device->told = peer->endpoint = *endpoint;
    wg_source_is_fresh(device, peer);
}

void wg_learn_peer(struct wg_seen_device *device, const struct sys_wg_peer_change *change)
{
    struct wg_seen_peer *peer = map_get(&device->peers, &change->public_key, WGKEY_LEN);
    if (change->remove) {
        if (peer)
            forget_peer(device, peer);
        return;
    }
    if (!peer && !change->create)
        return;
    peer = enter(device, &change->public_key);
    peer->round = device->round;
    if (change->set_preshared_key)
        peer->preshared_hash = wg_preshared_hash(&change->preshared_key);
    if (change->set_keepalive)
        peer->keepalive = change->keepalive;
    if (change->set_endpoint)
        learn_endpoint(device, peer,
                       &(struct wg_endpoint){change->endpoint, change->endpoint_port});
    for (size_t i = 0; i < change->allowed_remove_count; i++)
        take_away(device, peer, &change->allowed_remove[i]);
    add_allowed(device, peer, change->allowed_add, change->allowed_add_count);
}
