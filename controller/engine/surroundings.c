#include "controller/engine/surroundings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/model/prefix_list.h"
#include "schema/base/map.h"
#include "schema/base/mem.h"
#include "schema/types.h"

enum { DEFAULT_PIECE_MAX = 3 }; /* 2000::/3 is all of the IPv6 internet */

/* Who makes the route of a network that an interface is connected to: the kernel with an address,
 * router advertisements, a DHCP client that manages routes itself. Numbers of RTPROT_*. */
static const uint8_t connecting[] = {2 /* kernel */, 9 /* ra */, 16 /* dhcp */};

struct reading {
    const struct cell_spec *cell;
    const struct sys_links *links;
    const struct sys_routes *routes;
    struct map by_name;  /* → struct sys_link */
    struct map roles;    /* by name → struct host_interface, to be freed */
    struct prefix *near; /* collected, in no order */
    struct prefix *lan;
    size_t near_count, near_capacity, lan_count, lan_capacity;
};

static bool starts_with(const char *text, const char *start)
{
    return strncmp(text, start, strlen(start)) == 0;
}

/* ---- whose interface it is ---- */

static bool is_our_name(const struct cell_spec *cell, const char *interface)
{
    return strcmp(interface, cell->interface) == 0 || starts_with(interface, "pl-");
}

static bool is_ours(const struct reading *r, const char *interface)
{
    const struct sys_link *link = map_get_text(&r->by_name, interface);
    return is_our_name(r->cell, interface) || (link && link->group == SYS_OWNER);
}

/* Docker names a network's bridge after the first 12 digits of its id; "br-lan" is somebody's LAN.
 */
static bool is_docker_network(const char *name)
{
    enum { ID_DIGITS = 12 };
    return starts_with(name, "br-") && strlen(name) == 3 + ID_DIGITS &&
           strspn(name + 3, "0123456789abcdef") == ID_DIGITS;
}

/* By name and kind: Docker, Podman and CNI have no other sign on their links. */
static bool is_engines(const struct reading *r, const char *interface)
{
    static const struct {
        const char *kind, *start;
    } engines[] = {{"bridge", "docker"}, {"bridge", "podman"}, {"bridge", "cni"}, {"veth", "veth"}};
    const struct sys_link *link = map_get_text(&r->by_name, interface);
    if (!link)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
        if (strcmp(link->kind, engines[i].kind) == 0 && starts_with(interface, engines[i].start))
            return true;
    return strcmp(link->kind, "bridge") == 0 && is_docker_network(interface);
}

/* ---- what a route is ---- */

static bool is_foreign(const struct reading *r, const struct sys_route *route)
{
    return route->type == SYS_ROUTE_UNICAST && route->table == SYS_TABLE_MAIN &&
           route->interface[0] && !is_ours(r, route->interface);
}

static bool is_default(const struct sys_route *route)
{
    return route->destination.len <= DEFAULT_PIECE_MAX;
}

/* The network that an interface is in; a host alone is the far end of a line, no network. */
static bool is_connected(const struct sys_route *route)
{
    return !route->gateway && route->destination.len < ip_bits(&route->destination.ip) &&
           memchr(connecting, route->protocol, sizeof(connecting));
}

static bool is_best(const struct reading *r, const struct sys_route *route)
{
    for (size_t i = 0; i < r->routes->count; i++) {
        const struct sys_route *other = &r->routes->list[i];
        if (is_foreign(r, other) && other->metric < route->metric &&
            prefix_compare(&other->destination, &route->destination) == 0)
            return false;
    }
    return true;
}

static bool overlaps_ours(const struct cell_spec *cell, const struct prefix *prefix)
{
    return prefix_overlaps(&cell->vpn, prefix) || prefix_overlaps(&cell->containers, prefix) ||
           (cell->vpn6.ip.family && prefix_overlaps(&cell->vpn6, prefix));
}

/* ---- collecting ---- */

static struct host_interface *role_of(struct reading *r, const char *name)
{
    struct host_interface *role = map_get_text(&r->roles, name);
    if (role)
        return role;
    role = mem_alloc(sizeof(*role));
    memcpy(role->name, name, strnlen(name, IFNAMSIZ - 1));
    map_put_text(&r->roles, role->name, role);
    return role;
}

