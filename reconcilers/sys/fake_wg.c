#include "reconcilers/sys/fake_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/sys/added.h"
#include "schema/base/map.h"
#include "schema/base/mem.h"

enum { MTU_WIREGUARD = 1420, FIRST_CHOSEN_PORT = 40000 };

/* Who has an allowed IP: there is at most one. */
struct claim {
    struct prefix prefix; /* normalised */
    struct fake_peer *owner;
};

struct fake_peer {
    struct sys_wg_peer state; /* without the allowed IPs */
    struct claim **claims;
    size_t count, capacity;
};

struct fake_device {
    struct sys_wg_device state;
    struct wgkey public_key;
    struct map peers;  /* public key → struct fake_peer */
    struct map claims; /* prefix → struct claim */
};

/* ---- allowed IPs ----------------------------------------------------------------------------- */

static void forget_claim(struct fake_device *device, struct claim *claim)
{
    struct fake_peer *owner = claim->owner;
    size_t at = 0;
    while (owner->claims[at] != claim)
        at++;
    owner->claims[at] = owner->claims[--owner->count];
    map_remove(&device->claims, &claim->prefix, sizeof(claim->prefix));
    free(claim);
}

static void take_away(struct fake_device *device, const struct prefix *prefix)
{
    struct prefix network = prefix_normalise(prefix);
    struct claim *claim = map_get(&device->claims, &network, sizeof(network));
    if (claim)
        forget_claim(device, claim);
}

/* The last one who claims a prefix has it. */
static void give(struct fake_device *device, struct fake_peer *peer, const struct prefix *prefix)
{
    take_away(device, prefix);
    struct claim *claim = mem_alloc(sizeof(*claim));
    *claim = (struct claim){.prefix = prefix_normalise(prefix), .owner = peer};
    map_put(&device->claims, &claim->prefix, sizeof(claim->prefix), claim);
    peer->claims = mem_grow(peer->claims, peer->count, &peer->capacity, sizeof(*peer->claims));
    peer->claims[peer->count++] = claim;
}

/* ---- peers ----------------------------------------------------------------------------------- */

static struct fake_peer *find_peer(const struct fake_device *device, const struct wgkey *key)
{
    return map_get(&device->peers, key, sizeof(*key));
}

static struct fake_peer *add_peer(struct fake_device *device, const struct wgkey *key)
{
    struct fake_peer *peer = mem_alloc(sizeof(*peer));
    peer->state.public_key = *key;
    map_put(&device->peers, &peer->state.public_key, sizeof(*key), peer);
    return peer;
}

static void remove_peer(struct fake_device *device, struct fake_peer *peer)
{
    while (peer->count)
        forget_claim(device, peer->claims[peer->count - 1]);
    map_remove(&device->peers, &peer->state.public_key, sizeof(peer->state.public_key));
    free(peer->claims);
    free(peer);
}

struct sys_wg_peer *fake_wg_peer(struct fake_link *link, const struct wgkey *key)
{
    struct fake_peer *peer = link->device ? find_peer(link->device, key) : NULL;
    return peer ? &peer->state : NULL;
}

static void change_peer(struct fake_device *device, const struct sys_wg_peer_change *change)
{
    struct fake_peer *peer = find_peer(device, &change->public_key);
    if (change->remove) {
        if (peer)
            remove_peer(device, peer);
        return;
    }
    /* The device itself is no peer of its own: such a peer is ignored without a word. */
    if (!peer && change->create && !wgkey_equal(&change->public_key, &device->public_key))
        peer = add_peer(device, &change->public_key);
    if (!peer)
        return;
    if (change->set_preshared_key)
        peer->state.preshared_key = change->preshared_key;
    if (change->set_endpoint) {
        peer->state.endpoint = change->endpoint;
        peer->state.endpoint_port = change->endpoint_port;
    }
    if (change->set_keepalive)
        peer->state.keepalive = change->keepalive;
    for (size_t i = 0; i < change->allowed_add_count; i++)
        give(device, peer, &change->allowed_add[i]);
}

static void change_peers(struct fake_device *device, const struct sys_wg_peer_change *changes,
                         size_t count)
{
    ADDED_AUTO added = {0};
    added_collect(&added, changes, count);
    for (size_t i = 0; i < count; i++) {
        change_peer(device, &changes[i]);
        for (size_t j = 0; !changes[i].remove && j < changes[i].allowed_remove_count; j++) {
            struct prefix network = prefix_normalise(&changes[i].allowed_remove[j]);
            if (!added_has(&added, &network))
                take_away(device, &network);
        }
    }
}

/* ---- the device ------------------------------------------------------------------------------ */

struct fake_device *fake_device_new(void)
{
    return mem_alloc(sizeof(struct fake_device));
}

void fake_device_free(struct fake_device *device)
{
    if (!device)
        return;
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&device->claims, &at)))
        free(entry->value);
    for (at = 0; (entry = map_next(&device->peers, &at));) {
        struct fake_peer *peer = entry->value;
        free(peer->claims);
        free(peer);
    }
    map_clear(&device->claims);
    map_clear(&device->peers);
    free(device);
}

