#include "reconcilers/sys/events.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/netconf.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "schema/base/mem.h"

enum {
    EVENT_SIZE = 16 << 10,  /* one notification is about 1.5 KiB */
    EVENT_BUFFER = 1 << 20, /* in the kernel: some hundred changes while we are busy */
    EVENTS_PER_READ = 1000, /* of each socket */
    NEW_GENERATION = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN,
};

struct events {
    struct nl_sock *route;
    struct nl_sock *nft; /* NULL: the kernel has no nftables */
    int epoll;           /* one descriptor for both */
    char *buffer;
};

/* Where the messages of one read go. */
struct listener {
    struct netlink *nl;
    uint32_t own_port; /* of the requests that cause messages on the socket being read */
    struct sys_event last;
    bool told; /* `last` is one */
    void (*happened)(const struct sys_event *event, void *context);
    void *context;
};

/* ---- telling --------------------------------------------------------------------------------- */

static bool events_equal(const struct sys_event *a, const struct sys_event *b)
{
    return a->type == b->type && strcmp(a->interface, b->interface) == 0 && a->table == b->table &&
           a->priority == b->priority && a->protocol == b->protocol &&
           strcmp(a->process, b->process) == 0;
}

/* Whoever changes thousands of routes says thousands of times the same. */
static void tell(struct listener *listener, const struct sys_event *event)
{
    if (listener->told && events_equal(&listener->last, event))
        return;
    listener->last = *event;
    listener->told = true;
    listener->happened(event, listener->context);
}

static void lost(struct listener *listener)
{
    tell(listener, &(struct sys_event){.type = SYS_EVENT_LOST});
}

/* Of an interface that is known by its index only. When it is gone already, the message about the
 * interface itself follows in the queue and has the name. */
static void tell_by_index(struct listener *listener, struct sys_event *event, int index)
{
    if (netlink_name(listener->nl, index, event->interface) != -ENODEV)
        tell(listener, event);
}

static struct nlattr *find(const struct nlmsghdr *hdr, size_t fixed, int type)
{
    return nlmsg_find_attr((struct nlmsghdr *)hdr, (int)fixed, type);
}

static uint32_t find_u32(const struct nlmsghdr *hdr, size_t fixed, int type, uint32_t otherwise)
{
    struct nlattr *attr = find(hdr, fixed, type);
    return attr && nla_len(attr) >= (int)sizeof(uint32_t) ? nla_get_u32(attr) : otherwise;
}

/* ---- the kinds of message -------------------------------------------------------------------- */

static void link_changed(struct listener *listener, const struct nlmsghdr *hdr)
{
    struct sys_event event = {.type = SYS_EVENT_LINK};
    struct nlattr *name = find(hdr, sizeof(struct ifinfomsg), IFLA_IFNAME);
    if (name)
        nla_strlcpy(event.interface, name, sizeof(event.interface));
    tell(listener, &event);
}

static void addr_changed(struct listener *listener, const struct nlmsghdr *hdr)
{
    const struct ifaddrmsg *info = nlmsg_data(hdr);
    struct sys_event event = {.type = SYS_EVENT_ADDRESS};
    tell_by_index(listener, &event, (int)info->ifa_index);
}

/* Those of the table `local` follow addresses, which have events of their own. */
static void route_changed(struct listener *listener, const struct nlmsghdr *hdr)
{
    const struct rtmsg *info = nlmsg_data(hdr);
    struct sys_event event = {
        .type = SYS_EVENT_ROUTE,
        .table = find_u32(hdr, sizeof(*info), RTA_TABLE, info->rtm_table),
        .protocol = info->rtm_protocol,
    };
    if (event.table != RT_TABLE_LOCAL && !(info->rtm_flags & RTM_F_CLONED))
        tell(listener, &event);
}

static void rule_changed(struct listener *listener, const struct nlmsghdr *hdr)
{
    struct nlattr *protocol = find(hdr, sizeof(struct fib_rule_hdr), FRA_PROTOCOL);
    struct sys_event event = {
        .type = SYS_EVENT_RULE,
        .priority = find_u32(hdr, sizeof(struct fib_rule_hdr), FRA_PRIORITY, 0),
        .protocol = protocol ? nla_get_u8(protocol) : 0,
    };
    tell(listener, &event);
}

/* What is set for all interfaces, or for those to come, has an index below 0. */
static void netconf_changed(struct listener *listener, const struct nlmsghdr *hdr)
{
    struct sys_event event = {.type = SYS_EVENT_NETCONF};
    int index = (int)find_u32(hdr, sizeof(struct netconfmsg), NETCONFA_IFINDEX, 0);
    if (index > 0)
        tell_by_index(listener, &event, index);
    else
        tell(listener, &event);
}

static void generation_changed(struct listener *listener, const struct nlmsghdr *hdr)
{
    struct sys_event event = {.type = SYS_EVENT_NFT};
    struct nlattr *name = find(hdr, sizeof(struct nfgenmsg), NFTA_GEN_PROC_NAME);
    uint32_t pid = ntohl(find_u32(hdr, sizeof(struct nfgenmsg), NFTA_GEN_PROC_PID, 0));
    char text[16] = "";
    if (name)
        nla_strlcpy(text, name, sizeof(text));
    snprintf(event.process, sizeof(event.process), "%s[%u]", text, pid);
    tell(listener, &event);
}

