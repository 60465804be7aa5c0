/*
 * What is behind peers. Whoever may reach a peer may reach its subnets, and they may reach what it
 * may reach. A subnet may lie in another peer's: each address belongs to the narrowest, so they are
 * cut into ranges that do not overlap, each of one peer.
 */
#include "reconcilers/firewall/firewall.h"

#include <netinet/in.h>
#include <stdlib.h>

#include "schema/base/mem.h"
#include "schema/types.h"

struct subnet {
    const struct model_peer *peer;
    struct prefix prefix;
};

struct range {
    const struct model_peer *peer;
    struct interval interval;
};

/* Of one family. */
struct ranges {
    struct fw_desired *desired;
    bool ipv6;
    struct range *list;
    size_t count, capacity;
};

static const struct list *subnets_of(const struct model_peer *peer)
{
    return &((const struct peer_spec *)peer->resource->spec)->subnets;
}

static const struct ip *address_of(const struct ranges *r, const struct model_peer *peer)
{
    return r->ipv6 ? &peer->address6 : &peer->address;
}

/* ---- cutting ---- */

/* By their first address, the wider first: what lies in a subnet follows it. */
static int by_place(const void *a, const void *b)
{
    const struct subnet *x = a, *y = b;
    int order = ip_compare(&x->prefix.ip, &y->prefix.ip);
    return order ? order : x->prefix.len - y->prefix.len;
}

static size_t collect(const struct ranges *r, const struct model_peer *peer, struct subnet *ret)
{
    const struct list *subnets = subnets_of(peer);
    size_t count = 0;
    for (uint32_t i = 0; peer->off == PEER_ON && i < subnets->count; i++) {
        struct prefix prefix = prefix_normalise(&list_prefixes(subnets)[i]);
        bool ipv6 = prefix.ip.family == AF_INET6;
        if (ipv6 == r->ipv6 && model_owner(r->desired->model, &prefix) == peer)
            ret[count++] = (struct subnet){peer, prefix};
    }
    return count;
}

/* The ranges of the first subnet, without those that lie in it. */
static void cut(struct ranges *r, const struct subnet *list, size_t count)
{
    INTERVALS_AUTO own = {0};
    INTERVALS_AUTO inside = {0};

    intervals_add(&own, &list->prefix);
    for (size_t i = 1; i < count && prefix_contains(&list->prefix, &list[i].prefix.ip); i++)
        intervals_add(&inside, &list[i].prefix);
    intervals_normalise(&own);
    intervals_normalise(&inside);
    intervals_subtract(&own, &inside);
    for (size_t i = 0; i < own.count; i++) {
        r->list = mem_grow(r->list, r->count, &r->capacity, sizeof(*r->list));
        r->list[r->count++] = (struct range){list->peer, own.list[i]};
    }
}

static void find_ranges(struct ranges *r)
{
    const struct map *peers = &r->desired->model->peers;
    const struct map_entry *entry;
    size_t at = 0, most = 0, count = 0;

    while ((entry = map_next(peers, &at)))
        most += subnets_of(entry->value)->count;
    MEM_AUTO struct subnet *subnets = mem_alloc((most + 1) * sizeof(*subnets));
    at = 0;
    while ((entry = map_next(peers, &at)))
        count += collect(r, entry->value, subnets + count);
    if (count > 1)
        qsort(subnets, count, sizeof(*subnets), by_place);
    for (size_t i = 0; i < count; i++)
        cut(r, subnets + i, count - i);
}

/* ---- the elements ---- */

static void put(const struct ranges *r, enum fw_set set, const struct fw_key *key,
                const struct ip *data)
{
    struct fw_desired *d = r->desired;
    fw_put(&d->sets[fw_instance(set, r->ipv6, true)], key, data, d->arena);
}

static void put_range(const struct ranges *r, const struct range *range,
                      const struct fw_source *source)
{
    const struct ip *address = address_of(r, range->peer);

    fw_peer_members(r->desired, range->peer, source);
    put(r, FW_VPN, &source->key, NULL);
    put(r, FW_TUNNEL, &source->key, NULL);
    if (address->family)
        put(r, FW_SUBNET_NAT, &source->key, address);
}

/* Everywhere that `other` is, from this source, which is (net) behind a peer or the peer itself.
 * From peer to peer is in the set without intervals. */
static void put_pairs_to(const struct ranges *r, const struct fw_source *source,
                         const struct model_peer *other)
{
    struct fw_key key = source->key;
    if (source->net && address_of(r, other)->family) {
        fw_key_ip(&key, address_of(r, other));
        put(r, FW_PEER_PAIR, &key, NULL);
    }
    for (size_t i = 0; i < r->count; i++) {
        if (r->list[i].peer != other)
            continue;
        key = source->key;
        fw_key_interval(&key, &r->list[i].interval);
        put(r, FW_PEER_PAIR, &key, NULL);
    }
}

static void put_pairs(const struct ranges *r, const struct model_peer *peer,
                      const struct fw_source *source)
{
    const struct list *names = &((const struct peer_spec *)peer->resource->spec)->peers;
    for (uint32_t i = 0; i < names->count; i++) {
        const struct model_peer *other = model_peer_by_name(r->desired->model, list_text(names, i));
        if (other && other->off == PEER_ON)
            put_pairs_to(r, source, other);
    }
}

static void put_pairs_of_peers(const struct ranges *r)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&r->desired->model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        if (peer->off != PEER_ON || !address_of(r, peer)->family)
            continue;
        struct fw_source source = fw_source_of(address_of(r, peer));
        put_pairs(r, peer, &source);
    }
}

void fw_subnet_members(struct fw_desired *d)
{
    for (int ipv6 = 0; ipv6 < 2; ipv6++) {
        struct ranges r = {.desired = d, .ipv6 = ipv6};
        find_ranges(&r);
        for (size_t i = 0; i < r.count; i++) {
            struct fw_source source = {.ipv6 = ipv6, .net = true};
            fw_key_interval(&source.key, &r.list[i].interval);
            put_range(&r, &r.list[i], &source);
            put_pairs(&r, r.list[i].peer, &source);
        }
        if (r.count)
            put_pairs_of_peers(&r);
        mem_freep(&r.list);
    }
}
