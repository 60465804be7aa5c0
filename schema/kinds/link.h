/*
 * Link: another cell.
 *
 * Columns: member, path, type, presence, default, words, low, high, disruption, enforcer, flags,
 * help
 */
#pragma once

#include "schema/kinds/cell.h"

#define LINK_FIELDS(F)                                                                             \
    COMMON_FIELDS(F)                                                                               \
    F(public_key, "publicKey", KEY, REQUIRED, NULL, NULL, 0, 0, RECREATE, WIREGUARD, FIELD_PLAIN,  \
      "the other cell's WireGuard public key")                                                     \
    F(endpoint, "endpoint", ENDPOINT, OPTIONAL, NULL, NULL, 0, 0, NONE, WIREGUARD, FIELD_PLAIN,    \
      "host:port where the other cell listens for us; at least one side needs it")                 \
    F(advertise, "advertise", ENDPOINT, OPTIONAL, NULL, NULL, 0, 0, NONE, PICD, FIELD_PLAIN,       \
      "host:port where the other cell reaches us, if not wireguard.endpoint with this link's "     \
      "port")                                                                                      \
    F(listen_port, "listenPort", PORT, OPTIONAL, NULL, NULL, 0, 0, RESTART, WIREGUARD,             \
      FIELD_GIVEN, "UDP port for this link; a hash of its name in wireguard.linkPorts if absent")  \
    F(preshared_key, "presharedKey", SECRET, OPTIONAL, NULL, NULL, 0, 0, RESTART, WIREGUARD,       \
      FIELD_PLAIN, "an additional shared key, a file in the secrets directory")                    \
    F(vpn, "vpn", PREFIX4, REQUIRED, NULL, NULL, 8, 30, RELOAD, ROUTES, FIELD_PLAIN,               \
      "the other cell's network.vpn; must overlap nothing of ours")                                \
    F(vpn6, "vpn6", PREFIX6, OPTIONAL, NULL, NULL, 48, 64, RELOAD, ROUTES, FIELD_PLAIN,            \
      "the other cell's network.vpn6")                                                             \
    F(networks, "networks", PREFIXES, OPTIONAL, "", NULL, 0, 0, RELOAD, ROUTES, FIELD_PLAIN,       \
      "networks behind the other cell that we route to it")                                        \
    F(domain, "domain", DOMAIN, REQUIRED, NULL, NULL, 0, 0, NONE, CONFIGS, FIELD_PLAIN,            \
      "the other cell's domain: names under it are asked there")                                   \
    F(dns, "dns", ADDRESS4, OPTIONAL, NULL, NULL, 0, 0, NONE, CONFIGS, FIELD_PLAIN,                \
      "the other cell's DNS server; the first host of vpn if absent")                              \
    F(identity, "identity", PINS, OPTIONAL, "", NULL, 0, 0, NONE, PEERSYNC, FIELD_PLAIN,           \
      "pins of the other cell's peer-sync key, from its invite")                                   \
    F(share_services, "share.services", NAMES, OPTIONAL, "", NULL, 0, 0, NONE, FIREWALL,           \
      FIELD_PLAIN, "our services that the other cell's peers may reach; [\"*\"] all")              \
    F(share_networks, "share.networks", PREFIXES, OPTIONAL, "", NULL, 0, 0, NONE, FIREWALL,        \
      FIELD_PLAIN, "our networks (LAN, subnets of peers) that the other cell's peers may reach")   \
    F(exit_offer, "exit.offer", BOOL, OPTIONAL, "false", NULL, 0, 0, NONE, FIREWALL, FIELD_PLAIN,  \
      "the other cell's peers may reach the internet through us")                                  \
    F(mtu, "mtu", AUTO_INT, OPTIONAL, "auto", NULL, 1280, 9000, RELOAD, WIREGUARD, FIELD_PLAIN,    \
      "MTU of the tunnel; auto: from the path to the endpoint")                                    \
    F(keepalive, "keepalive", INT, OPTIONAL, "25", NULL, 0, 65535, NONE, WIREGUARD, FIELD_PLAIN,   \
      "seconds between keep-alive packets; 0: none")

struct link_spec {
    LINK_FIELDS(FIELD_MEMBER)
};

#define LINK_ENUM(member, ...) LINK_##member,
enum link_field { LINK_FIELDS(LINK_ENUM) LINK_FIELD_COUNT };
_Static_assert((int)LINK_FIELD_COUNT <= (int)FIELDS_MAX, "presence of Link fields fits one word");

extern const struct kind kind_link;

struct resource;

/* The other cell's own addresses: the first hosts of its prefixes. Family 0: it has no vpn6. */
struct ip link_address(const struct link_spec *link);
struct ip link_address6(const struct link_spec *link);
/* Is one of the two domains the other, or below it? */
bool domain_overlaps(const char *a, const char *b);
/* Its DNS server, with the default. */
struct ip link_dns(const struct link_spec *link);

/*
 * The UDP port of a link without a written listenPort: a hash of its name into wireguard.linkPorts,
 * else the next port (around the end of the range to its start) that is neither taken() nor the
 * cell's own. So an invite that is made before the Link exists names the port that it will get.
 * `taken`: has another link this port written? NULL: none has one. Returns 0 when the range is used
 * up.
 */
uint16_t link_port(const char *name, const struct cell_spec *cell,
                   bool (*taken)(void *context, uint16_t port), void *context);
