#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

static const struct nla_policy route_policy[RTA_MAX + 1] = {
    [RTA_OIF] = {.type = NLA_U32},
};

/* What the kernel would do with a packet to the destination. */
struct way {
    int index;
    struct ip source; /* with the family of the destination */
};

static int read_way(const struct nlmsghdr *row, void *context)
{
    struct way *way = context;
    struct nlattr *tb[RTA_MAX + 1];
    if (row->nlmsg_type != RTM_NEWROUTE ||
        nlmsg_parse((struct nlmsghdr *)row, sizeof(struct rtmsg), tb, RTA_MAX, route_policy) < 0 ||
        !tb[RTA_OIF])
        return -EBADMSG;
    way->index = (int)nla_get_u32(tb[RTA_OIF]);
    size_t size = ip_bits(&way->source) / 8;
    if (tb[RTA_PREFSRC] && (size_t)nla_len(tb[RTA_PREFSRC]) == size)
        memcpy(way->source.bytes, nla_data(tb[RTA_PREFSRC]), size);
    else
        way->source.family = 0;
    return 0;
}

/* The kernel has a word for each sort of "no": none found, unreachable, prohibit, blackhole. */
static bool no_way(int r)
{
    return r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL;
}

int real_path_mtu(void *side, const struct ip *destination, struct sys_path *ret,
                  struct error **reterr)
{
    struct real *real = side;
    struct way way = {.source = {.family = destination->family}};
    struct rtmsg info = {
        .rtm_family = destination->family,
        .rtm_dst_len = (uint8_t)ip_bits(destination),
    };
    NETLINK_MESSAGE *msg = netlink_message(RTM_GETROUTE, 0, &info, sizeof(info));
    netlink_put(msg, RTA_DST, destination->bytes, ip_bits(destination) / 8);
    struct netlink_reader reader = {.row = read_way, .context = &way};
    int r = netlink_get(real->netlink, msg, &reader);
    if (no_way(r))
        return SYS_ABSENT;

    struct sys_link link;
    if (r == 0)
        r = real_link_read(real, way.index, NULL, &link);
    char text[ADDR_TEXT_MAX];
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot find the way to %s",
                            ip_format(destination, text));
    if (r == 0) {
        *ret = (struct sys_path){.mtu = link.mtu, .source = way.source};
        memcpy(ret->interface, link.name, sizeof(ret->interface));
    }
    return r;
}
