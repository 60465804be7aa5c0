/*
 * The one boundary to the system. Reconcilers see only this; behind it stand a real side (kernel,
 * wireguard-go) and a fake side (memory, for tests), both running the same tests.
 *
 * Every function goes through one gate (sys.c) that counts the call, as a read or as a write, and
 * can make the Nth call fail. "A converged system performs zero writes" is asserted on these
 * counters.
 *
 * Results: 0 done, SYS_ABSENT the object does not exist, < 0 an error with *reterr set. Reads fill
 * *ret only when they return 0 (lists are empty otherwise). Calls block, with a deadline of a few
 * seconds. A name that no interface can have is -EINVAL.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/addr.h"
#include "schema/base/error.h"
#include "schema/base/wgkey.h"

enum { SYS_ABSENT = 1 };

/* Our mark on what we make: the protocol number of addresses, routes, rules, and the link group. */
enum { SYS_OWNER = 87 };

struct sys;

/* The real system, in the network and mount namespace of the calling process. */
int sys_open(struct sys **ret, struct error **reterr);
void sys_close(struct sys *sys); /* takes NULL; leaves everything live */

/* ---- counting and failing -------------------------------------------------------------------- */

enum sys_call {
    SYS_LINK_GET,
    SYS_LINK_LIST,
    SYS_LINK_SET,
    SYS_LINK_DELETE,
    SYS_ADDR_LIST,
    SYS_ADDR_ADD,
    SYS_ADDR_DELETE,
    SYS_ROUTE_LIST,
    SYS_ROUTE_SET,
    SYS_ROUTE_DELETE,
    SYS_RULE_LIST,
    SYS_RULE_ADD,
    SYS_RULE_DELETE,
    SYS_SYSCTL_GET,
    SYS_SYSCTL_SET,
    SYS_PATH_MTU,
    SYS_NFT_GENERATION,
    SYS_NFT_READ,
    SYS_NFT_COMMIT,
    SYS_CONNTRACK_FORGET,
    SYS_WG_CREATE,
    SYS_WG_GET,
    SYS_WG_SET,
    SYS_CALL_COUNT
};

const char *sys_call_name(enum sys_call call);
bool sys_call_writes(enum sys_call call);

struct sys_counters {
    uint64_t calls[SYS_CALL_COUNT];
    uint64_t failures;
    uint64_t reads, writes; /* sums of calls[] */
};
const struct sys_counters *sys_counters(const struct sys *sys);

enum sys_fault_kind {
    SYS_FAULT_BEFORE, /* the call is not made, the error is returned */
    SYS_FAULT_AFTER,  /* the call is made, then the error is returned: an answer that got lost */
    SYS_FAULT_SHORT,  /* a write of several peers carries out its first half, then fails */
};
/* The nth call from now (1: the next one) fails with errnum; n = 0 switches it off. */
void sys_fault(struct sys *sys, unsigned long n, int errnum, enum sys_fault_kind kind);
/* Called before each call that writes; tests use it to kill or to interfere at that moment. */
void sys_set_hook(struct sys *sys, void (*hook)(enum sys_call call, void *context), void *context);

/* ---- links ----------------------------------------------------------------------------------- */

struct sys_link {
    int index;
    char name[IFNAMSIZ];
    char kind[16]; /* "tun", "wireguard", "veth"…; empty for physical ones */
    uint32_t group;
    uint32_t mtu;
    bool up;
    char alias[64]; /* ifalias, truncated */
};

int sys_link_get(struct sys *sys, const char *name, struct sys_link *ret, struct error **reterr);

struct sys_links {
    struct sys_link *list;
    size_t count, capacity;
};
void sys_links_clear(struct sys_links *links);
/* Every interface; an interrupted dump is read again, within bounds. ret is filled anew. */
int sys_link_list(struct sys *sys, struct sys_links *ret, struct error **reterr);

struct sys_link_change {
    bool set_mtu, set_up, set_group, set_alias;
    uint32_t mtu;
    bool up;
    uint32_t group;
    const char *alias;
};
/* One message with what is set. A later part may fail after an earlier one took effect. */
int sys_link_set(struct sys *sys, int index, const struct sys_link_change *change,
                 struct error **reterr);
/* With a WireGuard interface goes what serves it: when this returns 0, the name is free again. */
int sys_link_delete(struct sys *sys, int index, struct error **reterr);

/* ---- addresses ------------------------------------------------------------------------------- */

struct sys_addr {
    struct prefix prefix; /* the address with its prefix length, host bits kept */
    uint8_t protocol;     /* IFA_PROTO (Linux 5.18); 0 where the kernel has none */
    bool permanent;
    bool link_local;      /* of link scope: the kernel's own */
    bool no_prefix_route; /* IFA_F_NOPREFIXROUTE */
};

struct sys_addrs {
    struct sys_addr *list;
    size_t count, capacity;
};
void sys_addrs_clear(struct sys_addrs *addrs);

