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
#include "schema/base/clock.h"
#include "schema/base/mem.h"

#define UPLINK_ADDRESS6 "2001:db8:ffff::2/64"

enum { UPLINK_MTU = 1500, LOOPBACK_MTU = 65536 };

/* ---- events ---------------------------------------------------------------------------------- */

static int fake_events_fd(void *side)
{
    struct fake *fake = side;
    if (fake->event_fd < 0)
        fake->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fake->event_fd;
}

void fake_happen(struct fake *fake, const struct sys_event *event)
{
    if (fake->event_fd < 0)
        return;
    fake->events =
        mem_grow(fake->events, fake->event_count, &fake->event_capacity, sizeof(*fake->events));
    fake->events[fake->event_count++] = *event;
    eventfd_write(fake->event_fd, 1);
}

static void fake_events_read(void *side,
                             void (*happened)(const struct sys_event *event, void *context),
                             void *context)
{
    struct fake *fake = side;
    eventfd_t count;
    if (fake->event_fd >= 0)
        eventfd_read(fake->event_fd, &count);
    for (size_t i = 0; i < fake->event_count; i++)
        happened(&fake->events[i], context);
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
    sys_routes_clear(&fake->routes);
    sys_rules_clear(&fake->rules);
    fake_tables_clear(&fake->tables);
    free(fake->forgotten);
    free(fake->ports);
    free(fake->events);
    free(fake);
}

static const struct sys_ops fake_ops = {
    .close = fake_close,
    .link_get = fake_link_get,
    .link_list = fake_link_list,
    .link_set = fake_link_set,
    .link_delete = fake_link_delete,
    .addr_list = fake_addr_list,
    .addr_add = fake_addr_add,
    .addr_delete = fake_addr_delete,
    .route_list = fake_route_list,
    .route_set = fake_route_set,
    .route_delete = fake_route_delete,
    .rule_list = fake_rule_list,
    .rule_add = fake_rule_add,
    .rule_delete = fake_rule_delete,
    .sysctl_get = fake_sysctl_get,
    .sysctl_set = fake_sysctl_set,
    .nft_generation = fake_nft_generation,
    .nft_read = fake_nft_read,
    .nft_commit = fake_nft_commit,
    .conntrack_forget = fake_conntrack_forget,
    .path_mtu = fake_path_mtu,
    .wg_create = fake_wg_create,
    .wg_get = fake_wg_get,
    .wg_set = fake_wg_set,
    .events_fd = fake_events_fd,
    .events_read = fake_events_read,
};

/* A loopback interface, and one to the internet. */
static void add_first_links(struct fake *fake)
{
    struct sys_addr loopback = {.permanent = true, .no_prefix_route = true};
    struct sys_addr own = {.permanent = true};
    struct fake_link *lo = fake_add(fake, "lo", "", 0);
    struct fake_link *uplink = fake_add(fake, fake_uplink_name, "", 0);
    lo->link.mtu = LOOPBACK_MTU;
    lo->link.up = uplink->link.up = true;
    prefix_parse("127.0.0.1/8", &loopback.prefix);
    prefix_parse("198.51.100.2/24", &own.prefix);
    fake_put_addr(fake, lo, &loopback);
    fake_put_addr(fake, uplink, &own);
}

struct sys *sys_fake_new(void)
{
    struct fake *fake = mem_alloc(sizeof(*fake));
    fake->event_fd = -1;
    fake_conf_init(fake);
    fake_rules_init(fake);
    add_first_links(fake);
    struct sys *sys = sys_new(&fake_ops, fake);
    sys_fake_uplink_mtu(sys, UPLINK_MTU);
    return sys;
}

/* ---- somebody else's hands ------------------------------------------------------------------- */

static void happen(struct fake *fake, enum sys_event_type type, const char *interface)
{
    struct sys_event event = {.type = type};
    snprintf(event.interface, sizeof(event.interface), "%s", interface);
    fake_happen(fake, &event);
}

