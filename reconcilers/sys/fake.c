#include "reconcilers/sys/fake.h"

#include <assert.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "reconcilers/sys/fake_side.h"
#include "reconcilers/sys/ops.h"
#include "schema/base/mem.h"

enum { UPLINK_MTU = 1500 };
static const char uplink_name[] = "uplink0";

/* ---- routes ---------------------------------------------------------------------------------- */

/* There is one uplink with a default route, if any. */
static int fake_route_list(void *side, struct sys_routes *ret, struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    if (!fake->uplink_mtu)
        return 0;
    struct sys_route route = {
        .destination = {.ip = {.family = AF_INET}},
        .table = RT_TABLE_MAIN,
        .protocol = RTPROT_BOOT,
    };
    memcpy(route.interface, uplink_name, sizeof(uplink_name));
    ret->list = mem_grow(ret->list, ret->count, &ret->capacity, sizeof(*ret->list));
    ret->list[ret->count++] = route;
    return 0;
}

static int fake_path_mtu(void *side, const struct ip *destination, struct sys_path *ret,
                         struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    if (!fake->uplink_mtu)
        return SYS_ABSENT;
    *ret = (struct sys_path){.mtu = fake->uplink_mtu};
    memcpy(ret->interface, uplink_name, sizeof(uplink_name));
    ip_parse(destination->family == AF_INET ? "198.51.100.2" : "2001:db8::2", &ret->source);
    return 0;
}

/* ---- events ---------------------------------------------------------------------------------- */

static int fake_events_fd(void *side)
{
    struct fake *fake = side;
    if (fake->event_fd < 0)
        fake->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fake->event_fd;
}

static void happen(struct fake *fake, const char *name)
{
    if (fake->event_fd < 0)
        return;
    fake->events =
        mem_grow(fake->events, fake->event_count, &fake->event_capacity, sizeof(*fake->events));
    snprintf(fake->events[fake->event_count++], IFNAMSIZ, "%s", name);
    eventfd_write(fake->event_fd, 1);
}

static void fake_events_read(void *side, void (*changed)(const char *interface, void *context),
                             void *context)
{
    struct fake *fake = side;
    eventfd_t count;
    if (fake->event_fd >= 0)
        eventfd_read(fake->event_fd, &count);
    for (size_t i = 0; i < fake->event_count; i++)
        changed(fake->events[i], context);
    fake->event_count = 0;
}

/* ---- the side -------------------------------------------------------------------------------- */

static void fake_close(void *side)
{
    struct fake *fake = side;
    for (size_t i = 0; i < fake->count; i++)
        fake_free(fake->links[i]);
    if (fake->event_fd >= 0)
        close(fake->event_fd);
    free(fake->links);
    free(fake->ports);
    free(fake->events);
    free(fake);
}

static const struct sys_ops fake_ops = {
    .close = fake_close,
    .link_get = fake_link_get,
    .link_set = fake_link_set,
    .link_delete = fake_link_delete,
    .addr_list = fake_addr_list,
    .addr_add = fake_addr_add,
    .addr_delete = fake_addr_delete,
    .route_list = fake_route_list,
    .path_mtu = fake_path_mtu,
    .wg_create = fake_wg_create,
    .wg_get = fake_wg_get,
    .wg_set = fake_wg_set,
    .events_fd = fake_events_fd,
    .events_read = fake_events_read,
};

struct sys *sys_fake_new(void)
{
    struct fake *fake = mem_alloc(sizeof(*fake));
    *fake = (struct fake){.uplink_mtu = UPLINK_MTU, .event_fd = -1};
    fake_add(fake, uplink_name, "", 0)->link.up = true;
    return sys_new(&fake_ops, fake);
}

/* ---- somebody else's hands ------------------------------------------------------------------- */

void sys_fake_link_add(struct sys *sys, const char *name, const char *kind, uint32_t group,
                       const char *alias)
{
    struct fake *fake = sys_side(sys);
    assert(!fake_find(fake, name));
    struct fake_link *link = fake_add(fake, name, kind, group);
    snprintf(link->link.alias, sizeof(link->link.alias), "%s", alias ? alias : "");
    happen(fake, name);
}

void sys_fake_link_remove(struct sys *sys, const char *name)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    assert(link);
    fake_drop(fake, link);
    happen(fake, name);
}

void sys_fake_addr_add(struct sys *sys, const char *name, const struct prefix *prefix,
                       uint8_t protocol)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    assert(link && !fake_find_addr(link, prefix));
    fake_put_addr(link,
                  &(struct sys_addr){.prefix = *prefix, .protocol = protocol, .permanent = true});
    happen(fake, name);
}

void sys_fake_addr_remove(struct sys *sys, const char *name, const struct prefix *prefix)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    struct sys_addr *addr = link ? fake_find_addr(link, prefix) : NULL;
    assert(addr);
    fake_drop_addr(link, addr);
    happen(fake, name);
}

void sys_fake_wg_set(struct sys *sys, const char *name, const struct sys_wg_device_change *device,
                     const struct sys_wg_peer_change *peers, size_t count)
{
    ERROR_AUTO error = NULL;
    int r = fake_wg_set(sys_side(sys), name, device, peers, count, &error);
    assert(r == 0);
    (void)r;
}

void sys_fake_wg_roam(struct sys *sys, const char *name, const struct wgkey *peer,
                      const struct ip *endpoint, uint16_t port)
{
    struct fake_link *link = fake_find(sys_side(sys), name);
    struct sys_wg_peer *found = link ? fake_wg_peer(link, peer) : NULL;
    assert(found);
    found->endpoint = *endpoint;
    found->endpoint_port = port;
}

void sys_fake_port_taken(struct sys *sys, uint16_t port)
{
    struct fake *fake = sys_side(sys);
    fake->ports =
        mem_grow(fake->ports, fake->port_count, &fake->port_capacity, sizeof(*fake->ports));
    fake->ports[fake->port_count++] = port;
}

void sys_fake_uplink_mtu(struct sys *sys, uint32_t mtu)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *uplink = fake_find(fake, uplink_name);
    fake->uplink_mtu = mtu;
    if (mtu && uplink)
        uplink->link.mtu = mtu;
}
