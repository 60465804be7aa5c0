#include "tests/sys/routes.h"

#include <string.h>

struct sys_route route_to(const char *destination, uint32_t table, uint32_t metric,
                          const char *interface)
{
    struct sys_route route = {
        .destination = prefix_of(destination),
        .table = table,
        .metric = metric,
        .protocol = SYS_OWNER,
        .type = interface ? SYS_ROUTE_UNICAST : SYS_ROUTE_UNREACHABLE,
    };
    if (interface)
        memcpy(route.interface, interface, strlen(interface) + 1);
    return route;
}

static bool same(const struct sys_route *a, const struct sys_route *b)
{
    return prefix_compare(&a->destination, &b->destination) == 0 && a->table == b->table &&
           a->metric == b->metric && a->protocol == b->protocol && a->type == b->type &&
           a->gateway == b->gateway && ip_equal(&a->source, &b->source) &&
           strcmp(a->interface, b->interface) == 0;
}

size_t routes_like(struct sys *sys, const struct sys_route *route)
{
    size_t found = 0;
    struct sys_routes routes = {0};
    CHECK(sys_route_list(sys, route->table, 0, &routes, &error), 0);
    for (size_t i = 0; i < routes.count; i++)
        found += same(&routes.list[i], route);
    sys_routes_clear(&routes);
    return found;
}

size_t routes_in(struct sys *sys, uint32_t table, uint8_t protocol)
{
    struct sys_routes routes = {0};
    CHECK(sys_route_list(sys, table, protocol, &routes, &error), 0);
    size_t found = routes.count;
    sys_routes_clear(&routes);
    return found;
}

void bring_up(const struct side *side, struct sys *sys, const char *name)
{
    side->link_add(sys, name);
    side->link_up(sys, name, true);
}
