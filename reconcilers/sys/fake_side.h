/*
 * Inside the fake side: shared by fake.c (links, addresses, the hands of others) and fake_wg.c
 * only.
 */
#pragma once

#include "reconcilers/sys/sys.h"

struct fake_device;

struct fake_link {
    struct sys_link link;
    struct sys_addrs addrs;
    struct fake_device *device; /* NULL: no WireGuard */
};

struct fake {
    struct fake_link **links; /* in order of creation */
    size_t count, capacity;
    int last_index;
    uint32_t uplink_mtu; /* 0: there is no default route */

    uint16_t *ports; /* UDP ports of other programs */
    size_t port_count, port_capacity;
    uint16_t last_port; /* of those that the system chose */

    char (*events)[IFNAMSIZ]; /* names of changed interfaces, not yet read */
    size_t event_count, event_capacity;
    int event_fd; /* -1 before somebody asks */
};

/* fake_link.c */
struct fake_link *fake_find(const struct fake *fake, const char *name);
struct fake_link *fake_add(struct fake *fake, const char *name, const char *kind, uint32_t group);
void fake_drop(struct fake *fake, struct fake_link *link);
void fake_free(struct fake_link *link);
struct sys_addr *fake_find_addr(struct fake_link *link, const struct prefix *prefix);
void fake_put_addr(struct fake_link *link, const struct sys_addr *addr);
void fake_drop_addr(struct fake_link *link, struct sys_addr *addr);
int fake_link_get(void *side, const char *name, struct sys_link *ret, struct error **reterr);
int fake_link_set(void *side, int index, const struct sys_link_change *change,
                  struct error **reterr);
int fake_link_delete(void *side, int index, struct error **reterr);
int fake_addr_list(void *side, int ifindex, struct sys_addrs *ret, struct error **reterr);
int fake_addr_add(void *side, int ifindex, const struct prefix *prefix, bool prefix_route,
                  struct error **reterr);
int fake_addr_delete(void *side, int ifindex, const struct prefix *prefix, struct error **reterr);

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
