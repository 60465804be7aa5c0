/*
 * The fake side: a system in memory that behaves like the real one where our code can tell, for
 * tests.
 */
#pragma once

#include "reconcilers/sys/nft.h"
#include "reconcilers/sys/sys.h"

struct sys *sys_fake_new(void);

/* Somebody else's hands: changes behind the gate's back, not counted. */
void sys_fake_link_add(struct sys *sys, const char *name, const char *kind, uint32_t group,
                       const char *alias);
void sys_fake_link_remove(struct sys *sys, const char *name); /* with all that hangs on it */
void sys_fake_link_up(struct sys *sys, const char *name, bool up);
void sys_fake_addr_add(struct sys *sys, const char *name, const struct prefix *prefix,
                       uint8_t protocol);
void sys_fake_addr_remove(struct sys *sys, const char *name, const struct prefix *prefix);
/* The changes that an operator's `wg set` would make. */
void sys_fake_wg_set(struct sys *sys, const char *name, const struct sys_wg_device_change *device,
                     const struct sys_wg_peer_change *peers, size_t count);
/* The peer is heard from there; its session is fresh. */
void sys_fake_wg_roam(struct sys *sys, const char *name, const struct wgkey *peer,
                      const struct ip *endpoint, uint16_t port);
void sys_fake_port_taken(struct sys *sys, uint16_t port);

/*
 * At first there are "lo" and "uplink0", which has 198.51.100.2/24, MTU 1500 and the default route
 * of IPv4. These change or, with MTU 0, remove the default routes, and (off at first) give it
 * 2001:db8:ffff::2/64 and a default route of IPv6 that came by router advertisement.
 */
void sys_fake_uplink_mtu(struct sys *sys, uint32_t mtu);
void sys_fake_uplink6(struct sys *sys, bool on);

/* No route with that destination, metric and table exists; and one exists. */
void sys_fake_route_add(struct sys *sys, const struct sys_route *route);
void sys_fake_route_remove(struct sys *sys, const struct sys_route *route);
/* Of any kind, a twin of another too; and the first one just like it, which exists. */
void sys_fake_rule_add(struct sys *sys, const struct sys_rule *rule);
void sys_fake_rule_remove(struct sys *sys, const struct sys_rule *rule);
/* Of the settings that a network has, those below net/ipv4 and net/ipv6 that reconcilers use; any
 * other is absent. */
void sys_fake_sysctl_set(struct sys *sys, const char *name, long value);
/* A kernel that does not have the setting, for any interface: "force_forwarding". */
void sys_fake_sysctl_lacks(struct sys *sys, const char *setting);

/*
 * Commits of somebody else, "nft[1234]": one event each, and they must be possible. Chains, rules,
 * sets and elements are copied. Numbers count from 0, in the order in which they are read.
 */
void sys_fake_nft_commit(struct sys *sys, const struct nft_change *changes, size_t count);
void sys_fake_nft_flush(struct sys *sys); /* the whole ruleset, ours too */
/* With its rules, in the table that it names, which is made if it is not there. */
void sys_fake_nft_chain(struct sys *sys, const struct nft_chain *chain);
void sys_fake_nft_chain_flush(struct sys *sys, enum nft_family family, const char *table,
                              const char *chain);
void sys_fake_nft_rule_delete(struct sys *sys, enum nft_family family, const char *table,
                              const char *chain, size_t number);
/* Of a set of a table of family inet. */
void sys_fake_nft_element_delete(struct sys *sys, const char *table, const char *set,
                                 size_t number);

/* How often sys_conntrack_forget() was asked to forget this source. */
size_t sys_fake_conntrack_forgotten(struct sys *sys, const struct ip *source);