static const struct {
    int type;
    size_t fixed; /* size of what stands before the attributes */
    void (*read)(struct listener *listener, const struct nlmsghdr *hdr);
} kinds[] = {
    {RTM_NEWLINK, sizeof(struct ifinfomsg), link_changed},
    {RTM_DELLINK, sizeof(struct ifinfomsg), link_changed},
    {RTM_NEWADDR, sizeof(struct ifaddrmsg), addr_changed},
    {RTM_DELADDR, sizeof(struct ifaddrmsg), addr_changed},
    {RTM_NEWROUTE, sizeof(struct rtmsg), route_changed},
    {RTM_DELROUTE, sizeof(struct rtmsg), route_changed},
    {RTM_NEWRULE, sizeof(struct fib_rule_hdr), rule_changed},
    {RTM_DELRULE, sizeof(struct fib_rule_hdr), rule_changed},
    {RTM_NEWNETCONF, sizeof(struct netconfmsg), netconf_changed},
    {RTM_DELNETCONF, sizeof(struct netconfmsg), netconf_changed},
    {NEW_GENERATION, sizeof(struct nfgenmsg), generation_changed},
};

static void read_message(struct listener *listener, const struct nlmsghdr *hdr)
{
    if (hdr->nlmsg_pid && hdr->nlmsg_pid == listener->own_port) /* 0: the kernel by itself */
        return;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        if (kinds[i].type != hdr->nlmsg_type)
            continue;
        if (nlmsg_valid_hdr(hdr, (int)kinds[i].fixed))
            kinds[i].read(listener, hdr);
        else
            lost(listener);
    }
}

/* ---- the sockets ----------------------------------------------------------------------------- */

/* Somebody who loads 10,000 elements into a set would fill the queue with them; of every commit one
 * message, about the new generation, is enough. It comes alone in its datagram. */
static int let_generations_pass(struct nl_sock *sock)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(NEW_GENERATION), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};
    return setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                      sizeof(program));
}

static int join_route(struct nl_sock *sock)
{
    return nl_socket_add_memberships(sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                     RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
                                     RTNLGRP_IPV6_RULE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF,
                                     0);
}

static int join_nft(struct nl_sock *sock)
{
    int r = let_generations_pass(sock);
    return r < 0 ? r : nl_socket_add_memberships(sock, NFNLGRP_NFTABLES, 0);
}

static int open_socket(int protocol, int (*join)(struct nl_sock *sock), struct nl_sock **ret)
{
    struct nl_sock *sock = nl_socket_alloc();
    if (!sock)
        abort();
    nl_socket_disable_seq_check(sock);
    errno = 0;
    if (nl_connect(sock, protocol) < 0 || nl_socket_set_nonblocking(sock) < 0 || join(sock) < 0) {
        int errnum = errno ? errno : EIO;
        nl_socket_free(sock);
        return -errnum;
    }
    int fd = nl_socket_get_fd(sock), size = EVENT_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    *ret = sock;
    return 0;
}

static int watch(struct events *events, struct nl_sock *sock)
{
    struct epoll_event event = {.events = EPOLLIN};
    int r = epoll_ctl(events->epoll, EPOLL_CTL_ADD, nl_socket_get_fd(sock), &event);
    return r < 0 ? -errno : 0;
}

int events_open(struct events **ret)
{
    struct events *events = mem_alloc(sizeof(*events));
    events->buffer = mem_alloc(EVENT_SIZE);
    events->epoll = epoll_create1(EPOLL_CLOEXEC);
    int r = events->epoll < 0 ? -errno : open_socket(NETLINK_ROUTE, join_route, &events->route);
    if (r == 0)
        r = watch(events, events->route);
    if (r == 0 && open_socket(NETLINK_NETFILTER, join_nft, &events->nft) == 0)
        r = watch(events, events->nft);
    if (r < 0) {
        events_close(events);
        return r;
    }
    *ret = events;
    return 0;
}

void events_close(struct events *events)
{
    if (!events)
        return;
    if (events->route)
        nl_socket_free(events->route);
    if (events->nft)
        nl_socket_free(events->nft);
    if (events->epoll >= 0)
        close(events->epoll);
    free(events->buffer);
    free(events);
}

int events_fd(const struct events *events)
{
    return events->epoll;
}

/* One datagram. Returns false when there is none. */
static bool read_one(struct nl_sock *sock, char *buffer, struct listener *listener)
{
    struct sockaddr_nl from = {0};
    struct iovec data = {.iov_base = buffer, .iov_len = EVENT_SIZE};
    struct msghdr msg = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &data, .msg_iovlen = 1};
    ssize_t len = recvmsg(nl_socket_get_fd(sock), &msg, 0);
    if (len < 0 && errno == EINTR)
        return true;
    if (len < 0 && errno == EAGAIN)
        return false;
    if (len < 0 || msg.msg_flags & MSG_TRUNC) { /* ENOBUFS: the queue overflowed */
        bool go_on = len >= 0 || errno == ENOBUFS;
        lost(listener);
        return go_on;
    }
    if (from.nl_pid != 0)
        return true;
    int left = (int)len;
    for (struct nlmsghdr *hdr = (struct nlmsghdr *)buffer; nlmsg_ok(hdr, left);
         hdr = nlmsg_next(hdr, &left))
        read_message(listener, hdr);
    return true;
}

void events_read(struct events *events, struct netlink *nl, uint32_t nft_port,
                 void (*happened)(const struct sys_event *event, void *context), void *context)
{
    struct listener listener = {.nl = nl, .happened = happened, .context = context};
    listener.own_port = netlink_port(nl);
    for (unsigned i = 0; i < EVENTS_PER_READ; i++)
        if (!read_one(events->route, events->buffer, &listener))
            break;
    listener.own_port = nft_port;
    for (unsigned i = 0; events->nft && i < EVENTS_PER_READ; i++)
        if (!read_one(events->nft, events->buffer, &listener))
            break;
}
