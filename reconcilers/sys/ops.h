/*
 * What a side of the boundary implements: the same functions as sys.h, without gate. Only sys.c,
 * the real side and the fake side include this.
 */
#pragma once

#include "reconcilers/sys/nft.h"
#include "reconcilers/sys/sys.h"

struct sys_ops {
    void (*close)(void *side);
    int (*link_get)(void *side, const char *name, struct sys_link *ret, struct error **reterr);
    int (*link_list)(void *side, struct sys_links *ret, struct error **reterr);
    int (*link_set)(void *side, int index, const struct sys_link_change *change,
                    struct error **reterr);
    int (*link_delete)(void *side, int index, struct error **reterr);
    int (*addr_list)(void *side, int ifindex, struct sys_addrs *ret, struct error **reterr);
    int (*addr_add)(void *side, int ifindex, const struct prefix *prefix, bool prefix_route,
                    struct error **reterr);
    int (*addr_delete)(void *side, int ifindex, const struct prefix *prefix, struct error **reterr);
    int (*route_list)(void *side, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                      struct error **reterr);
    int (*route_set)(void *side, const struct sys_route *route, struct error **reterr);
    int (*route_delete)(void *side, const struct sys_route *route, struct error **reterr);
    int (*rule_list)(void *side, struct sys_rules *ret, struct error **reterr);
    int (*rule_add)(void *side, const struct sys_rule *rule, struct error **reterr);
    int (*rule_delete)(void *side, const struct sys_rule *rule, struct error **reterr);
    int (*sysctl_get)(void *side, const char *name, long *ret, struct error **reterr);
    int (*sysctl_set)(void *side, const char *name, long value, struct error **reterr);
    int (*path_mtu)(void *side, const struct ip *destination, struct sys_path *ret,
                    struct error **reterr);
    int (*wg_create)(void *side, const char *name, struct error **reterr);
    int (*wg_get)(void *side, const char *name, struct sys_wg_device *ret,
                  void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
                  struct error **reterr);
    int (*wg_set)(void *side, const char *name, const struct sys_wg_device_change *device,
                  const struct sys_wg_peer_change *peers, size_t count, struct error **reterr);
    int (*nft_generation)(void *side, uint32_t *ret, struct error **reterr);
    int (*nft_read)(void *side, const char *table, struct nft_ruleset *ret, struct error **reterr);
    int (*nft_commit)(void *side, const struct nft_change *changes, size_t count,
                      struct error **reterr);
    int (*conntrack_forget)(void *side, const struct ip *source, struct error **reterr);
    int (*events_fd)(void *side);
    void (*events_read)(void *side, void (*happened)(const struct sys_event *event, void *context),
                        void *context);
};

/* Puts the gate in front of a side; owns `side` and frees it by ops->close. */
struct sys *sys_new(const struct sys_ops *ops, void *side);
void *sys_side(struct sys *sys);