/* Both families; an interrupted dump is read again, within bounds. ret is filled anew. */
int sys_addr_list(struct sys *sys, int ifindex, struct sys_addrs *ret, struct error **reterr);
/*
 * With protocol SYS_OWNER (IPv6: IFA_F_NODAD too). Without `prefix_route` the kernel makes no route
 * of the prefix (IFA_F_NOPREFIXROUTE). Exists already: 0, and it stays as it is; for IPv6 the
 * kernel finds that also when it exists with another length, so that one has to be deleted first.
 */
int sys_addr_add(struct sys *sys, int ifindex, const struct prefix *prefix, bool prefix_route,
                 struct error **reterr);
/* Gone already, also with its interface: 0. */
int sys_addr_delete(struct sys *sys, int ifindex, const struct prefix *prefix,
                    struct error **reterr);

/* ---- routes ---------------------------------------------------------------------------------- */

enum { SYS_TABLE_MAIN = 254 };

enum sys_route_type {
    SYS_ROUTE_UNICAST,
    SYS_ROUTE_UNREACHABLE,
    SYS_ROUTE_OTHER, /* blackhole, prohibit, throw…: only ever seen, never made */
};

struct sys_route {
    struct prefix destination; /* len 0: a default route */
    uint32_t table;
    uint32_t metric; /* 0: none; for IPv6 the kernel makes it 1024 and so reports it */
    uint8_t protocol;
    enum sys_route_type type;
    bool gateway;             /* reached through another router: seen only */
    struct ip source;         /* preferred source address; family 0: none */
    char interface[IFNAMSIZ]; /* empty when there is none, as for unreachable ones */
};
struct sys_routes {
    struct sys_route *list;
    size_t count, capacity;
};
void sys_routes_clear(struct sys_routes *routes);

/*
 * Routes of both families, IPv4 first, otherwise in the kernel's order; ret is filled anew. `table`
 * 0: all tables but `local`; `protocol` 0: everybody's. A table that does not exist is an empty
 * list. Multicast and cloned routes are left out.
 */
int sys_route_list(struct sys *sys, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                   struct error **reterr);
/* Makes the route (protocol SYS_OWNER), in the place of one with the same destination and metric in
 * that table. An interface that does not exist, or is down: -ENODEV, -ENETDOWN. */
int sys_route_set(struct sys *sys, const struct sys_route *route, struct error **reterr);
/* The route exactly as listed. Gone already, also with its interface: 0. For IPv4 the kernel takes
 * a metric of 0 for "any": when that one is gone, another that differs by metric only is deleted.
 */
int sys_route_delete(struct sys *sys, const struct sys_route *route, struct error **reterr);

/* ---- rules of policy routing ----------------------------------------------------------------- */

/* Which table answers for which packets. */
struct sys_rule {
    uint8_t family;
    uint32_t priority;
    uint32_t table;
    uint32_t mark, mask; /* mask 0: any mark */
    bool invert;         /* for packets that do not match */
    char iif[IFNAMSIZ];  /* from this interface, which need not exist; empty: from any */
    uint8_t protocol;
    bool other; /* it has more to say than fits here (from, to, ports, another action…) */
};
struct sys_rules {
    struct sys_rule *list;
    size_t count, capacity;
};
void sys_rules_clear(struct sys_rules *rules);

/* All rules of both families, IPv4 first, by priority as the kernel evaluates them; ret is filled
 * anew. The kernel does not say when a dump was interrupted: an answer that does not fit is a
 * reason to look again. */
int sys_rule_list(struct sys *sys, struct sys_rules *ret, struct error **reterr);
/* With protocol SYS_OWNER. One just like it exists: 0, and there is still one. The kernel takes a
 * rule that differs only by `invert`, or by what does not fit here, for the same one and refuses:
 * -EEXIST. */
int sys_rule_add(struct sys *sys, const struct sys_rule *rule, struct error **reterr);
/* One rule with exactly these attributes, protocol included. Gone already: 0. The kernel takes what
 * is zero here for "any" and does not look at `invert`: of twins in that sense it deletes the
 * first, so look again. */
int sys_rule_delete(struct sys *sys, const struct sys_rule *rule, struct error **reterr);

/* ---- sysctls --------------------------------------------------------------------------------- */

/* A number below /proc/sys, such as "net/ipv4/ip_forward" (slashes: names of interfaces may have
 * dots). Not there (an interface that is gone, an older kernel): SYS_ABSENT. */
int sys_sysctl_get(struct sys *sys, const char *name, long *ret, struct error **reterr);
int sys_sysctl_set(struct sys *sys, const char *name, long value, struct error **reterr);

/* MTU of the interface by which the address is reached now, and our own address towards it. No
 * route: SYS_ABSENT. */
struct sys_path {
    uint32_t mtu;
    char interface[IFNAMSIZ];
    struct ip source;
};
int sys_path_mtu(struct sys *sys, const struct ip *destination, struct sys_path *ret,
                 struct error **reterr);

/* ---- WireGuard ------------------------------------------------------------------------------- */

