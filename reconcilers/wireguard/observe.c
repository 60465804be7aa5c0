#include "reconcilers/wireguard/wireguard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"

void *wg_observed_new(void)
{
    return mem_alloc(sizeof(struct wg_observed));
}

static void disown(struct wg_observed *o, struct wg_seen_peer *peer)
{
    for (size_t i = 0; i < peer->allowed_count; i++)
        if (map_get(&o->owners, &peer->allowed[i], sizeof(struct prefix)) == peer)
            map_remove(&o->owners, &peer->allowed[i], sizeof(struct prefix));
}

static void seen_free(struct wg_seen_peer *peer)
{
    mem_freep(&peer->allowed);
    mem_freep(&peer);
}

static void forget_peers(struct wg_observed *o)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&o->peers, &at)))
        seen_free(entry->value);
    map_clear(&o->peers);
    map_clear(&o->owners);
}

void wg_observed_free(void *observed)
{
    struct wg_observed *o = observed;
    if (!o)
        return;
    forget_peers(o);
    sys_addrs_clear(&o->addrs);
    wgkey_wipe(&o->device.private_key);
    mem_freep(&o);
}

uint64_t wg_preshared_hash(const struct wgkey *key)
{
    return wgkey_is_zero(key) ? 0 : hash_bytes(key, WGKEY_LEN, 1) | 1;
}

/* ---- peers ---- */

static int by_prefix(const void *a, const void *b)
{
    return prefix_compare(a, b);
}

/* Takes over a list of allowed IPs, sorted; an IP belongs to one peer of the device, the last to
 * get it. */
static void set_allowed(struct wg_observed *o, struct wg_seen_peer *peer,
                        const struct prefix *allowed, size_t count)
{
    if (count == peer->allowed_count &&
        (count == 0 || memcmp(allowed, peer->allowed, count * sizeof(*allowed)) == 0))
        return;
    disown(o, peer);
    mem_freep(&peer->allowed);
    peer->allowed_count = count;
    peer->allowed = count ? mem_alloc(count * sizeof(*allowed)) : NULL;
    if (count)
        memcpy(peer->allowed, allowed, count * sizeof(*allowed));
    if (count > 1)
        qsort(peer->allowed, count, sizeof(*allowed), by_prefix);
    for (size_t i = 0; i < count; i++)
        map_put(&o->owners, &peer->allowed[i], sizeof(struct prefix), peer);
}

static struct wg_seen_peer *seen(struct wg_observed *o, const struct wgkey *key)
{
    struct wg_seen_peer *peer = map_get(&o->peers, key, WGKEY_LEN);
    if (peer)
        return peer;
    peer = mem_alloc(sizeof(*peer));
    peer->key = *key;
    map_put(&o->peers, &peer->key, WGKEY_LEN, peer);
    return peer;
}

static void see_peer(const struct sys_wg_peer *reported, void *context)
{
    struct wg_observed *o = context;
    struct wg_seen_peer *peer = seen(o, &reported->public_key);

    peer->round = o->round;
    peer->preshared_hash = wg_preshared_hash(&reported->preshared_key);
    peer->endpoint = reported->endpoint;
    peer->endpoint_port = reported->endpoint_port;
    peer->keepalive = reported->keepalive;
    peer->last_handshake = reported->last_handshake;
    peer->rx_bytes = reported->rx_bytes;
    peer->tx_bytes = reported->tx_bytes;
    set_allowed(o, peer, reported->allowed, reported->allowed_count);
}

static void forget_peer(struct wg_observed *o, struct wg_seen_peer *peer)
{
    disown(o, peer);
    map_remove(&o->peers, &peer->key, WGKEY_LEN);
    seen_free(peer);
}

/* Removing from a map while walking it is not allowed: collect first. */
static void forget_unseen(struct wg_observed *o)
{
    struct wg_seen_peer **gone = NULL;
    size_t count = 0, capacity = 0, at = 0;
    struct map_entry *entry;

    while ((entry = map_next(&o->peers, &at))) {
        struct wg_seen_peer *peer = entry->value;
        if (peer->round == o->round)
            continue;
        gone = mem_grow(gone, count, &capacity, sizeof(*gone));
        gone[count++] = peer;
    }
    for (size_t i = 0; i < count; i++)
        forget_peer(o, gone[i]);
    mem_freep(&gone);
}

/* ---- the link ---- */

/* Whose is a link of this name? By group, which it has from birth, or by alias. An alias of another
 * cell says no; any other alias is somebody's scribble on our link. */
static bool is_ours(const struct model *model, const struct sys_link *link)
{
    char alias[64];
    wg_alias(model, alias);
    if (strcmp(link->alias, alias) == 0)
        return true;
    return link->group == SYS_OWNER && strncmp(link->alias, "pic:", 4) != 0;
}

static bool is_wireguard(const struct sys_link *link)
{
    return strcmp(link->kind, "tun") == 0 || strcmp(link->kind, "wireguard") == 0;
}

