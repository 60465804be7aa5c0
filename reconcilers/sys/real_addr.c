#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "schema/base/mem.h"

static const struct nla_policy addr_policy[IFA_MAX + 1] = {
    [IFA_FLAGS] = {.type = NLA_U32},
    [IFA_PROTO] = {.type = NLA_U8},
};

/* A list being read. */
struct listing {
    int ifindex;
    struct sys_addrs *addrs;
};

static void restart(void *context)
{
    struct listing *listing = context;
    listing->addrs->count = 0;
}

static void append(struct sys_addrs *addrs, const struct sys_addr *addr)
{
    addrs->list = mem_grow(addrs->list, addrs->count, &addrs->capacity, sizeof(*addrs->list));
    addrs->list[addrs->count++] = *addr;
}

static int read_addr(const struct nlmsghdr *row, void *context)
{
    struct listing *listing = context;
    struct nlattr *tb[IFA_MAX + 1];
    if (row->nlmsg_type != RTM_NEWADDR ||
        nlmsg_parse((struct nlmsghdr *)row, sizeof(struct ifaddrmsg), tb, IFA_MAX, addr_policy) < 0)
        return -EBADMSG;
    const struct ifaddrmsg *info = nlmsg_data(row);
    if ((int)info->ifa_index != listing->ifindex ||
        (info->ifa_family != AF_INET && info->ifa_family != AF_INET6))
        return 0;

    /* On a point-to-point link IFA_ADDRESS is the other end and IFA_LOCAL is ours. */
    struct nlattr *address = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
    struct sys_addr addr = {
        .prefix = {.ip = {.family = info->ifa_family}, .len = info->ifa_prefixlen},
        .link_local = info->ifa_scope == RT_SCOPE_LINK,
    };
    size_t size = ip_bits(&addr.prefix.ip) / 8;
    if (!address || (size_t)nla_len(address) != size || info->ifa_prefixlen > 8 * size)
        return -EBADMSG;
    memcpy(addr.prefix.ip.bytes, nla_data(address), size);
    uint32_t flags = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : info->ifa_flags;
    addr.permanent = flags & IFA_F_PERMANENT;
    addr.no_prefix_route = flags & IFA_F_NOPREFIXROUTE;
    addr.protocol = tb[IFA_PROTO] ? nla_get_u8(tb[IFA_PROTO]) : 0;
    append(listing->addrs, &addr);
    return 0;
}

/* The addresses of all interfaces are read: the kernel could filter by interface, but does not tell
 * when such a list changed under the reader (seen on 6.18), and then some are missing. */
int real_addr_list(void *side, int ifindex, struct sys_addrs *ret, struct error **reterr)
{
    struct real *real = side;
    char name[IFNAMSIZ];
    struct listing listing = {.ifindex = ifindex, .addrs = ret};
    struct ifaddrmsg info = {.ifa_family = AF_UNSPEC};
    NETLINK_MESSAGE *msg = netlink_message(RTM_GETADDR, NLM_F_DUMP, &info, sizeof(info));
    struct netlink_reader reader = {.row = read_addr, .restart = restart, .context = &listing};
    int r = netlink_dump(real->netlink, msg, &reader);
    if (r == 0 && ret->count == 0)
        r = netlink_name(real->netlink, ifindex, name);
    if (r == -ENODEV)
        return SYS_ABSENT;
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot list the addresses of interface %d",
                            ifindex);
    return 0;
}

static struct nl_msg *addr_message(int type, int flags, int ifindex, const struct prefix *prefix)
{
    struct ifaddrmsg info = {
        .ifa_family = prefix->ip.family,
        .ifa_prefixlen = prefix->len,
        .ifa_index = (uint32_t)ifindex,
    };
    struct nl_msg *msg = netlink_message(type, flags, &info, sizeof(info));
    netlink_put(msg, IFA_LOCAL, prefix->ip.bytes, ip_bits(&prefix->ip) / 8);
    netlink_put(msg, IFA_ADDRESS, prefix->ip.bytes, ip_bits(&prefix->ip) / 8);
    return msg;
}

static int fail(struct real *real, int errnum, const char *verb, int ifindex,
                const struct prefix *prefix, struct error **reterr)
{
    char text[ADDR_TEXT_MAX];
    return netlink_fail(real->netlink, errnum, reterr, "cannot %s address %s, interface %d", verb,
                        prefix_format(prefix, text), ifindex);
}

int real_addr_add(void *side, int ifindex, const struct prefix *prefix, bool prefix_route,
                  struct error **reterr)
{
    struct real *real = side;
    uint8_t owner = SYS_OWNER;
    uint32_t flags = prefix_route ? 0 : IFA_F_NOPREFIXROUTE;
    if (prefix->ip.family == AF_INET6)
        flags |= IFA_F_NODAD; /* usable at once: on our interfaces nobody else can have it */
    NETLINK_MESSAGE *msg = addr_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, ifindex, prefix);
    netlink_put_u32(msg, IFA_FLAGS, flags);
    netlink_put(msg, IFA_PROTO, &owner, sizeof(owner));
    int r = netlink_request(real->netlink, msg);
    if (r == -EEXIST)
        return 0;
    if (r == -ENODEV)
        return SYS_ABSENT;
    return r < 0 ? fail(real, -r, "add", ifindex, prefix, reterr) : 0;
}

int real_addr_delete(void *side, int ifindex, const struct prefix *prefix, struct error **reterr)
{
    struct real *real = side;
    NETLINK_MESSAGE *msg = addr_message(RTM_DELADDR, 0, ifindex, prefix);
    int r = netlink_request(real->netlink, msg);
    if (r == -EADDRNOTAVAIL || r == -ENODEV)
        return 0;
    return r < 0 ? fail(real, -r, "delete", ifindex, prefix, reterr) : 0;
}