/*
 * Makes the interface (group SYS_OWNER, down, no key, any port) together with what serves it:
 * wireguard-go on a TUN and a socket that we make, in a session of its own, so that it outlives us.
 * When it returns 0 the device answers; when it fails nothing is left behind.
 *
 * A device that is there and answers already: 0, it is left as it is. A leftover socket is
 * replaced. -EADDRINUSE: the socket serves another network namespace. -EEXIST: an interface of that
 * name is something else. Both are conflicts.
 */
int sys_wg_create(struct sys *sys, const char *name, struct error **reterr);

struct sys_wg_device {
    struct wgkey private_key; /* zero: none; wipe after use */
    uint16_t listen_port;
    uint32_t fwmark;
};

/* A peer as the device reports it. What `allowed` points to is valid during the callback. */
struct sys_wg_peer {
    struct wgkey public_key;
    struct wgkey preshared_key; /* zero: none */
    struct ip endpoint;         /* family 0: not known */
    uint16_t endpoint_port;
    uint16_t keepalive;     /* seconds, 0: off */
    int64_t last_handshake; /* seconds since 1970, 0: never */
    uint64_t rx_bytes, tx_bytes;
    const struct prefix *allowed;
    size_t allowed_count;
};

/*
 * Reads the whole device: `peer` (may be NULL) is called once per peer, in no order. On < 0 what
 * the callback saw is incomplete and must be thrown away.
 *
 * SYS_ABSENT, here and in sys_wg_set(), means that no such device works in our network namespace:
 * no interface, or nothing that serves it (killed, a leftover socket, a socket of another
 * namespace). The answer to it is sys_wg_create().
 */
int sys_wg_get(struct sys *sys, const char *name, struct sys_wg_device *ret,
               void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
               struct error **reterr);

struct sys_wg_device_change {
    bool set_private_key, set_listen_port, set_fwmark;
    struct wgkey private_key;
    /* Tested first: -EADDRINUSE, and nothing is changed. The one it has already: not set again. */
    uint16_t listen_port;
    uint32_t fwmark;
};

struct sys_wg_peer_change {
    struct wgkey public_key;
    bool remove; /* nothing else counts then; absent already: fine */
    bool create; /* false: only if it exists (update_only) */
    bool set_preshared_key, set_endpoint, set_keepalive;
    struct wgkey preshared_key; /* zero: removes it */
    struct ip endpoint;
    uint16_t endpoint_port;
    uint16_t keepalive;
    const struct prefix *allowed_add;
    size_t allowed_add_count;
    /*
     * Taken away from whoever has them, without an empty window for the rest: a throw-away peer
     * takes them and is deleted in the same message. What another change of the same call adds is a
     * move: it goes there, whatever the order.
     */
    const struct prefix *allowed_remove;
    size_t allowed_remove_count;
};

/* Carried out in order, in one message. NOT atomic: after an error the first part may be in force,
 * so the caller reads the device again. `device` may be NULL, `count` 0. */
int sys_wg_set(struct sys *sys, const char *name, const struct sys_wg_device_change *device,
               const struct sys_wg_peer_change *peers, size_t count, struct error **reterr);

/* ---- conntrack ------------------------------------------------------------------------------- */

/* Deletes the entries whose original direction comes from this address; none: 0. A kernel without
 * connection tracking: 0. */
int sys_conntrack_forget(struct sys *sys, const struct ip *source, struct error **reterr);

/* ---- events ---------------------------------------------------------------------------------- */

enum sys_event_type {
    SYS_EVENT_LOST, /* some were lost: look at everything */
    SYS_EVENT_LINK, /* `interface` came, went, or is another now */
    SYS_EVENT_ADDRESS,
    SYS_EVENT_ROUTE,   /* in `table`, never `local`; by `protocol` */
    SYS_EVENT_RULE,    /* with `priority`, by `protocol` */
    SYS_EVENT_NETCONF, /* a sysctl of `interface` (forwarding, rp_filter) */
    SYS_EVENT_NFT,     /* somebody committed a change to any table of nftables */
    SYS_EVENT_TYPE_COUNT
};

struct sys_event {
    enum sys_event_type type;
    char interface[IFNAMSIZ]; /* LINK, ADDRESS, NETCONF; "": more than one, or its name is gone */
    uint32_t table, priority;
    uint8_t protocol;
    char process[32]; /* NFT: who did it, "name[pid]"; else "" */
};

/* A descriptor that becomes readable when the kernel reports changes, or -1. sys_events_read()
 * drains it. Changes that we made ourselves are left out where the kernel says who made them: it
 * does for rules, routes, IPv4 addresses and nftables, not for IPv6 addresses and sysctls, and not
 * always for links. Equal ones in a row may be told once. IPv4 routes go without a word when their
 * interface goes down or loses its last address: LINK and ADDRESS mean "look at routes" too. */
int sys_events_fd(struct sys *sys);
void sys_events_read(struct sys *sys,
                     void (*happened)(const struct sys_event *event, void *context), void *context);
