#include "reconcilers/sys/events.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "schema/base/mem.h"

enum {
    EVENT_SIZE = 16 << 10,  /* one notification is about 1.5 KiB */
    EVENT_BUFFER = 1 << 20, /* in the kernel: some hundred changes while we are busy */
    EVENTS_PER_READ = 1000,
};

struct events {
    struct nl_sock *socket;
    char *buffer;
};

/* Where the messages of one read go. */
struct listener {
    struct netlink *nl;
    uint32_t own_port;
    void (*changed)(const char *interface, void *context);
    void *context;
};

int events_open(struct events **ret)
{
    struct nl_sock *sock = nl_socket_alloc();
    if (!sock)
        abort();
    nl_socket_disable_seq_check(sock);
    errno = 0;
    if (nl_connect(sock, NETLINK_ROUTE) < 0 || nl_socket_set_nonblocking(sock) < 0 ||
        nl_socket_add_memberships(sock, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0) <
            0) {
        int errnum = errno ? errno : EIO;
        nl_socket_free(sock);
        return -errnum;
    }
    int size = EVENT_BUFFER;
    if (setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(nl_socket_get_fd(sock), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));

    struct events *events = mem_alloc(sizeof(*events));
    events->socket = sock;
    events->buffer = mem_alloc(EVENT_SIZE);
    *ret = events;
    return 0;
}

void events_close(struct events *events)
{
    if (!events)
        return;
    nl_socket_free(events->socket);
    free(events->buffer);
    free(events);
}

int events_fd(const struct events *events)
{
    return nl_socket_get_fd(events->socket);
}

static void link_changed(const struct listener *listener, const struct nlmsghdr *hdr)
{
    char name[IFNAMSIZ];
    struct nlattr *attr =
        nlmsg_valid_hdr(hdr, sizeof(struct ifinfomsg))
            ? nlmsg_find_attr((struct nlmsghdr *)hdr, sizeof(struct ifinfomsg), IFLA_IFNAME)
            : NULL;
    if (attr)
        nla_strlcpy(name, attr, sizeof(name));
    listener->changed(attr ? name : NULL, listener->context);
}

/* An address names its interface by index only. When that is gone already, the message about the
 * interface itself follows in the queue and has the name. */
static void addr_changed(const struct listener *listener, const struct nlmsghdr *hdr)
{
    char name[IFNAMSIZ];
    if (!nlmsg_valid_hdr(hdr, sizeof(struct ifaddrmsg))) {
        listener->changed(NULL, listener->context);
        return;
    }
    const struct ifaddrmsg *info = nlmsg_data(hdr);
    int r = netlink_name(listener->nl, (int)info->ifa_index, name);
    if (r != -ENODEV)
        listener->changed(r == 0 ? name : NULL, listener->context);
}

static const struct {
    int type;
    void (*tell)(const struct listener *listener, const struct nlmsghdr *hdr);
} kinds[] = {
    {RTM_NEWLINK, link_changed},
    {RTM_DELLINK, link_changed},
    {RTM_NEWADDR, addr_changed},
    {RTM_DELADDR, addr_changed},
};

static void tell(const struct listener *listener, const struct nlmsghdr *hdr)
{
    if (hdr->nlmsg_pid && hdr->nlmsg_pid == listener->own_port) /* 0: the kernel by itself */
        return;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (kinds[i].type == hdr->nlmsg_type)
            kinds[i].tell(listener, hdr);
}

/* One datagram. Returns false when there is none. */
static bool read_one(struct events *events, const struct listener *listener)
{
    struct sockaddr_nl from = {0};
    struct iovec data = {.iov_base = events->buffer, .iov_len = EVENT_SIZE};
    struct msghdr msg = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &data, .msg_iovlen = 1};
    ssize_t len = recvmsg(events_fd(events), &msg, 0);
    if (len < 0 && errno == EINTR)
        return true;
    if (len < 0 && errno == EAGAIN)
        return false;
    if (len < 0 || msg.msg_flags & MSG_TRUNC) { /* ENOBUFS: the queue overflowed */
        bool go_on = len >= 0 || errno == ENOBUFS;
        listener->changed(NULL, listener->context);
        return go_on;
    }
    if (from.nl_pid != 0)
        return true;
    int left = (int)len;
    for (struct nlmsghdr *hdr = (struct nlmsghdr *)events->buffer; nlmsg_ok(hdr, left);
         hdr = nlmsg_next(hdr, &left))
        tell(listener, hdr);
    return true;
}

void events_read(struct events *events, struct netlink *nl,
                 void (*changed)(const char *interface, void *context), void *context)
{
    struct listener listener = {
        .nl = nl, .own_port = netlink_port(nl), .changed = changed, .context = context};
    for (unsigned i = 0; i < EVENTS_PER_READ && read_one(events, &listener); i++)
        ;
}
