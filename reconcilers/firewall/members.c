/*
 * Who is in which set. An element that is missing forbids, never allows: a peer of which nothing is
 * known here can do nothing.
 */
#include "reconcilers/firewall/firewall.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/types.h"

static struct nft_set *set_for(struct fw_desired *d, enum fw_set set, const struct ip *ip)
{
    return &d->sets[fw_instance(set, ip->family == AF_INET6, false)];
}

static void put_interface(struct fw_desired *d, struct nft_set *set, const char *name)
{
    struct fw_key key = {.len = 0};
    fw_key_interface(&key, name);
    fw_put(set, &key, NULL, d->arena);
}

static void put_prefix(struct fw_desired *d, enum fw_set set, const struct prefix *prefix)
{
    struct fw_key key = {.len = 0};
    fw_key_prefix(&key, prefix);
    fw_put(set_for(d, set, &prefix->ip), &key, NULL, d->arena);
}

static void put_prefixes(struct fw_desired *d, enum fw_set set, const struct prefix *list,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_prefix(d, set, &list[i]);
}

/* ---- the cell's ---- */

/* Private, shared, loopback, link-local, special, benchmark, multicast and reserved addresses, and
 * those that stand for IPv4 ones. */
static const char *const never[] = {
    "0.0.0.0/8",     "10.0.0.0/8",    "100.64.0.0/10",  "127.0.0.0/8",    "169.254.0.0/16",
    "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16", "198.18.0.0/15",  "224.0.0.0/3",
    "::/96",         "::ffff:0:0/96", "64:ff9b::/96",   "64:ff9b:1::/48", "2002::/16",
    "fc00::/7",      "fe80::/10",     "fec0::/10",      "ff00::/8",
};

static void put_never(struct fw_desired *d)
{
    struct prefix prefix;
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (prefix_parse(never[i], &prefix) == 0)
            put_prefix(d, FW_NEVER, &prefix);
}

static void put_host(struct fw_desired *d, const struct host *host)
{
    for (size_t i = 0; i < host->interface_count; i++) {
        const struct host_interface *at = &host->interfaces[i];
        if (at->uplink4)
            put_interface(d, &d->sets[fw_instance(FW_UPLINKS, false, false)], at->name);
        if (at->uplink6)
            put_interface(d, &d->sets[fw_instance(FW_UPLINKS, true, false)], at->name);
        if (at->uplink4 || at->uplink6 || at->lan)
            put_interface(d, &d->sets[fw_instance(FW_OUTS, false, false)], at->name);
    }
    put_prefixes(d, FW_LAN, host->lan, host->lan_count);
    put_prefixes(d, FW_NEAR, host->near, host->near_count);
}

static void put_port(struct fw_desired *d, uint8_t proto, uint16_t port)
{
    struct fw_key key = {.len = 0};
    fw_key_proto(&key, proto);
    fw_key_port(&key, port);
    fw_put(&d->sets[fw_instance(FW_HOST_PORTS, false, false)], &key, NULL, d->arena);
}

/* What is listed, and the HTTP endpoint where it listens on the VPN. */
static void put_ports(struct fw_desired *d, const struct cell_spec *cell)
{
    static const char vpn[] = "vpn:";
    const struct port_proto *ports = cell->host_access.items;
    for (uint32_t i = 0; i < cell->host_access.count; i++)
        put_port(d, ports[i].protocol, ports[i].port);
    for (uint32_t i = 0; i < cell->api_listen.count; i++) {
        const char *listen = list_text(&cell->api_listen, i);
        if (strncmp(listen, vpn, sizeof(vpn) - 1) == 0)
            put_port(d, IPPROTO_TCP, (uint16_t)strtoul(listen + sizeof(vpn) - 1, NULL, 10));
    }
}

static void put_vpn(struct fw_desired *d, const struct prefix *prefix)
{
    if (!prefix->ip.family)
        return;
    put_prefix(d, FW_VPN, prefix);
    put_prefix(d, FW_TUNNEL, prefix);
}

/* ---- the links' ---- */

static void put_link_prefix(struct fw_desired *d, enum fw_set set, const struct model_link *link,
                            const struct prefix *prefix)
{
    struct fw_key key = {.len = 0};
    fw_key_interface(&key, link->interface);
    fw_key_prefix(&key, prefix);
    fw_put(set_for(d, set, &prefix->ip), &key, NULL, d->arena);
}

static void put_link_host(struct fw_desired *d, const struct model_link *link, struct ip ip)
{
    struct prefix prefix = prefix_of_host(&ip);
    if (ip.family)
        put_link_prefix(d, FW_LINK_HOST, link, &prefix);
}

static void put_exit(struct fw_desired *d, const struct model_link *link)
{
    struct fw_key key = {.len = 0};
    fw_key_mark(&key, link->number << MARK_SHIFT);
    fw_key_interface(&key, link->interface);
    fw_put(&d->sets[fw_instance(FW_EXIT_OUT, false, false)], &key, NULL, d->arena);
}

