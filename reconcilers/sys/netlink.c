#include "reconcilers/sys/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netlink/socket.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

enum {
    RECEIVE_SIZE = 32 << 10,     /* the kernel fills at most this much per message of a dump */
    RECEIVE_BUFFER = 1 << 20,    /* in the kernel; libnl's own 32 KiB overflow under load */
    RECEIVE_TIMEOUT_SECONDS = 5, /* the kernel answers within the call: silence is a fault */
    MESSAGE_SIZE = 1024,         /* ours are far smaller */
    DUMP_ATTEMPTS = 8,
    DUMP_PAUSE_NS = 500 * 1000, /* before the second attempt; doubles with each */
};

struct netlink {
    struct nl_sock *socket; /* NULL after a failure: the next call makes a new one */
    char *buffer;
    char said[160]; /* what the kernel said about the last error, or empty */
};

/* ---- the socket ------------------------------------------------------------------------------ */

static void disconnect(struct netlink *nl)
{
    if (nl->socket)
        nl_socket_free(nl->socket);
    nl->socket = NULL;
}

static int connect_socket(struct netlink *nl)
{
    nl->socket = nl_socket_alloc();
    if (!nl->socket)
        abort();
    nl_socket_disable_auto_ack(nl->socket);
    errno = 0;
    if (nl_connect(nl->socket, NETLINK_ROUTE) < 0) {
        int errnum = errno ? errno : EIO;
        disconnect(nl);
        return -errnum;
    }
    int fd = nl_socket_get_fd(nl->socket), on = 1, size = RECEIVE_BUFFER;
    struct timeval timeout = {.tv_sec = RECEIVE_TIMEOUT_SECONDS};
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
        int errnum = errno;
        disconnect(nl);
        return -errnum;
    }
    /* A larger buffer, the kernel's words and its filters are comforts: older kernels lack some. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
    setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    return 0;
}

int netlink_open(struct netlink **ret)
{
    struct netlink *nl = mem_alloc(sizeof(*nl));
    int r = connect_socket(nl);
    if (r < 0) {
        free(nl);
        return r;
    }
    nl->buffer = mem_alloc(RECEIVE_SIZE);
    *ret = nl;
    return 0;
}

void netlink_close(struct netlink *nl)
{
    if (!nl)
        return;
    disconnect(nl);
    free(nl->buffer);
    free(nl);
}

uint32_t netlink_port(const struct netlink *nl)
{
    return nl->socket ? nl_socket_get_local_port(nl->socket) : 0;
}

/* ---- messages -------------------------------------------------------------------------------- */

struct nl_msg *netlink_message(int type, int flags, const void *header, size_t len)
{
    struct nl_msg *msg = nlmsg_alloc_size(MESSAGE_SIZE);
    if (!msg || !nlmsg_put(msg, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | flags) ||
        nlmsg_append(msg, (void *)header, len, NLMSG_ALIGNTO) < 0)
        abort();
    return msg;
}

void netlink_put(struct nl_msg *msg, int type, const void *data, size_t len)
{
    if (nla_put(msg, type, (int)len, data) < 0)
        abort();
}

void netlink_put_u32(struct nl_msg *msg, int type, uint32_t value)
{
    netlink_put(msg, type, &value, sizeof(value));
}

void netlink_put_text(struct nl_msg *msg, int type, const char *text)
{
    netlink_put(msg, type, text, strlen(text) + 1);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* A conversation: one request and all that comes back for it. */
struct talk {
    const struct netlink_reader *reader; /* NULL: only an acknowledgement is expected */
    uint32_t seq;
    bool told;        /* a row came */
    bool interrupted; /* the list changed while the kernel wrote it */
    bool ended;       /* the kernel has nothing more to say: the socket is clean */
};

enum { TALK_DONE = 1 }; /* the conversation is over, with success */

/* Keeps the kernel's words, which stand in attributes behind the fixed part of `hdr`. */
static void keep_words(struct netlink *nl, const struct nlmsghdr *hdr, size_t fixed)
{
    if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS) || fixed > (size_t)nlmsg_datalen(hdr))
        return;
    struct nlattr *words = nla_find((struct nlattr *)((char *)nlmsg_data(hdr) + fixed),
                                    nlmsg_datalen(hdr) - (int)fixed, NLMSGERR_ATTR_MSG);
    if (words)
        nla_strlcpy(nl->said, words, sizeof(nl->said));
}

static int read_error(struct netlink *nl, struct talk *talk, const struct nlmsghdr *hdr)
{
    if (nlmsg_datalen(hdr) < (int)sizeof(struct nlmsgerr))
        return -EBADMSG;
    talk->ended = true;
    const struct nlmsgerr *answer = nlmsg_data(hdr);
    size_t fixed = sizeof(*answer);
    if (!(hdr->nlmsg_flags & NLM_F_CAPPED) && answer->msg.nlmsg_len >= NLMSG_HDRLEN)
        fixed += NLMSG_ALIGN(answer->msg.nlmsg_len - NLMSG_HDRLEN);
    if (answer->error)
        keep_words(nl, hdr, fixed);
    return answer->error < 0 ? answer->error : TALK_DONE;
}

/* The end of a dump carries an errno: without it a list that failed would look empty. */
static int read_done(struct netlink *nl, struct talk *talk, const struct nlmsghdr *hdr)
{
    int error = 0;
    talk->ended = true;
    if (nlmsg_datalen(hdr) >= (int)sizeof(error))
        memcpy(&error, nlmsg_data(hdr), sizeof(error));
    if (error < 0)
        keep_words(nl, hdr, NLMSG_ALIGN(sizeof(error)));
    return error < 0 ? error : TALK_DONE;
}