static void take_default(struct reading *r, const struct sys_route *route)
{
    if (strcmp(r->cell->uplink, "auto") != 0 || !is_best(r, route))
        return;
    struct host_interface *role = role_of(r, route->interface);
    if (route->destination.ip.family == AF_INET)
        role->uplink4 = true;
    else
        role->uplink6 = true;
}

static bool overlaps_written_lan(const struct cell_spec *cell, const struct prefix *prefix)
{
    for (uint32_t i = 0; i < cell->lan.count; i++)
        if (prefix_overlaps(&list_prefixes(&cell->lan)[i], prefix))
            return true;
    return false;
}

static void take_connected(struct reading *r, const struct sys_route *route)
{
    const struct prefix *prefix = &route->destination;
    if (!r->cell->lan.any) {
        if (overlaps_written_lan(r->cell, prefix))
            role_of(r, route->interface)->lan = true;
        return;
    }
    if (!prefix_is_private(prefix) || is_engines(r, route->interface) ||
        overlaps_ours(r->cell, prefix))
        return;
    role_of(r, route->interface)->lan = true;
    r->lan = mem_grow(r->lan, r->lan_count, &r->lan_capacity, sizeof(*r->lan));
    r->lan[r->lan_count++] = *prefix;
}

static void take_route(struct reading *r, const struct sys_route *route)
{
    if (!is_foreign(r, route))
        return;
    if (is_default(route)) {
        take_default(r, route);
        return;
    }
    r->near = mem_grow(r->near, r->near_count, &r->near_capacity, sizeof(*r->near));
    r->near[r->near_count++] = route->destination;
    if (is_connected(route))
        take_connected(r, route);
}

static void take_written(struct reading *r)
{
    if (strcmp(r->cell->uplink, "auto") != 0) {
        struct host_interface *role = role_of(r, r->cell->uplink);
        role->uplink4 = role->uplink6 = true;
    }
    if (!r->cell->lan.any) {
        r->lan = prefix_list_copy(list_prefixes(&r->cell->lan), r->cell->lan.count);
        r->lan_count = r->cell->lan.count;
    }
}

/* ---- the result ---- */

