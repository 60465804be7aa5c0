#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "schema/base/mem.h"

static const struct nla_policy route_policy[RTA_MAX + 1] = {
    [RTA_OIF] = {.type = NLA_U32},
    [RTA_TABLE] = {.type = NLA_U32},
};

/* A list being read, one family after the other. */
struct listing {
    struct real *real;
    struct sys_routes *routes;
    uint8_t family;
    size_t before; /* rows of the family that is read already */
    int index;     /* the interface whose name was looked up last: neighbours in a dump share it */
    char name[IFNAMSIZ];
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

static void put_interface(struct listing *listing, int index, struct sys_route *route)
{
    if (index == 0)
        return;
    if (index != listing->index) {
        listing->index = index;
        if (netlink_name(listing->real->netlink, index, listing->name) < 0)
            listing->name[0] = '\0'; /* gone meanwhile, and the route with it */
    }
    memcpy(route->interface, listing->name, sizeof(route->interface));
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
    if (info->rtm_family != listing->family || info->rtm_type != RTN_UNICAST ||
        info->rtm_flags & RTM_F_CLONED || table == RT_TABLE_LOCAL)
        return 0;

    struct sys_route route = {
        .destination = {.ip = {.family = info->rtm_family}, .len = info->rtm_dst_len},
        .table = table,
        .protocol = info->rtm_protocol,
    };
    size_t size = ip_bits(&route.destination.ip) / 8;
    if (info->rtm_dst_len > 8 * size || (tb[RTA_DST] && (size_t)nla_len(tb[RTA_DST]) != size))
        return -EBADMSG;
    if (tb[RTA_DST])
        memcpy(route.destination.ip.bytes, nla_data(tb[RTA_DST]), size);
    put_interface(listing, next_hop(tb), &route);

    struct sys_routes *routes = listing->routes;
    routes->list = mem_grow(routes->list, routes->count, &routes->capacity, sizeof(*routes->list));
    routes->list[routes->count++] = route;
    return 0;
}

int real_route_list(void *side, struct sys_routes *ret, struct error **reterr)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    struct real *real = side;
    struct listing listing = {.real = real, .routes = ret};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        listing.family = families[i];
        listing.before = ret->count;
        struct rtmsg info = {.rtm_family = families[i], .rtm_type = RTN_UNICAST};
        NETLINK_MESSAGE *msg = netlink_message(RTM_GETROUTE, NLM_F_DUMP, &info, sizeof(info));
        struct netlink_reader reader = {.row = read_route, .restart = restart, .context = &listing};
        int r = netlink_dump(real->netlink, msg, &reader);
        if (r < 0)
            return netlink_fail(real->netlink, -r, reterr, "cannot list the routes");
    }
    return 0;
}
