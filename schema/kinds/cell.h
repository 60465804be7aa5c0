/*
 * Cell: a machine.
 *
 * Columns: member, path, type, presence, default, words, low, high, disruption, enforcer, flags,
 * help
 */
#pragma once

#include "schema/kinds/common.h"

enum cell_backend { BACKEND_AUTO, BACKEND_KERNEL, BACKEND_USERSPACE };
enum cell_log_level { CELL_LOG_ERROR, CELL_LOG_WARNING, CELL_LOG_INFO, CELL_LOG_DEBUG };

#define CELL_FIELDS(F)                                                                             \
    COMMON_FIELDS(F)                                                                               \
    F(domain, "domain", DOMAIN, REQUIRED, NULL, NULL, 0, 0, RELOAD, CONFIGS, FIELD_PLAIN,          \
      "names of this cell live under it, such as alpha.cell")                                      \
    F(vpn, "network.vpn", PREFIX4, REQUIRED, NULL, NULL, 8, 29, RECREATE, WIREGUARD, FIELD_PLAIN,  \
      "private prefix of the VPN; its first host is the cell, peers and service addresses come "   \
      "out of it")                                                                                 \
    F(vpn6, "network.vpn6", PREFIX6, OPTIONAL, NULL, NULL, 64, 64, RECREATE, WIREGUARD,            \
      FIELD_PLAIN, "the same for IPv6: a unique local /64; `picctl init` writes a random one")     \
    F(services, "network.services", PREFIX4, OPTIONAL, NULL, NULL, 8, 32, RECREATE, FIREWALL,      \
      FIELD_PLAIN, "range of service addresses inside network.vpn; its last eighth if absent")     \
    F(containers, "network.containers", PREFIX4, OPTIONAL, "172.20.0.0/16", NULL, 8, 28, RECREATE, \
      CONTAINERS, FIELD_PLAIN, "private prefix of the containers' bridge; must overlap nothing")   \
    F(uplink, "network.uplink", INTERFACE, OPTIONAL, "auto", NULL, 0, 0, NONE, FIREWALL,           \
      FIELD_PLAIN, "interface where internet traffic leaves; auto follows the default route")      \
    F(lan, "network.lan", AUTO_PREFIXES, OPTIONAL, "auto", NULL, 0, 0, NONE, FIREWALL,             \
      FIELD_PLAIN, "prefixes of the local network; auto: the private ones directly connected")     \
    F(interface, "wireguard.interface", INTERFACE, OPTIONAL, "pic0", NULL, 0, 0, RECREATE,         \
      WIREGUARD, FIELD_PLAIN, "name of the peers' WireGuard interface")                            \
    F(listen_port, "wireguard.listenPort", PORT, OPTIONAL, "51820", NULL, 0, 0, RESTART,           \
      WIREGUARD, FIELD_PLAIN, "UDP port for peers; the router must forward it")                    \
    F(link_ports, "wireguard.linkPorts", RANGE, OPTIONAL, "51821-51899", NULL, 0, 0, NONE, PICD,   \
      FIELD_PLAIN, "UDP ports for links to other cells, one each")                                 \
    F(endpoint, "wireguard.endpoint", ENDPOINT, OPTIONAL, NULL, NULL, 0, 0, NONE, PICD,            \
      FIELD_PLAIN,                                                                                 \
      "host or host:port under which this cell is reached from outside; goes into client configs") \
    F(mtu, "wireguard.mtu", AUTO_INT, OPTIONAL, "auto", NULL, 1280, 9000, RELOAD, WIREGUARD,       \
      FIELD_PLAIN, "MTU of the tunnel; auto: 80 less than the uplink's")                           \
    F(private_key, "wireguard.privateKey", SECRET, OPTIONAL, "wireguard.key", NULL, 0, 0,          \
      RECREATE, WIREGUARD, FIELD_PLAIN, "the cell's private key, a file in the secrets directory") \
    F(public_key, "wireguard.publicKey", KEY, OPTIONAL, NULL, NULL, 0, 0, NONE, WIREGUARD,         \
      FIELD_PLAIN, "checked against the private key; lets picctl print client configs elsewhere")  \
    F(backend, "wireguard.backend", ENUM, OPTIONAL, "auto", "auto|kernel|userspace", 0, 0,         \
      RECREATE, WIREGUARD, FIELD_PLAIN, "what serves the interface; auto: the kernel if it can")   \
    F(host_access, "firewall.hostAccess", PORTS, OPTIONAL, "", NULL, 0, 0, NONE, FIREWALL,         \
      FIELD_PLAIN, "host ports (port/tcp or port/udp) that peers with access.host may reach")      \
    F(peer_sync_port, "peerSync.port", PORT, OPTIONAL, "3443", NULL, 0, 0, NONE, PEERSYNC,         \
      FIELD_PLAIN, "TCP port on which linked cells exchange documents")                            \
    F(identity, "peerSync.identity", PIN, OPTIONAL, NULL, NULL, 0, 0, NONE, PEERSYNC, FIELD_PLAIN, \
      "pin of this cell's peer-sync key; checked against the key")                                 \
    F(api_listen, "api.listen", LISTENS, OPTIONAL, "loopback:3000", NULL, 0, 0, RELOAD, PICD,      \
      FIELD_PLAIN, "where the read-only HTTP endpoint listens besides its unix socket")            \
    F(guard_fraction, "prune.guard.fraction", PERCENT, OPTIONAL, "50%", NULL, 0, 100, NONE, PICD,  \
      FIELD_PLAIN, "hold removals when one change would remove more than this share…")             \
    F(guard_minimum, "prune.guard.minimum", INT, OPTIONAL, "5", NULL, 0, 1000000, NONE, PICD,      \
      FIELD_PLAIN, "…and also more than this many resources")                                      \
    F(probation, "changes.probation", BOOL, OPTIONAL, "false", NULL, 0, 0, NONE, CONFIGS,          \
      FIELD_PLAIN,                                                                                 \
      "verify every new revision after convergence, go back if something became unreachable")      \
    F(key_type, "authority.keyType", ENUM, OPTIONAL, "ec-p256", "ec-p256|ec-p384", 0, 0, NONE,     \
      CERTIFICATES, FIELD_PLAIN, "key type of the cell's certificate authority")                   \
    F(ca_days, "authority.caDays", INT, OPTIONAL, "3650", NULL, 1, 36500, NONE, CERTIFICATES,      \
      FIELD_PLAIN, "days that the authority's certificate is valid")                               \
    F(leaf_days, "authority.leafDays", INT, OPTIONAL, "90", NULL, 1, 825, NONE, CERTIFICATES,      \
      FIELD_PLAIN, "days that a service's certificate is valid")                                   \
    F(log_level, "log.level", ENUM, OPTIONAL, "info", "error|warning|info|debug", 0, 0, NONE,      \
      PICD, FIELD_PLAIN, "how much picd says; a change takes effect at once")

struct cell_spec {
    CELL_FIELDS(FIELD_MEMBER)
};

#define CELL_ENUM(member, ...) CELL_##member,
enum cell_field { CELL_FIELDS(CELL_ENUM) CELL_FIELD_COUNT };
_Static_assert((int)CELL_FIELD_COUNT <= (int)FIELDS_MAX, "presence of Cell fields fits one word");

extern const struct kind kind_cell;

/* The cell's own address in network.vpn (the first host), and in vpn6 (family 0 without one). */
struct ip cell_address(const struct cell_spec *cell);
struct ip cell_address6(const struct cell_spec *cell);
/* network.services, or the last eighth of network.vpn. */
struct prefix cell_services(const struct cell_spec *cell);
