#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconcilers/sys/wg_socket.h"
#include "schema/base/mem.h"

enum { ALIAS_LEN_MAX = 255 }; /* the kernel's IFALIASZ - 1, which no header for programs has */

static const struct nla_policy link_policy[IFLA_MAX + 1] = {
    [IFLA_IFNAME] = {.type = NLA_STRING, .minlen = 2, .maxlen = IFNAMSIZ},
    [IFLA_MTU] = {.type = NLA_U32},
    [IFLA_GROUP] = {.type = NLA_U32},
    [IFLA_IFALIAS] = {.type = NLA_STRING},
    [IFLA_LINKINFO] = {.type = NLA_NESTED},
};

static const struct nla_policy info_policy[IFLA_INFO_MAX + 1] = {
    [IFLA_INFO_KIND] = {.type = NLA_STRING},
};

static void read_kind(struct nlattr *info, struct sys_link *ret)
{
    struct nlattr *tb[IFLA_INFO_MAX + 1];
    if (nla_parse_nested(tb, IFLA_INFO_MAX, info, info_policy) == 0 && tb[IFLA_INFO_KIND])
        nla_strlcpy(ret->kind, tb[IFLA_INFO_KIND], sizeof(ret->kind));
}

static int read_link(const struct nlmsghdr *row, void *context)
{
    struct nlattr *tb[IFLA_MAX + 1];
    struct sys_link *ret = context;
    if (row->nlmsg_type != RTM_NEWLINK ||
        nlmsg_parse((struct nlmsghdr *)row, sizeof(struct ifinfomsg), tb, IFLA_MAX, link_policy) <
            0 ||
        !tb[IFLA_IFNAME])
        return -EBADMSG;

    const struct ifinfomsg *info = nlmsg_data(row);
    *ret = (struct sys_link){.index = info->ifi_index, .up = info->ifi_flags & IFF_UP};
    nla_strlcpy(ret->name, tb[IFLA_IFNAME], sizeof(ret->name));
    if (tb[IFLA_MTU])
        ret->mtu = nla_get_u32(tb[IFLA_MTU]);
    if (tb[IFLA_GROUP])
        ret->group = nla_get_u32(tb[IFLA_GROUP]);
    if (tb[IFLA_IFALIAS])
        nla_strlcpy(ret->alias, tb[IFLA_IFALIAS], sizeof(ret->alias));
    if (tb[IFLA_LINKINFO])
        read_kind(tb[IFLA_LINKINFO], ret);
    return 0;
}

int real_link_read(struct real *real, int index, const char *name, struct sys_link *ret)
{
    struct ifinfomsg info = {.ifi_index = index};
    NETLINK_MESSAGE *msg = netlink_message(RTM_GETLINK, 0, &info, sizeof(info));
    if (name)
        netlink_put_text(msg, IFLA_IFNAME, name);
    netlink_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    struct netlink_reader reader = {.row = read_link, .context = ret};
    int r = netlink_get(real->netlink, msg, &reader);
    return r == -ENODEV ? SYS_ABSENT : r;
}

int real_link_get(void *side, const char *name, struct sys_link *ret, struct error **reterr)
{
    struct real *real = side;
    int r = real_link_read(real, 0, name, ret);
    return r < 0 ? netlink_fail(real->netlink, -r, reterr, "cannot read interface \"%s\"", name)
                 : r;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static void forget_rows(void *context)
{
    ((struct sys_links *)context)->count = 0;
}

static int read_row(const struct nlmsghdr *row, void *context)
{
    struct sys_links *links = context;
    links->list = mem_grow(links->list, links->count, &links->capacity, sizeof(*links->list));
    int r = read_link(row, &links->list[links->count]);
    if (r == 0)
        links->count++;
    return r;
}

static int compare_index(const void *a, const void *b)
{
    const struct sys_link *one = a, *other = b;
    return (one->index > other->index) - (one->index < other->index);
}

int real_link_list(void *side, struct sys_links *ret, struct error **reterr)
{
    struct real *real = side;
    struct ifinfomsg info = {0};
    NETLINK_MESSAGE *msg = netlink_message(RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
    netlink_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
    struct netlink_reader reader = {.row = read_row, .restart = forget_rows, .context = ret};
    int r = netlink_dump(real->netlink, msg, &reader);
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot list the interfaces");
    if (ret->count)
        qsort(ret->list, ret->count, sizeof(*ret->list), compare_index);
    return 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

int real_link_set(void *side, int index, const struct sys_link_change *change,
                  struct error **reterr)
{
    struct real *real = side;
    struct ifinfomsg info = {.ifi_index = index};
    if (change->set_up) {
        info.ifi_change = IFF_UP;
        info.ifi_flags = change->up ? IFF_UP : 0;
    }
    if (change->set_alias && strlen(change->alias) > ALIAS_LEN_MAX)
        return error_make(reterr, EINVAL, "the alias \"%s\" is longer than %d bytes", change->alias,
                          ALIAS_LEN_MAX);
    NETLINK_MESSAGE *msg = netlink_message(RTM_SETLINK, 0, &info, sizeof(info));
    if (change->set_mtu)
        netlink_put_u32(msg, IFLA_MTU, change->mtu);
    if (change->set_group)
        netlink_put_u32(msg, IFLA_GROUP, change->group);
    if (change->set_alias)
        netlink_put_text(msg, IFLA_IFALIAS, change->alias);
    int r = netlink_request(real->netlink, msg);
    if (r == -ENODEV)
        return SYS_ABSENT;
    return r < 0 ? netlink_fail(real->netlink, -r, reterr, "cannot change interface %d", index) : 0;
}

static int delete_link(struct real *real, const struct sys_link *link, struct error **reterr)
{
    struct ifinfomsg info = {.ifi_index = link->index};
    NETLINK_MESSAGE *msg = netlink_message(RTM_DELLINK, 0, &info, sizeof(info));
    int r = netlink_request(real->netlink, msg);
    wg_conns_drop(&real->conns, link->name);
    if (r == -ENODEV)
        return SYS_ABSENT;
    return r < 0 ? netlink_fail(real->netlink, -r, reterr, "cannot delete interface \"%s\"",
                                link->name)
                 : 0;
}

int real_link_delete(void *side, int index, struct error **reterr)
{
    struct real *real = side;
    struct sys_link link;
    int r = real_link_read(real, index, NULL, &link);
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot read interface %d", index);
    if (r == SYS_ABSENT || strcmp(link.kind, "tun") != 0)
        return r ? r : delete_link(real, &link, reterr);

    /* With a TUN goes the wireguard-go that holds it. */
    int watch = wg_socket_watch(link.name);
    r = delete_link(real, &link, reterr);
    if (r == 0)
        r = wg_socket_settle(link.name, watch, reterr);
    if (watch >= 0)
        close(watch);
    return r;
}
