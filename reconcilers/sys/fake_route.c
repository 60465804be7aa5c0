#include "reconcilers/sys/fake_side.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/sys/fake.h"
#include "reconcilers/sys/ops.h"
#include "reconcilers/sys/routing.h"
#include "schema/base/mem.h"

enum { CONNECTED_METRIC6 = 256 }; /* of the kernel's own routes */

/* ---- the list -------------------------------------------------------------------------------- */

/* A table has one route of a destination and metric. */
static int compare_routes(const struct sys_route *a, const struct sys_route *b)
{
    if (a->destination.ip.family != b->destination.ip.family)
        return a->destination.ip.family < b->destination.ip.family ? -1 : 1;
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    int r = prefix_compare(&a->destination, &b->destination);
    if (r == 0 && a->metric != b->metric)
        r = a->metric < b->metric ? -1 : 1;
    return r;
}

/* Where the route is, or would be. */
static size_t place_of(const struct sys_routes *routes, const struct sys_route *route)
{
    size_t low = 0, high = routes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_routes(&routes->list[middle], route) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sys_route *find(struct fake *fake, const struct sys_route *route)
{
    size_t at = place_of(&fake->routes, route);
    bool found = at < fake->routes.count && compare_routes(&fake->routes.list[at], route) == 0;
    return found ? &fake->routes.list[at] : NULL;
}

void fake_put_route(struct fake *fake, const struct sys_route *route)
{
    struct sys_routes *routes = &fake->routes;
    size_t at = place_of(routes, route);
    if (!find(fake, route)) {
        routes->list =
            mem_grow(routes->list, routes->count, &routes->capacity, sizeof(*routes->list));
        memmove(&routes->list[at + 1], &routes->list[at],
                (routes->count++ - at) * sizeof(*routes->list));
    }
    routes->list[at] = *route;
}

bool fake_drop_route(struct fake *fake, const struct sys_route *route)
{
    struct sys_routes *routes = &fake->routes;
    size_t at = place_of(routes, route);
    if (!find(fake, route))
        return false;
    memmove(&routes->list[at], &routes->list[at + 1],
            (--routes->count - at) * sizeof(*routes->list));
    return true;
}

void fake_lose_routes(struct fake *fake, const char *interface, uint8_t family)
{
    size_t kept = 0;
    for (size_t i = 0; i < fake->routes.count; i++) {
        const struct sys_route *route = &fake->routes.list[i];
        bool lost = strcmp(route->interface, interface) == 0 &&
                    (!family || route->destination.ip.family == family);
        if (!lost)
            fake->routes.list[kept++] = *route;
    }
    fake->routes.count = kept;
}

/* ---- what follows from addresses ------------------------------------------------------------- */

static bool is_ours(const struct fake *fake, const struct ip *ip)
{
    for (size_t i = 0; i < fake->count; i++)
        for (size_t j = 0; j < fake->links[i]->addrs.count; j++)
            if (ip_equal(&fake->links[i]->addrs.list[j].prefix.ip, ip))
                return true;
    return false;
}

static struct sys_route connected(const struct fake_link *link, const struct sys_addr *addr)
{
    bool ip4 = addr->prefix.ip.family == AF_INET;
    struct sys_route route = {
        .destination = prefix_normalise(&addr->prefix),
        .table = SYS_TABLE_MAIN,
        .metric = ip4 ? 0 : CONNECTED_METRIC6,
        .protocol = RTPROT_KERNEL,
    };
    if (ip4)
        route.source = addr->prefix.ip;
    memcpy(route.interface, link->link.name, sizeof(route.interface));
    return route;
}

/* An IPv4 address alone has no network. */
void fake_connect(struct fake *fake, const struct fake_link *link, const struct sys_addr *addr)
{
    bool alone = addr->prefix.ip.family == AF_INET && addr->prefix.len == ip_bits(&addr->prefix.ip);
    struct sys_route route = connected(link, addr);
    if (link->link.up && !addr->no_prefix_route && !alone && !find(fake, &route))
        fake_put_route(fake, &route);
}

/* Routes with the address as their source: those of IPv4 go, but only from `main`; those of IPv6
 * stay and have none. */
static void lose_source(struct fake *fake, const struct ip *ip)
{
    size_t kept = 0;
    for (size_t i = 0; i < fake->routes.count; i++) {
        struct sys_route route = fake->routes.list[i];
        bool from = ip_equal(&route.source, ip);
        if (from && ip->family == AF_INET6)
            route.source = (struct ip){0};
        if (!from || ip->family == AF_INET6 || route.table != SYS_TABLE_MAIN)
            fake->routes.list[kept++] = route;
    }
    fake->routes.count = kept;
}

void fake_disconnect(struct fake *fake, const struct fake_link *link, const struct sys_addr *addr)
{
    struct sys_route route = connected(link, addr);
    const struct sys_route *have = find(fake, &route);
    if (!addr->no_prefix_route && have && have->protocol == RTPROT_KERNEL &&
        strcmp(have->interface, link->link.name) == 0)
        fake_drop_route(fake, &route);
    if (!is_ours(fake, &addr->prefix.ip))
        lose_source(fake, &addr->prefix.ip);
    for (size_t i = 0; i < link->addrs.count; i++)
        fake_connect(fake, link, &link->addrs.list[i]);
}

/* ---- what we may do -------------------------------------------------------------------------- */

int fake_route_list(void *side, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                    struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    for (size_t i = 0; i < fake->routes.count; i++) {
        const struct sys_route *route = &fake->routes.list[i];
        if ((table && route->table != table) || (protocol && route->protocol != protocol))
            continue;
        ret->list = mem_grow(ret->list, ret->count, &ret->capacity, sizeof(*ret->list));
        ret->list[ret->count++] = *route;
    }
    return 0;
}

/* As the kernel stores it. */
static struct sys_route stored(const struct sys_route *route)
{
    struct sys_route own = *route;
    own.destination = prefix_normalise(&route->destination);
    if (own.destination.ip.family == AF_INET6 && !own.metric)
        own.metric = FAKE_METRIC6;
    return own;
}

/* A positive errno value, or 0. */
static int objection(const struct fake *fake, const struct sys_route *route)
{
    const struct fake_link *link = fake_find(fake, route->interface);
    if (route->interface[0] && !link)
        return ENODEV;
    if (link && !link->link.up)
        return ENETDOWN;
    return route->source.family && !is_ours(fake, &route->source) ? EINVAL : 0;
}

int fake_route_set(void *side, const struct sys_route *route, struct error **reterr)
{
    char text[ADDR_TEXT_MAX];
    struct sys_route own = stored(route);
    int r = route_check(route, reterr);
    if (r < 0)
        return r;
    int errnum = objection(side, route);
    if (errnum)
        return error_errno(reterr, errnum, "cannot set route %s in table %u",
                           prefix_format(&route->destination, text), route->table);
    own.protocol = SYS_OWNER;
    fake_put_route(side, &own);
    return 0;
}

/* To IPv4 no metric means any. */
int fake_route_delete(void *side, const struct sys_route *route, struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    struct sys_route own = stored(route);
    for (size_t at = place_of(&fake->routes, &own); at < fake->routes.count; at++) {
        const struct sys_route *have = &fake->routes.list[at];
        bool same = have->table == own.table &&
                    prefix_compare(&have->destination, &own.destination) == 0 &&
                    (!own.metric || have->metric == own.metric);
        if (!same)
            break;
        if (have->protocol == own.protocol && have->type == own.type &&
            strcmp(have->interface, own.interface) == 0) {
            fake_drop_route(side, have);
            break;
        }
    }
    return 0;
}

/* What `main` says; rules of others are not followed. */
int fake_path_mtu(void *side, const struct ip *destination, struct sys_path *ret,
                  struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    const struct sys_route *best = NULL;
    for (size_t i = 0; i < fake->routes.count; i++) {
        const struct sys_route *route = &fake->routes.list[i];
        if (route->table == SYS_TABLE_MAIN && prefix_contains(&route->destination, destination) &&
            (!best || route->destination.len > best->destination.len))
            best = route;
    }
    if (!best || best->type != SYS_ROUTE_UNICAST)
        return SYS_ABSENT;
    const struct fake_link *link = fake_find(fake, best->interface);
    *ret = (struct sys_path){.mtu = link->link.mtu, .source = best->source};
    memcpy(ret->interface, best->interface, sizeof(ret->interface));
    for (size_t i = 0; i < link->addrs.count && !ret->source.family; i++)
        if (link->addrs.list[i].prefix.ip.family == destination->family)
            ret->source = link->addrs.list[i].prefix.ip;
    return 0;
}

/* ---- somebody else's hands ------------------------------------------------------------------- */

static void tell(struct fake *fake, const struct sys_route *route)
{
    struct sys_event event = {
        .type = SYS_EVENT_ROUTE, .table = route->table, .protocol = route->protocol};
    fake_happen(fake, &event);
}

void sys_fake_route_add(struct sys *sys, const struct sys_route *route)
{
    struct sys_route own = stored(route);
    assert(!find(sys_side(sys), &own));
    fake_put_route(sys_side(sys), &own);
    tell(sys_side(sys), &own);
}

void sys_fake_route_remove(struct sys *sys, const struct sys_route *route)
{
    struct sys_route own = stored(route);
    bool dropped = fake_drop_route(sys_side(sys), &own);
    assert(dropped);
    (void)dropped;
    tell(sys_side(sys), &own);
}