void sys_fake_link_add(struct sys *sys, const char *name, const char *kind, uint32_t group,
                       const char *alias)
{
    struct fake *fake = sys_side(sys);
    assert(!fake_find(fake, name));
    struct fake_link *link = fake_add(fake, name, kind, group);
    snprintf(link->link.alias, sizeof(link->link.alias), "%s", alias ? alias : "");
    happen(fake, SYS_EVENT_LINK, name);
}

void sys_fake_link_remove(struct sys *sys, const char *name)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    assert(link);
    fake_drop(fake, link);
    happen(fake, SYS_EVENT_LINK, name);
}

void sys_fake_link_up(struct sys *sys, const char *name, bool up)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    assert(link);
    ERROR_AUTO error = NULL;
    fake_link_set(fake, link->link.index, &(struct sys_link_change){.set_up = true, .up = up},
                  &error);
    happen(fake, SYS_EVENT_LINK, name);
}

void sys_fake_addr_add(struct sys *sys, const char *name, const struct prefix *prefix,
                       uint8_t protocol)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    assert(link && !fake_find_addr(link, prefix));
    fake_put_addr(fake, link,
                  &(struct sys_addr){.prefix = *prefix, .protocol = protocol, .permanent = true});
    happen(fake, SYS_EVENT_ADDRESS, name);
}

void sys_fake_addr_remove(struct sys *sys, const char *name, const struct prefix *prefix)
{
    struct fake *fake = sys_side(sys);
    struct fake_link *link = fake_find(fake, name);
    struct sys_addr *addr = link ? fake_find_addr(link, prefix) : NULL;
    assert(addr);
    fake_drop_addr(fake, link, addr);
    happen(fake, SYS_EVENT_ADDRESS, name);
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
    found->last_handshake = clock_system.realtime(clock_system.context) / SECONDS(1);
}

void sys_fake_port_taken(struct sys *sys, uint16_t port)
{
    struct fake *fake = sys_side(sys);
    fake->ports =
        mem_grow(fake->ports, fake->port_count, &fake->port_capacity, sizeof(*fake->ports));
    fake->ports[fake->port_count++] = port;
}

/* ---- the way out ----------------------------------------------------------------------------- */

static struct sys_route way_out(uint8_t family)
{
    struct sys_route route = {
        .destination = {.ip = {.family = family}},
        .table = SYS_TABLE_MAIN,
        .metric = family == AF_INET6 ? FAKE_METRIC6 : 0,
        .protocol = family == AF_INET6 ? RTPROT_RA : RTPROT_BOOT,
        .gateway = true,
        .interface = fake_uplink_name,
    };
    return route;
}

static void set_way_out(struct sys *sys, uint8_t family, bool on)
{
    struct sys_route route = way_out(family);
    bool is_on = fake_drop_route(sys_side(sys), &route);
    if (on)
        fake_put_route(sys_side(sys), &route);
    if (on != is_on)
        fake_happen(sys_side(sys), &(struct sys_event){.type = SYS_EVENT_ROUTE,
                                                       .table = route.table,
                                                       .protocol = route.protocol});
}

void sys_fake_uplink_mtu(struct sys *sys, uint32_t mtu)
{
    struct fake_link *uplink = fake_find(sys_side(sys), fake_uplink_name);
    struct prefix ip6;
    prefix_parse(UPLINK_ADDRESS6, &ip6);
    if (mtu && uplink)
        uplink->link.mtu = mtu;
    set_way_out(sys, AF_INET, mtu && uplink);
    set_way_out(sys, AF_INET6, mtu && uplink && fake_find_addr(uplink, &ip6));
}

void sys_fake_uplink6(struct sys *sys, bool on)
{
    struct fake_link *uplink = fake_find(sys_side(sys), fake_uplink_name);
    assert(uplink);
    struct prefix ip6;
    prefix_parse(UPLINK_ADDRESS6, &ip6);
    struct sys_addr *addr = fake_find_addr(uplink, &ip6);
    if (on && !addr)
        sys_fake_addr_add(sys, fake_uplink_name, &ip6, 0);
    if (!on && addr)
        sys_fake_addr_remove(sys, fake_uplink_name, &ip6);
    set_way_out(sys, AF_INET6, on);
}
