#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "reconcilers/sys/routing.h"
#include "schema/base/mem.h"

enum {
    LOOPBACK_INDEX = 1, /* in every network namespace */
    METRIC6 = 1024,     /* of an IPv6 route for which nobody chose one */
    NAMES = 256,        /* interfaces whose names a listing remembers */
};

static const struct nla_policy route_policy[RTA_MAX + 1] = {
    [RTA_OIF] = {.type = NLA_U32},
    [RTA_TABLE] = {.type = NLA_U32},
    [RTA_PRIORITY] = {.type = NLA_U32},
};

/* ---- listing --------------------------------------------------------------------------------- */

/* A list being read, one family after the other. */
struct listing {
    struct real *real;
    struct sys_routes *routes;
    uint8_t family;
    uint32_t table;   /* 0: all */
    uint8_t protocol; /* 0: all */
    size_t before;    /* rows of the family that is read already */
    struct {
        int index;
        char name[IFNAMSIZ];
    } names[NAMES]; /* by the lower bits of the index; routes are many, interfaces few */
};

static void restart(void *context)
{
    struct listing *listing = context;
    listing->routes->count = listing->before;
}

/* Where a route leads: with several next hops, by the first. 0: nowhere. */
static int next_hop(struct nlattr *tb[])
{
    if (tb[RTA_OIF])
        return (int)nla_get_u32(tb[RTA_OIF]);
    if (tb[RTA_MULTIPATH] && nla_len(tb[RTA_MULTIPATH]) >= (int)sizeof(struct rtnexthop))
        return ((const struct rtnexthop *)nla_data(tb[RTA_MULTIPATH]))->rtnh_ifindex;
    return 0;
}

static bool has_gateway(struct nlattr *tb[])
{
    if (tb[RTA_GATEWAY] || tb[RTA_VIA])
        return true;
    int left = tb[RTA_MULTIPATH] ? nla_len(tb[RTA_MULTIPATH]) : 0;
    struct rtnexthop *hop = left ? nla_data(tb[RTA_MULTIPATH]) : NULL;
    while (left >= (int)sizeof(*hop) && RTNH_OK(hop, left)) {
        int size = hop->rtnh_len - (int)sizeof(*hop);
        struct nlattr *attrs = (struct nlattr *)RTNH_DATA(hop);
        if (nla_find(attrs, size, RTA_GATEWAY) || nla_find(attrs, size, RTA_VIA))
            return true;
        left -= (int)RTNH_ALIGN(hop->rtnh_len);
        hop = RTNH_NEXT(hop);
    }
    return false;
}

static void put_interface(struct listing *listing, int index, struct sys_route *route)
{
    size_t slot = (unsigned)index % NAMES;
    char *name = listing->names[slot].name;
    if (index != listing->names[slot].index) {
        listing->names[slot].index = index;
        if (netlink_name(listing->real->netlink, index, name) < 0)
            name[0] = '\0'; /* gone meanwhile, and the route with it */
    }
    memcpy(route->interface, name, sizeof(route->interface));
}

/* The kernel's own entries for addresses are no routes in our sense. */
static bool is_route(const struct rtmsg *info)
{
    return !(info->rtm_flags & RTM_F_CLONED) && info->rtm_type != RTN_LOCAL &&
           info->rtm_type != RTN_BROADCAST && info->rtm_type != RTN_ANYCAST &&
           info->rtm_type != RTN_MULTICAST;
}

static enum sys_route_type type_of(const struct rtmsg *info)
{
    if (info->rtm_type == RTN_UNICAST)
        return SYS_ROUTE_UNICAST;
    return info->rtm_type == RTN_UNREACHABLE ? SYS_ROUTE_UNREACHABLE : SYS_ROUTE_OTHER;
}

/* An address of the route's family in the attribute, when there is one. */
static bool read_address(struct nlattr *attr, struct ip *ip)
{
    size_t size = ip_bits(ip) / 8;
    if (attr && (size_t)nla_len(attr) != size)
        return false;
    if (attr)
        memcpy(ip->bytes, nla_data(attr), size);
    return true;
}

static int read_route(const struct nlmsghdr *row, void *context)
{
    struct listing *listing = context;
    struct nlattr *tb[RTA_MAX + 1];
    if (row->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse((struct nlmsghdr *)row, sizeof(struct rtmsg), tb, RTA_MAX, route_policy) < 0)
        return -EBADMSG;
    const struct rtmsg *info = nlmsg_data(row);
    uint32_t table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : info->rtm_table;
    bool asked = listing->table ? table == listing->table : table != RT_TABLE_LOCAL;
    if (info->rtm_family != listing->family || !is_route(info) || !asked ||
        (listing->protocol && info->rtm_protocol != listing->protocol))
        return 0;

    struct sys_route route = {
        .destination = {.ip = {.family = info->rtm_family}, .len = info->rtm_dst_len},
        .table = table,
        .metric = tb[RTA_PRIORITY] ? nla_get_u32(tb[RTA_PRIORITY]) : 0,
        .protocol = info->rtm_protocol,
        .type = type_of(info),
        .gateway = has_gateway(tb),
        .source = {.family = tb[RTA_PREFSRC] ? info->rtm_family : 0},
    };
    if (info->rtm_dst_len > ip_bits(&route.destination.ip) ||
        !read_address(tb[RTA_DST], &route.destination.ip) ||
        (tb[RTA_PREFSRC] && !read_address(tb[RTA_PREFSRC], &route.source)))
        return -EBADMSG;
    if (route.type == SYS_ROUTE_UNICAST) /* IPv6 has the others lead to the loopback interface */
        put_interface(listing, next_hop(tb), &route);

    struct sys_routes *routes = listing->routes;
    routes->list = mem_grow(routes->list, routes->count, &routes->capacity, sizeof(*routes->list));
    routes->list[routes->count++] = route;
    return 0;
}