static int uplinks_first(const void *a, const void *b)
{
    const struct host_interface *x = a, *y = b;
    int order = (y->uplink4 || y->uplink6) - (x->uplink4 || x->uplink6);
    return order ? order : strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    const struct host_interface *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static void set_interfaces(const struct reading *r, struct host *host)
{
    struct host_interface **roles = (struct host_interface **)map_sorted(&r->roles, uplinks_first);
    for (size_t i = 0; i < r->roles.count; i++) {
        if (host->interface_count < HOST_INTERFACES_MAX)
            host->interfaces[host->interface_count++] = *roles[i];
        mem_freep(&roles[i]);
    }
    qsort(host->interfaces, host->interface_count, sizeof(*host->interfaces), by_name);
    mem_freep(&roles);
}

void surroundings_derive(const struct cell_spec *cell, const struct sys_links *links,
                         const struct sys_routes *routes, struct host *ret)
{
    struct reading r = {.cell = cell, .links = links, .routes = routes};
    struct host host = {0};

    for (size_t i = 0; i < links->count; i++)
        map_put_text(&r.by_name, links->list[i].name, &links->list[i]);
    take_written(&r);
    for (size_t i = 0; i < routes->count; i++)
        take_route(&r, &routes->list[i]);
    set_interfaces(&r, &host);
    prefix_list_move(&host.lan, &host.lan_count, &r.lan, &r.lan_count);
    prefix_list_move(&host.near, &host.near_count, &r.near, &r.near_count);
    map_clear(&r.by_name);
    map_clear(&r.roles);
    host_move(ret, &host);
}

/* ---- forwarding ---- */

/* Where a family's forwarding is switched on: for all interfaces, or for each. For IPv6 that is
 * force_forwarding (Linux 6.17): its conf/<interface>/forwarding forwards nothing. */
struct switches {
    const char *all, *folder, *each;
};
static const struct switches switches4 = {"net/ipv4/ip_forward", "net/ipv4/conf", "forwarding"};
static const struct switches switches6 = {"net/ipv6/conf/all/forwarding", "net/ipv6/conf",
                                          "force_forwarding"};

/* What is not there is off. */
static int read_switch(struct sys *sys, const char *name, bool *ret, struct error **reterr)
{
    long value = 0;
    int result = sys_sysctl_get(sys, name, &value, reterr);
    *ret = result == 0 && value > 0;
    return result < 0 ? result : 0;
}

static int read_switch_of(struct sys *sys, const struct switches *switches, const char *interface,
                          bool *ret, struct error **reterr)
{
    char name[64];
    snprintf(name, sizeof(name), "%s/%s/%s", switches->folder, interface, switches->each);
    return read_switch(sys, name, ret, reterr);
}

/* Packets come in by our interfaces, replies by the uplink: each of them has to forward. */
static int read_each(struct sys *sys, const struct cell_spec *cell, const struct switches *switches,
                     const struct sys_links *links, const struct host *host, bool *ret,
                     struct error **reterr)
{
    bool ipv6 = switches == &switches6, on = host_has_uplink(host, ipv6), any_of_ours = false;
    int result = 0;

    for (size_t i = 0; result == 0 && on && i < links->count; i++) {
        const struct sys_link *link = &links->list[i];
        if (!is_our_name(cell, link->name) && link->group != SYS_OWNER)
            continue;
        any_of_ours = true;
        result = read_switch_of(sys, switches, link->name, &on, reterr);
    }
    for (size_t i = 0; result == 0 && on && i < host->interface_count; i++) {
        const struct host_interface *interface = &host->interfaces[i];
        if (ipv6 ? interface->uplink6 : interface->uplink4)
            result = read_switch_of(sys, switches, interface->name, &on, reterr);
    }
    *ret = on && any_of_ours;
    return result;
}

static int read_forwarding(struct sys *sys, const struct cell_spec *cell,
                           const struct switches *switches, const struct sys_links *links,
                           const struct host *host, bool *ret, struct error **reterr)
{
    int result = read_switch(sys, switches->all, ret, reterr);
    if (result < 0 || *ret)
        return result;
    return read_each(sys, cell, switches, links, host, ret, reterr);
}

/* ---- all of it ---- */

/* A machine that has lost its uplink keeps its MTU: it comes back. */
static int read_path(struct sys *sys, struct host *host, struct error **reterr)
{
    /* A documentation address (RFC 5737): whatever is on the internet is reached like it. */
    static const struct ip anywhere = {.family = AF_INET, .bytes = {192, 0, 2, 1}};
    struct sys_path path;
    int result = sys_path_mtu(sys, &anywhere, &path, reterr);
    if (result == 0)
        host->uplink_mtu = path.mtu;
    return result < 0 ? result : 0;
}

static int read_sysctls(struct sys *sys, const struct cell_spec *cell,
                        const struct sys_links *links, struct host *host, struct error **reterr)
{
    long value;
    int result = read_forwarding(sys, cell, &switches4, links, host, &host->forwarding4, reterr);
    if (result == 0)
        result = read_forwarding(sys, cell, &switches6, links, host, &host->forwarding6, reterr);
    if (result == 0) {
        result = sys_sysctl_get(sys, "net/ipv6/conf/all/disable_ipv6", &value, reterr);
        host->ipv6 = result == 0;
    }
    return result < 0 ? result : 0;
}

int surroundings_read(struct sys *sys, const struct cell_spec *cell, struct host *ret,
                      struct error **reterr)
{
    struct sys_links links = {0};
    struct sys_routes routes = {0};
    struct host host = {0};
    int result = sys_link_list(sys, &links, reterr);

    if (result == 0)
        result = sys_route_list(sys, SYS_TABLE_MAIN, 0, &routes, reterr);
    if (result == 0) {
        surroundings_derive(cell, &links, &routes, &host);
        host.uplink_mtu = ret->uplink_mtu;
        result = read_path(sys, &host, reterr);
    }
    if (result == 0)
        result = read_sysctls(sys, cell, &links, &host, reterr);
    if (result == 0)
        host_move(ret, &host);
    host_clear(&host);
    sys_links_clear(&links);
    sys_routes_clear(&routes);
    return result < 0 ? error_wrap(reterr, "cannot read the network around the cell") : 0;
}