static int refuse_foreign(const struct sys_link *link, struct error **reterr)
{
    return error_make_class(reterr, ERROR_CONFLICT, EEXIST,
                            "interface \"%s\" exists and is not ours (kind \"%s\", alias \"%s\"): "
                            "remove it, or give the Cell another wireguard.interface",
                            link->name, link->kind, link->alias);
}

static void see_nothing(struct wg_observed *o)
{
    forget_peers(o);
    sys_addrs_clear(&o->addrs);
    wgkey_wipe(&o->device.private_key);
    o->present = o->answers = false;
}

static int observe_former(struct sys *sys, const struct model *model, struct wg_observed *o,
                          struct error **reterr)
{
    struct sys_link link;
    o->former_index = 0;
    if (!model->cell.former_interface)
        return 0;
    int result = sys_link_get(sys, model->cell.former_interface, &link, reterr);
    if (result == 0 && is_ours(model, &link))
        o->former_index = link.index;
    return result < 0 ? result : 0;
}

static int observe_device(struct sys *sys, struct wg_observed *o, struct error **reterr)
{
    o->round++;
    int result = sys_wg_get(sys, o->link.name, &o->device, see_peer, o, reterr);
    if (result < 0)
        return result;
    o->answers = result != SYS_ABSENT;
    forget_unseen(o);
    return 0;
}

int wg_observe(struct sys *sys, const struct model *model, void *observed, struct error **reterr)
{
    struct wg_observed *o = observed;
    struct sys_link link;
    int result = observe_former(sys, model, o, reterr);
    if (result < 0)
        return result;
    if (!model->cell.spec) {
        see_nothing(o);
        o->looked = true;
        return 0;
    }
    result = sys_link_get(sys, model->cell.spec->interface, &link, reterr);
    if (result < 0)
        return result;
    if (result == SYS_ABSENT) {
        see_nothing(o);
        o->looked = true;
        return 0;
    }
    if (!is_wireguard(&link) || !is_ours(model, &link))
        return model->teardown ? (see_nothing(o), o->looked = true, 0)
                               : refuse_foreign(&link, reterr);
    o->link = link;
    o->present = true;
    result = sys_addr_list(sys, link.index, &o->addrs, reterr);
    if (result == 0)
        result = observe_device(sys, o, reterr);
    o->looked |= result == 0;
    return result < 0 ? result : 0;
}

/* ---- what was acknowledged ---- */

static size_t index_of(const struct wg_seen_peer *peer, const struct prefix *prefix)
{
    size_t i = 0;
    while (i < peer->allowed_count && prefix_compare(&peer->allowed[i], prefix) != 0)
        i++;
    return i;
}

static void take_away(struct wg_observed *o, struct wg_seen_peer *peer, const struct prefix *prefix)
{
    size_t i = index_of(peer, prefix);
    if (i == peer->allowed_count)
        return;
    /* The index's key lies in the array that is about to change. */
    disown(o, peer);
    peer->allowed_count--;
    memmove(&peer->allowed[i], &peer->allowed[i + 1], (peer->allowed_count - i) * sizeof(*prefix));
    for (size_t j = 0; j < peer->allowed_count; j++)
        map_put(&o->owners, &peer->allowed[j], sizeof(struct prefix), peer);
}

static void learn_peer(struct wg_observed *o, const struct sys_wg_peer_change *change)
{
    struct wg_seen_peer *peer = map_get(&o->peers, &change->public_key, WGKEY_LEN);
    if (change->remove) {
        if (peer)
            forget_peer(o, peer);
        return;
    }
    if (!peer && !change->create)
        return;
    peer = seen(o, &change->public_key);
    peer->round = o->round;
    if (change->set_preshared_key)
        peer->preshared_hash = wg_preshared_hash(&change->preshared_key);
    if (change->set_keepalive)
        peer->keepalive = change->keepalive;
    for (size_t i = 0; i < change->allowed_remove_count; i++)
        take_away(o, peer, &change->allowed_remove[i]);
    for (size_t i = 0; i < change->allowed_add_count; i++) {
        struct wg_seen_peer *former =
            map_get(&o->owners, &change->allowed_add[i], sizeof(struct prefix));
        if (former && former != peer)
            take_away(o, former, &change->allowed_add[i]);
    }
    size_t count = peer->allowed_count + change->allowed_add_count;
    struct prefix *all = mem_alloc((count + 1) * sizeof(*all));
    if (peer->allowed_count)
        memcpy(all, peer->allowed, peer->allowed_count * sizeof(*all));
    if (change->allowed_add_count)
        memcpy(all + peer->allowed_count, change->allowed_add,
               change->allowed_add_count * sizeof(*all));
    set_allowed(o, peer, all, count);
    mem_freep(&all);
}

/* Steps on the link are not folded in: `looked` is taken back, so that the engine reads again. */
void wg_learn(void *observed, const struct plan *plan, size_t from, size_t to)
{
    struct wg_observed *o = observed;
    for (size_t i = from; i < to; i++) {
        const struct wg_action *action = plan->steps[i].action;
        if (action->type == WG_ACTION_PEER)
            learn_peer(o, &action->peer);
    }
}
