/*
 * The fake side: a system in memory that behaves like the real one where our code can tell, for
 * tests.
 */
#pragma once

#include "reconcilers/sys/sys.h"

struct sys *sys_fake_new(void);

/* Somebody else's hands: changes behind the gate's back, not counted. */
void sys_fake_link_add(struct sys *sys, const char *name, const char *kind, uint32_t group,
                       const char *alias);
void sys_fake_link_remove(struct sys *sys, const char *name); /* with its addresses and device */
void sys_fake_addr_add(struct sys *sys, const char *name, const struct prefix *prefix,
                       uint8_t protocol);
void sys_fake_addr_remove(struct sys *sys, const char *name, const struct prefix *prefix);
/* The changes that an operator's `wg set` would make. */
void sys_fake_wg_set(struct sys *sys, const char *name, const struct sys_wg_device_change *device,
                     const struct sys_wg_peer_change *peers, size_t count);
void sys_fake_wg_roam(struct sys *sys, const char *name, const struct wgkey *peer,
                      const struct ip *endpoint, uint16_t port);
void sys_fake_port_taken(struct sys *sys, uint16_t port);
/* The only route is a default route by "uplink0" (MTU 1500 at first); 0: there is none. */
void sys_fake_uplink_mtu(struct sys *sys, uint32_t mtu);
