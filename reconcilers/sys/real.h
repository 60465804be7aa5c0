/*
 * The real side, shared by its files only: one file an object, each with the functions of its part
 * of struct sys_ops (see sys.h for what they do).
 */
#pragma once

#include "reconcilers/sys/events.h"
#include "reconcilers/sys/netlink.h"
#include "reconcilers/sys/nfnl.h"
#include "reconcilers/sys/nft.h"
#include "reconcilers/sys/sys.h"
#include "reconcilers/sys/wg_conn.h"

struct real {
    struct netlink *netlink;
    struct nfnl *nfnl;
    struct events *events; /* NULL before somebody asks for the descriptor */
    struct wg_conns conns;
};

/* real_link.c */
/* One link by index, or by name where that is not NULL: a question of its own, never a dump. Raw:
 * 0, SYS_ABSENT or a negative errno value. */
int real_link_read(struct real *real, int index, const char *name, struct sys_link *ret);
int real_link_list(void *side, struct sys_links *ret, struct error **reterr);
int real_link_get(void *side, const char *name, struct sys_link *ret, struct error **reterr);
int real_link_set(void *side, int index, const struct sys_link_change *change,
                  struct error **reterr);
int real_link_delete(void *side, int index, struct error **reterr);

/* real_addr.c */
int real_addr_list(void *side, int ifindex, struct sys_addrs *ret, struct error **reterr);
int real_addr_add(void *side, int ifindex, const struct prefix *prefix, bool prefix_route,
                  struct error **reterr);
int real_addr_delete(void *side, int ifindex, const struct prefix *prefix, struct error **reterr);

/* real_route.c */
int real_route_list(void *side, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                    struct error **reterr);
int real_route_set(void *side, const struct sys_route *route, struct error **reterr);
int real_route_delete(void *side, const struct sys_route *route, struct error **reterr);

/* real_rule.c */
int real_rule_list(void *side, struct sys_rules *ret, struct error **reterr);
int real_rule_add(void *side, const struct sys_rule *rule, struct error **reterr);
int real_rule_delete(void *side, const struct sys_rule *rule, struct error **reterr);

/* real_sysctl.c */
int real_sysctl_get(void *side, const char *name, long *ret, struct error **reterr);
int real_sysctl_set(void *side, const char *name, long value, struct error **reterr);

/* real_nft.c, real_nft_commit.c */
/* The port number that marks events of our own commits; 0 before the first. */
uint32_t real_nft_port(const struct real *real);
int real_nft_generation(void *side, uint32_t *ret, struct error **reterr);
int real_nft_read(void *side, const char *table, struct nft_ruleset *ret, struct error **reterr);
int real_nft_commit(void *side, const struct nft_change *changes, size_t count,
                    struct error **reterr);

/* real_conntrack.c */
int real_conntrack_forget(void *side, const struct ip *source, struct error **reterr);

/* real_path.c */
int real_path_mtu(void *side, const struct ip *destination, struct sys_path *ret,
                  struct error **reterr);

/* real_create.c */
int real_wg_create(void *side, const char *name, struct error **reterr);

/* real_wg.c */
void real_wg_ignore_peer(const struct sys_wg_peer *peer, void *context);
int real_wg_get(void *side, const char *name, struct sys_wg_device *ret,
                void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
                struct error **reterr);
int real_wg_set(void *side, const char *name, const struct sys_wg_device_change *device,
                const struct sys_wg_peer_change *peers, size_t count, struct error **reterr);
