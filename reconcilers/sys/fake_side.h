/*
 * Inside the fake side: shared by its files only, one file an object, each with what we may do to
 * it and what others do.
 */
#pragma once

#include "reconcilers/sys/nft.h"
#include "reconcilers/sys/sys.h"

struct fake_device;

/* The interface of the default routes. */
#define fake_uplink_name "uplink0"

enum { FAKE_METRIC6 = 1024 }; /* of an IPv6 route for which nobody chose one */

/* The sysctls that the fake side knows. */
enum fake_setting {
    FAKE_FORWARDING,
    FAKE_RP_FILTER,
    FAKE_SRC_VALID_MARK,
    FAKE_FORWARDING6,
    FAKE_DISABLE_IPV6,
    FAKE_ACCEPT_RA,
    FAKE_FORCE_FORWARDING,
    FAKE_SETTING_COUNT
};

/* Their values for one interface, for all, or for those to come. */
struct fake_conf {
    long values[FAKE_SETTING_COUNT];
    bool chosen[FAKE_SETTING_COUNT]; /* somebody set it */
};

struct fake_link {
    struct sys_link link;
    struct sys_addrs addrs;
    struct fake_conf conf;
    struct fake_device *device; /* NULL: no WireGuard */
};

/* A table of nftables: its chains and sets; the rest of the ruleset is not used. */
struct fake_table {
    uint8_t family;
    char name[NFT_NAME_SIZE];
    uint64_t last_handle;
    struct nft_ruleset has;
};
struct fake_tables {
    struct fake_table *list; /* in order of creation */
    size_t count;
};

struct fake {
    struct fake_link **links; /* in order of creation */
    size_t count, capacity;
    int last_index;

    struct sys_routes routes; /* in the order of route_compare() */
    struct sys_rules rules;   /* IPv4 first, by priority, then in order of creation */
    struct fake_conf conf_all, conf_default;
    bool setting_missing[FAKE_SETTING_COUNT]; /* an older kernel */

    uint16_t *ports; /* UDP ports of other programs */
    size_t port_count, port_capacity;
    uint16_t last_port; /* of those that the system chose */

    struct fake_tables tables;
    uint32_t generation;
    struct ip *forgotten; /* sources whose connections were forgotten, in order */
    size_t forgotten_count, forgotten_capacity;

    struct sys_event *events; /* not yet read */
    size_t event_count, event_capacity;
    int event_fd; /* -1 before somebody asks */
};

/* fake.c */
void fake_happen(struct fake *fake, const struct sys_event *event);

/* fake_link.c */
struct fake_link *fake_find(const struct fake *fake, const char *name);
struct fake_link *fake_add(struct fake *fake, const char *name, const char *kind, uint32_t group);
void fake_drop(struct fake *fake, struct fake_link *link);
void fake_free(struct fake_link *link);
struct sys_addr *fake_find_addr(struct fake_link *link, const struct prefix *prefix);
/* With the route of its prefix, and without. */
void fake_put_addr(struct fake *fake, struct fake_link *link, const struct sys_addr *addr);
void fake_drop_addr(struct fake *fake, struct fake_link *link, struct sys_addr *addr);
int fake_link_list(void *side, struct sys_links *ret, struct error **reterr);
int fake_link_get(void *side, const char *name, struct sys_link *ret, struct error **reterr);
int fake_link_set(void *side, int index, const struct sys_link_change *change,
                  struct error **reterr);
int fake_link_delete(void *side, int index, struct error **reterr);
int fake_addr_list(void *side, int ifindex, struct sys_addrs *ret, struct error **reterr);
int fake_addr_add(void *side, int ifindex, const struct prefix *prefix, bool prefix_route,
                  struct error **reterr);
int fake_addr_delete(void *side, int ifindex, const struct prefix *prefix, struct error **reterr);

/* fake_route.c */
void fake_put_route(struct fake *fake, const struct sys_route *route);
bool fake_drop_route(struct fake *fake, const struct sys_route *route);
/* All by the interface, of one family or (0) of both: the kernel drops them without a word. */
void fake_lose_routes(struct fake *fake, const char *interface, uint8_t family);
/* The kernel's own route of an address's prefix comes and goes. */
void fake_connect(struct fake *fake, const struct fake_link *link, const struct sys_addr *addr);
void fake_disconnect(struct fake *fake, const struct fake_link *link, const struct sys_addr *addr);
int fake_route_list(void *side, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                    struct error **reterr);
int fake_route_set(void *side, const struct sys_route *route, struct error **reterr);
int fake_route_delete(void *side, const struct sys_route *route, struct error **reterr);
int fake_path_mtu(void *side, const struct ip *destination, struct sys_path *ret,
                  struct error **reterr);

/* fake_rule.c */
void fake_rules_init(struct fake *fake); /* the kernel's own */
int fake_rule_list(void *side, struct sys_rules *ret, struct error **reterr);
int fake_rule_add(void *side, const struct sys_rule *rule, struct error **reterr);
int fake_rule_delete(void *side, const struct sys_rule *rule, struct error **reterr);

/* fake_sysctl.c */
void fake_conf_init(struct fake *fake);
int fake_sysctl_get(void *side, const char *name, long *ret, struct error **reterr);
int fake_sysctl_set(void *side, const char *name, long value, struct error **reterr);

/* fake_nft_change.c */
/* Carries out one change, or returns the kernel's -errno; then the tables are good for nothing but
 * fake_tables_clear(). */
int fake_nft_change(struct fake_tables *tables, const struct nft_change *change);
struct fake_table *fake_find_table(const struct fake_tables *tables, uint8_t family,
                                   const char *name);
void fake_chain_copy(struct nft_chain *to, const struct nft_chain *from);
void fake_set_copy(struct nft_set *to, const struct nft_set *from);
void fake_tables_clear(struct fake_tables *tables);

/* fake_nft.c: nftables and conntrack */
int fake_nft_generation(void *side, uint32_t *ret, struct error **reterr);
int fake_nft_read(void *side, const char *table, struct nft_ruleset *ret, struct error **reterr);
int fake_nft_commit(void *side, const struct nft_change *changes, size_t count,
                    struct error **reterr);
int fake_conntrack_forget(void *side, const struct ip *source, struct error **reterr);

/* fake_wg.c */
struct fake_device *fake_device_new(void);
void fake_device_free(struct fake_device *device); /* takes NULL */
/* The interface came up: the device opens its port, or a port of the system's choice. One that is
 * taken leaves it without. */
void fake_device_up(struct fake *fake, struct fake_link *link);
int fake_wg_create(void *side, const char *name, struct error **reterr);
int fake_wg_get(void *side, const char *name, struct sys_wg_device *ret,
                void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
                struct error **reterr);
int fake_wg_set(void *side, const char *name, const struct sys_wg_device_change *device,
                const struct sys_wg_peer_change *peers, size_t count, struct error **reterr);
/* The peer's entry, or NULL. */
struct sys_wg_peer *fake_wg_peer(struct fake_link *link, const struct wgkey *key);