static void set_private_key(struct fake_device *device, const struct wgkey *key)
{
    device->state.private_key = *key;
    device->public_key = (struct wgkey){0};
    if (wgkey_is_zero(key))
        return;
    /* Devices give the key back as RFC 7748 uses it. */
    device->state.private_key.bytes[0] &= 248;
    device->state.private_key.bytes[31] = (device->state.private_key.bytes[31] & 127) | 64;
    wgkey_public(key, &device->public_key);
    struct fake_peer *self = find_peer(device, &device->public_key);
    if (self)
        remove_peer(device, self);
}

/* Another program, or another device, has the port. (wireguard-go may hold it while its interface
 * is down: it can take one that never was up for one that is.) */
static bool port_taken(const struct fake *fake, const struct fake_link *link, uint16_t port)
{
    for (size_t i = 0; i < fake->port_count; i++)
        if (fake->ports[i] == port)
            return true;
    for (size_t i = 0; i < fake->count; i++) {
        const struct fake_link *other = fake->links[i];
        if (other != link && other->device && other->device->state.listen_port == port)
            return true;
    }
    return false;
}

static uint16_t choose_port(struct fake *fake, const struct fake_link *link)
{
    do {
        fake->last_port = fake->last_port ? fake->last_port + 1 : FIRST_CHOSEN_PORT;
    } while (port_taken(fake, link, fake->last_port));
    return fake->last_port;
}

void fake_device_up(struct fake *fake, struct fake_link *link)
{
    struct sys_wg_device *state = &link->device->state;
    if (state->listen_port == 0)
        state->listen_port = choose_port(fake, link);
    else if (port_taken(fake, link, state->listen_port))
        state->listen_port = 0;
}

static void set_port(struct fake *fake, struct fake_link *link, uint16_t port)
{
    struct sys_wg_device *state = &link->device->state;
    if (port != state->listen_port)
        state->listen_port = port || !link->link.up ? port : choose_port(fake, link);
}

static void change_device(struct fake *fake, struct fake_link *link,
                          const struct sys_wg_device_change *change)
{
    if (change->set_private_key)
        set_private_key(link->device, &change->private_key);
    if (change->set_listen_port)
        set_port(fake, link, change->listen_port);
    if (change->set_fwmark)
        link->device->state.fwmark = change->fwmark;
}

/* ---- the calls ------------------------------------------------------------------------------- */

int fake_wg_create(void *side, const char *name, struct error **reterr)
{
    struct fake_link *link = fake_find(side, name);
    if (link && !link->device)
        return error_make_class(reterr, ERROR_CONFLICT, EEXIST,
                                "interface \"%s\" exists already (kind \"%s\")", name,
                                link->link.kind);
    if (link)
        return 0;
    link = fake_add(side, name, "tun", SYS_OWNER);
    link->link.mtu = MTU_WIREGUARD;
    link->device = fake_device_new();
    return 0;
}

static int compare_peers(const void *a, const void *b)
{
    const struct fake_peer *one = a, *other = b;
    return memcmp(one->state.public_key.bytes, other->state.public_key.bytes, WGKEY_LEN);
}

static int compare_prefixes(const void *a, const void *b)
{
    return prefix_compare(a, b);
}

static void report(const struct fake_peer *peer,
                   void (*call)(const struct sys_wg_peer *peer, void *context), void *context)
{
    struct sys_wg_peer state = peer->state;
    MEM_AUTO struct prefix *allowed = mem_alloc(peer->count * sizeof(*allowed));
    for (size_t i = 0; i < peer->count; i++)
        allowed[i] = peer->claims[i]->prefix;
    qsort(allowed, peer->count, sizeof(*allowed), compare_prefixes);
    state.allowed = allowed;
    state.allowed_count = peer->count;
    call(&state, context);
}

int fake_wg_get(void *side, const char *name, struct sys_wg_device *ret,
                void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
                struct error **reterr)
{
    (void)reterr;
    struct fake_link *link = fake_find(side, name);
    if (!link || !link->device)
        return SYS_ABSENT;
    const struct map *peers = &link->device->peers;
    MEM_AUTO void **sorted = map_sorted(peers, compare_peers);
    *ret = link->device->state;
    for (size_t i = 0; i < peers->count; i++)
        report(sorted[i], peer, context);
    return 0;
}

int fake_wg_set(void *side, const char *name, const struct sys_wg_device_change *device,
                const struct sys_wg_peer_change *peers, size_t count, struct error **reterr)
{
    struct fake_link *link = fake_find(side, name);
    if (!link || !link->device)
        return SYS_ABSENT;
    /* As on the real side the port is tested before anything is changed. */
    if (device && device->set_listen_port && device->listen_port &&
        device->listen_port != link->device->state.listen_port &&
        port_taken(side, link, device->listen_port))
        return error_make_class(reterr, ERROR_CONFLICT, EADDRINUSE, "udp port %u is in use",
                                device->listen_port);
    if (device)
        change_device(side, link, device);
    change_peers(link->device, peers, count);
    return 0;
}