static int read_message(struct netlink *nl, struct talk *talk, const struct nlmsghdr *hdr)
{
    if (hdr->nlmsg_seq != talk->seq)
        return 0;
    if (hdr->nlmsg_flags & NLM_F_DUMP_INTR)
        talk->interrupted = true;
    if (hdr->nlmsg_type == NLMSG_ERROR)
        return read_error(nl, talk, hdr);
    if (hdr->nlmsg_type == NLMSG_DONE)
        return read_done(nl, talk, hdr);
    if (hdr->nlmsg_type == NLMSG_OVERRUN)
        return -ENOBUFS;
    if (hdr->nlmsg_type < NLMSG_MIN_TYPE || !talk->reader)
        return 0;
    talk->told = true;
    int r = talk->interrupted ? 0 : talk->reader->row(hdr, talk->reader->context);
    if (r < 0 || hdr->nlmsg_flags & NLM_F_MULTI)
        return r;
    talk->ended = true;
    return TALK_DONE;
}

/* One datagram: its length, or a negative errno value. */
static ssize_t receive(struct netlink *nl)
{
    struct sockaddr_nl from = {0};
    struct iovec data = {.iov_base = nl->buffer, .iov_len = RECEIVE_SIZE};
    struct msghdr msg = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &data, .msg_iovlen = 1};
    ssize_t len;
    do {
        len = recvmsg(nl_socket_get_fd(nl->socket), &msg, 0);
    } while (len < 0 && errno == EINTR);
    if (len < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (msg.msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    return from.nl_pid == 0 ? len : 0; /* only the kernel is believed */
}

static int read_answers(struct netlink *nl, struct talk *talk)
{
    for (;;) {
        ssize_t len = receive(nl);
        if (len < 0)
            return (int)len;
        int left = (int)len;
        for (struct nlmsghdr *hdr = (struct nlmsghdr *)nl->buffer; nlmsg_ok(hdr, left);
             hdr = nlmsg_next(hdr, &left)) {
            int r = read_message(nl, talk, hdr);
            if (r != 0)
                return r < 0 ? r : 0;
        }
    }
}

static int converse(struct netlink *nl, struct nl_msg *msg, struct talk *talk)
{
    nl->said[0] = '\0';
    int r = nl->socket ? 0 : connect_socket(nl);
    if (r < 0)
        return r;
    struct nlmsghdr *hdr = nlmsg_hdr(msg);
    hdr->nlmsg_pid = hdr->nlmsg_seq = 0; /* filled in anew, also when the message is sent again */
    nl_complete_msg(nl->socket, msg);
    talk->seq = hdr->nlmsg_seq;
    if (send(nl_socket_get_fd(nl->socket), hdr, hdr->nlmsg_len, 0) < 0)
        r = -errno;
    else
        r = read_answers(nl, talk);
    if (!talk->ended)
        disconnect(nl);
    return r;
}

int netlink_request(struct netlink *nl, struct nl_msg *msg)
{
    nlmsg_hdr(msg)->nlmsg_flags |= NLM_F_ACK;
    struct talk talk = {0};
    return converse(nl, msg, &talk);
}

int netlink_get(struct netlink *nl, struct nl_msg *msg, const struct netlink_reader *reader)
{
    struct talk talk = {.reader = reader};
    int r = converse(nl, msg, &talk);
    return r == 0 && !talk.told ? -EBADMSG : r;
}

int netlink_dump(struct netlink *nl, struct nl_msg *msg, const struct netlink_reader *reader)
{
    struct timespec pause = {.tv_nsec = DUMP_PAUSE_NS};
    for (unsigned attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
        if (attempt) {
            nanosleep(&pause, NULL);
            pause.tv_nsec *= 2;
        }
        if (reader->restart)
            reader->restart(reader->context);
        struct talk talk = {.reader = reader};
        int r = converse(nl, msg, &talk);
        if (r < 0 || !talk.interrupted)
            return r;
    }
    snprintf(nl->said, sizeof(nl->said), "it kept changing while it was read");
    return -EAGAIN;
}

bool netlink_no_family(int result, uint8_t family)
{
    return family == AF_INET6 && (result == -EAFNOSUPPORT || result == -EOPNOTSUPP);
}

int netlink_fail(const struct netlink *nl, int errnum, struct error **reterr, const char *format,
                 ...)
{
    va_list args;
    va_start(args, format);
    STRBUF_AUTO what = STRBUF_INIT;
    strbuf_vprintf(&what, format, args);
    va_end(args);
    if (nl->said[0])
        strbuf_printf(&what, ": %s", nl->said);
    if (errnum == EPERM)
        return error_make(reterr, errnum, "%s: not permitted; run as root", what.text);
    return error_errno(reterr, errnum, "%s", what.text);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A socket of any family answers these, and they wait for no lock that is held long. */
static int ask(struct netlink *nl, unsigned long question, struct ifreq *request)
{
    int r = nl->socket ? 0 : connect_socket(nl);
    if (r < 0)
        return r;
    return ioctl(nl_socket_get_fd(nl->socket), question, request) < 0 ? -errno : 0;
}

int netlink_index(struct netlink *nl, const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    int r = ask(nl, SIOCGIFINDEX, &request);
    return r < 0 ? r : request.ifr_ifindex;
}

int netlink_name(struct netlink *nl, int index, char ret[static IFNAMSIZ])
{
    struct ifreq request = {.ifr_ifindex = index};
    int r = ask(nl, SIOCGIFNAME, &request);
    if (r == 0)
        memcpy(ret, request.ifr_name, IFNAMSIZ);
    return r;
}
