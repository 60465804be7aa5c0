/*
 * Peer: a device of the owner.
 *
 * Columns: member, path, type, presence, default, words, low, high, disruption, enforcer, flags,
 * help
 */
#pragma once

#include "schema/kinds/common.h"

enum peer_tunnel { TUNNEL_FULL, TUNNEL_SPLIT };

#define PEER_FIELDS(F)                                                                             \
    COMMON_FIELDS(F)                                                                               \
    F(public_key, "publicKey", KEY, REQUIRED, NULL, NULL, 0, 0, RECREATE, WIREGUARD, FIELD_PLAIN,  \
      "the device's WireGuard public key; the private key stays on the device")                    \
    F(preshared_key, "presharedKey", SECRET, OPTIONAL, NULL, NULL, 0, 0, RESTART, WIREGUARD,       \
      FIELD_PLAIN, "an additional shared key, a file in the secrets directory")                    \
    F(address, "address", ADDRESS4, OPTIONAL, NULL, NULL, 0, 0, RELOAD, WIREGUARD, FIELD_GIVEN,    \
      "the device's address in network.vpn")                                                       \
    F(address6, "address6", ADDRESS6, OPTIONAL, NULL, NULL, 0, 0, RELOAD, WIREGUARD, FIELD_GIVEN,  \
      "the device's address in network.vpn6")                                                      \
    F(internet, "internet", BOOL, OPTIONAL, "true", NULL, 0, 0, NONE, FIREWALL, FIELD_CONFINES,    \
      "may reach the internet through this cell")                                                  \
    F(route_via, "routeVia", NAME, OPTIONAL, NULL, NULL, 0, 0, NONE, ROUTES, FIELD_CONFINES,       \
      "a Link: this peer's internet traffic leaves through that cell")                             \
    F(services, "access.services", NAMES, OPTIONAL, "*", NULL, 0, 0, NONE, FIREWALL,               \
      FIELD_CONFINES, "services that it may reach; [\"*\"] all, [] none")                          \
    F(peers, "access.peers", NAMES, OPTIONAL, "*", NULL, 0, 0, NONE, FIREWALL, FIELD_CONFINES,     \
      "other peers that it may reach")                                                             \
    F(links, "access.links", NAMES, OPTIONAL, "*", NULL, 0, 0, NONE, FIREWALL, FIELD_CONFINES,     \
      "linked cells that it may reach")                                                            \
    F(lan, "access.lan", NAMES, OPTIONAL, "*", NULL, 0, 0, NONE, FIREWALL, FIELD_CONFINES,         \
      "local networks that it may reach")                                                          \
    F(host, "access.host", BOOL, OPTIONAL, "false", NULL, 0, 0, NONE, FIREWALL, FIELD_PLAIN,       \
      "may reach the cell's own ports listed in firewall.hostAccess")                              \
    F(subnets, "subnets", PREFIXES, OPTIONAL, "", NULL, 0, 0, NONE, ROUTES, FIELD_PLAIN,           \
      "prefixes behind the device")                                                                \
    F(tunnel, "client.tunnel", ENUM, OPTIONAL, NULL, "full|split", 0, 0, NONE, PICD, FIELD_PLAIN,  \
      "what the client config sends through the tunnel; full if internet, always full with "       \
      "routeVia")                                                                                  \
    F(keepalive, "client.keepalive", INT, OPTIONAL, "25", NULL, 0, 65535, NONE, PICD, FIELD_PLAIN, \
      "seconds between the client's keep-alive packets; 0: none")                                  \
    F(client_mtu, "client.mtu", AUTO_INT, OPTIONAL, "auto", NULL, 1280, 9000, NONE, PICD,          \
      FIELD_PLAIN, "MTU that the client config says; auto: the cell's")                            \
    F(client_dns, "client.dns", BOOL, OPTIONAL, "true", NULL, 0, 0, NONE, PICD, FIELD_PLAIN,       \
      "the client config names the cell as DNS server")                                            \
    F(expires, "expires", TIME, OPTIONAL, NULL, NULL, 0, 0, NONE, WIREGUARD, FIELD_PLAIN,          \
      "RFC 3339 time after which the peer leaves the device; the manifest stays")

struct peer_spec {
    PEER_FIELDS(FIELD_MEMBER)
};

#define PEER_ENUM(member, ...) PEER_##member,
enum peer_field { PEER_FIELDS(PEER_ENUM) PEER_FIELD_COUNT };
_Static_assert((int)PEER_FIELD_COUNT <= (int)FIELDS_MAX, "presence of Peer fields fits one word");

extern const struct kind kind_peer;

struct resource;
/* What its client config sends through the tunnel, with the default that depends on other fields.
 */
enum peer_tunnel peer_tunnel(const struct resource *peer);