static void put_link(struct fw_desired *d, const struct model_link *link)
{
    const struct list *share = &link->spec->share_networks;

    put_interface(d, &d->sets[fw_instance(FW_LINKS, false, false)], link->interface);
    put_exit(d, link);
    if (link->relays)
        put_interface(d, &d->sets[fw_instance(FW_EXIT_USERS, false, false)], link->interface);
    put_link_host(d, link, link_address(link->spec));
    put_link_host(d, link, link_address6(link->spec));
    for (size_t i = 0; i < link->prefix_count; i++)
        put_link_prefix(d, FW_LINK_NET, link, &link->prefixes[i]);
    put_prefixes(d, FW_TUNNEL, link->prefixes, link->prefix_count);
    for (uint32_t i = 0; i < share->count; i++)
        put_link_prefix(d, FW_LINK_SHARE, link, &list_prefixes(share)[i]);
}

bool fw_has_tunnel(const struct model_link *link)
{
    return link->number && (link->off == LINK_ON || link->off == LINK_NO_SECRET);
}

void fw_cell_members(struct fw_desired *d)
{
    const struct cell_spec *cell = d->model->cell.spec;
    size_t count;
    MEM_AUTO const struct model_link **links = model_links(d->model, &count);

    put_never(d);
    put_host(d, &d->model->host);
    put_ports(d, cell);
    put_vpn(d, &cell->vpn);
    put_vpn(d, &cell->vpn6);
    for (size_t i = 0; i < count; i++)
        if (fw_has_tunnel(links[i]))
            put_link(d, links[i]);
}

/* ---- a peer's ---- */

struct fw_source fw_source_of(const struct ip *address)
{
    struct fw_source source = {.ipv6 = address->family == AF_INET6};
    fw_key_ip(&source.key, address);
    return source;
}

static void put(struct fw_desired *d, enum fw_set set, const struct fw_source *source,
                const struct fw_key *key)
{
    fw_put(&d->sets[fw_instance(set, source->ipv6, source->net)], key, NULL, d->arena);
}

static void put_source(struct fw_desired *d, enum fw_set set, const struct fw_source *source)
{
    put(d, set, source, &source->key);
}

static void put_source_interface(struct fw_desired *d, enum fw_set set,
                                 const struct fw_source *source, const char *name)
{
    struct fw_key key = source->key;
    fw_key_interface(&key, name);
    put(d, set, source, &key);
}

/* Other peers by name; those that are not there now have no address to be reached at. */
static void put_pairs(struct fw_desired *d, const struct list *names,
                      const struct fw_source *source)
{
    for (uint32_t i = 0; i < names->count; i++) {
        const struct model_peer *other = model_peer_by_name(d->model, list_text(names, i));
        if (!other || other->off != PEER_ON)
            continue;
        const struct ip *to = source->ipv6 ? &other->address6 : &other->address;
        struct fw_key key = source->key;
        if (!to->family)
            continue;
        fw_key_ip(&key, to);
        put(d, FW_PEER_PAIR, source, &key);
    }
}

static void put_links(struct fw_desired *d, const struct list *names,
                      const struct fw_source *source)
{
    for (uint32_t i = 0; i < names->count; i++) {
        const struct model_link *link = model_link_by_name(d->model, list_text(names, i));
        if (link && fw_has_tunnel(link))
            put_source_interface(d, FW_PEER_LINK, source, link->interface);
    }
}

static void put_lan(struct fw_desired *d, const struct list *names, const struct fw_source *source)
{
    for (uint32_t i = 0; i < names->count; i++)
        if (strlen(list_text(names, i)) < IFNAMSIZ)
            put_source_interface(d, FW_PEER_LAN_IF, source, list_text(names, i));
}

static void put_access(struct fw_desired *d, const struct peer_spec *spec,
                       const struct fw_source *source)
{
    if (spec->peers.any && spec->links.any && spec->lan.any) {
        put_source(d, FW_PEER_ALL, source);
        return;
    }
    if (spec->peers.any)
        put_source(d, FW_PEER_PEERS, source);
    if (spec->links.any)
        put_source(d, FW_PEER_LINKS, source);
    if (spec->lan.any)
        put_source(d, FW_PEER_LAN, source);
    if (!source->net) /* else the pairs are a matter of both subnets: see subnets.c */
        put_pairs(d, &spec->peers, source);
    put_links(d, &spec->links, source);
    put_lan(d, &spec->lan, source);
}

static void put_way(struct fw_desired *d, const struct model_peer *peer,
                    const struct fw_source *source)
{
    switch (source->ipv6 ? peer->way6 : peer->way) {
    case WAY_NONE:
        break;
    case WAY_DIRECT:
        put_source(d, FW_PEER_INTERNET, source);
        break;
    case WAY_EXIT:
        put_source(d, FW_EXIT + peer->via->number, source);
        break;
    case WAY_BLOCKED:
        put_source(d, FW_BLOCKED, source);
        break;
    }
}

void fw_peer_members(struct fw_desired *d, const struct model_peer *peer,
                     const struct fw_source *source)
{
    const struct peer_spec *spec = peer->resource->spec;

    put_access(d, spec, source);
    put_way(d, peer, source);
    if (spec->host)
        put_source(d, FW_PEER_HOST, source);
}