/* The kernel chooses by table and protocol; one that is too old to do so gives everything. Of a
 * table that it does not have it says so at the end of the dump. */
static int list_family(struct listing *listing)
{
    struct rtmsg info = {.rtm_family = listing->family, .rtm_protocol = listing->protocol};
    NETLINK_MESSAGE *msg = netlink_message(RTM_GETROUTE, NLM_F_DUMP, &info, sizeof(info));
    if (listing->table)
        netlink_put_u32(msg, RTA_TABLE, listing->table);
    struct netlink_reader reader = {.row = read_route, .restart = restart, .context = listing};
    int r = netlink_dump(listing->real->netlink, msg, &reader);
    if (r == -ENOENT || netlink_no_family(r, listing->family))
        return 0;
    return r;
}

int real_route_list(void *side, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                    struct error **reterr)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    struct real *real = side;
    struct listing listing = {.real = real, .routes = ret, .table = table, .protocol = protocol};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        listing.family = families[i];
        listing.before = ret->count;
        int r = list_family(&listing);
        if (r < 0)
            return netlink_fail(real->netlink, -r, reterr, "cannot list the routes");
    }
    return 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

static int fail(struct real *real, int errnum, const char *verb, const struct sys_route *route,
                struct error **reterr)
{
    char text[ADDR_TEXT_MAX];
    return netlink_fail(real->netlink, errnum, reterr, "cannot %s route %s in table %u%s%s%s", verb,
                        prefix_format(&route->destination, text), route->table,
                        route->interface[0] ? " by interface \"" : "", route->interface,
                        route->interface[0] ? "\"" : "");
}

/* The index of its interface, 0 without one, or a negative errno value. */
static int index_of(struct real *real, const struct sys_route *route)
{
    return route->interface[0] ? netlink_index(real->netlink, route->interface) : 0;
}

static struct nl_msg *route_message(int type, int flags, const struct sys_route *route, int index,
                                    uint8_t scope, uint8_t protocol)
{
    struct prefix destination = prefix_normalise(&route->destination);
    struct rtmsg info = {
        .rtm_family = destination.ip.family,
        .rtm_dst_len = destination.len,
        .rtm_table = route->table <= UINT8_MAX ? (uint8_t)route->table : RT_TABLE_COMPAT,
        .rtm_protocol = protocol,
        .rtm_scope = scope,
        .rtm_type = route->type == SYS_ROUTE_UNREACHABLE ? RTN_UNREACHABLE : RTN_UNICAST,
    };
    struct nl_msg *msg = netlink_message(type, flags, &info, sizeof(info));
    netlink_put(msg, RTA_DST, destination.ip.bytes, ip_bits(&destination.ip) / 8);
    netlink_put_u32(msg, RTA_TABLE, route->table);
    if (route->metric)
        netlink_put_u32(msg, RTA_PRIORITY, route->metric);
    if (index)
        netlink_put_u32(msg, RTA_OIF, (uint32_t)index);
    return msg;
}

int real_route_set(void *side, const struct sys_route *route, struct error **reterr)
{
    struct real *real = side;
    int r = route_check(route, reterr);
    if (r < 0)
        return r;
    int index = index_of(real, route);
    if (index < 0)
        return fail(real, -index, "set", route, reterr);

    bool unicast = route->type == SYS_ROUTE_UNICAST;
    uint8_t scope =
        unicast && route->destination.ip.family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    NETLINK_MESSAGE *msg =
        route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, index, scope, SYS_OWNER);
    if (route->source.family)
        netlink_put(msg, RTA_PREFSRC, route->source.bytes, ip_bits(&route->source) / 8);
    r = netlink_request(real->netlink, msg);
    return r < 0 ? fail(real, -r, "set", route, reterr) : 0;
}

/*
 * What is not in the request, the kernel takes for "any"; so IPv6 is told its default metric, and
 * the loopback interface of an unreachable route, since it does not look at the type.
 */
int real_route_delete(void *side, const struct sys_route *route, struct error **reterr)
{
    struct real *real = side;
    struct sys_route exact = *route;
    int index = index_of(real, route);
    if (index == -ENODEV)
        return 0;
    if (index < 0)
        return fail(real, -index, "delete", route, reterr);
    if (route->destination.ip.family == AF_INET6 && !index)
        index = LOOPBACK_INDEX;
    if (route->destination.ip.family == AF_INET6 && !route->metric)
        exact.metric = METRIC6;

    NETLINK_MESSAGE *msg =
        route_message(RTM_DELROUTE, 0, &exact, index, RT_SCOPE_NOWHERE, route->protocol);
    int r = netlink_request(real->netlink, msg);
    if (r == -ESRCH || r == -ENODEV)
        return 0;
    return r < 0 ? fail(real, -r, "delete", route, reterr) : 0;
}
