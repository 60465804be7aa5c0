#include "reconcilers/sys/nfnl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

enum {
    RECEIVE_SIZE = 64 << 10,     /* with less than 32 KiB the kernel cuts dumps short */
    RECEIVE_BUFFER = 4 << 20,    /* in the kernel: the answers to a transaction that fails often */
    RECEIVE_TIMEOUT_SECONDS = 5, /* the kernel answers within the call: silence is a fault */
    /* One transaction is one sendmsg(): the kernel's own 208 KiB end at some 7,000 elements. */
    TRANSACTION_MAX = 16 << 20,
    SAID_SIZE = 160,
};

struct nfnl {
    struct mnl_socket *socket; /* NULL before the first conversation, and after a failure */
    char *buffer;
    uint32_t seq;         /* the last one that was used */
    char said[SAID_SIZE]; /* what the kernel said about the last error, or empty */
};

/* ---- the socket ------------------------------------------------------------------------------ */

struct nfnl *nfnl_new(void)
{
    return mem_alloc(sizeof(struct nfnl));
}

static void disconnect(struct nfnl *nl)
{
    if (nl->socket)
        mnl_socket_close(nl->socket);
    nl->socket = NULL;
}

void nfnl_free(struct nfnl *nl)
{
    if (!nl)
        return;
    disconnect(nl);
    free(nl->buffer);
    free(nl);
}

uint32_t nfnl_port(const struct nfnl *nl)
{
    return nl->socket ? mnl_socket_get_portid(nl->socket) : 0;
}

/* Forcing needs CAP_NET_ADMIN over the namespace; without it the system's limit holds. */
static void set_room(int fd, int forced, int plain, int size)
{
    if (setsockopt(fd, SOL_SOCKET, forced, &size, sizeof(size)) < 0)
        setsockopt(fd, SOL_SOCKET, plain, &size, sizeof(size));
}

static int connect_socket(struct nfnl *nl)
{
    int on = 1;
    struct timeval timeout = {.tv_sec = RECEIVE_TIMEOUT_SECONDS};
    if (nl->socket)
        return 0;
    nl->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
    if (!nl->socket)
        return -errno;
    int fd = mnl_socket_get_fd(nl->socket);
    if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0) {
        int errnum = errno;
        disconnect(nl);
        return -errnum;
    }
    set_room(fd, SO_SNDBUFFORCE, SO_SNDBUF, TRANSACTION_MAX);
    set_room(fd, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER);
    mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
    /* A refused message is not sent back: with elements it has 64 KiB. */
    mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof(on));
    if (!nl->buffer)
        nl->buffer = mem_alloc(RECEIVE_SIZE);
    return 0;
}

static int transmit(struct nfnl *nl, const void *data, size_t len)
{
    ssize_t sent;
    do {
        sent = mnl_socket_sendto(nl->socket, data, len);
    } while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* One datagram: its length, 0 for one that is not the kernel's, or a negative errno value. */
static ssize_t receive(struct nfnl *nl, int flags)
{
    struct sockaddr_nl from = {0};
    struct iovec data = {.iov_base = nl->buffer, .iov_len = RECEIVE_SIZE};
    struct msghdr msg = {
        .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &data, .msg_iovlen = 1};
    ssize_t len;
    do {
        len = recvmsg(mnl_socket_get_fd(nl->socket), &msg, flags);
    } while (len < 0 && errno == EINTR);
    if (len < 0)
        return -errno;
    if (msg.msg_flags & MSG_TRUNC)
        return -EMSGSIZE;
    return from.nl_pid == 0 ? len : 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Keeps the kernel's words, which stand in attributes behind the fixed part of `hdr`. */
static void keep_words(struct nfnl *nl, const struct nlmsghdr *hdr, size_t fixed)
{
    const struct nlattr *attr;
    if (!(hdr->nlmsg_flags & NLM_F_ACK_TLVS) || fixed > mnl_nlmsg_get_payload_len(hdr))
        return;
    mnl_attr_for_each(attr, hdr, fixed)
    {
        if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG)
            nfnl_text(attr, nl->said, sizeof(nl->said));
    }
}

/* The result that an NLMSG_ERROR or NLMSG_DONE carries: 0 or a negative errno value. */
static int result_of(struct nfnl *nl, const struct nlmsghdr *hdr)
{
    int result = 0;
    size_t len = mnl_nlmsg_get_payload_len(hdr), fixed = sizeof(result);
    if (hdr->nlmsg_type == NLMSG_ERROR) {
        const struct nlmsgerr *answer = mnl_nlmsg_get_payload(hdr);
        if (len < sizeof(*answer))
            return -EBADMSG;
        fixed = sizeof(*answer);
        if (!(hdr->nlmsg_flags & NLM_F_CAPPED) && answer->msg.nlmsg_len >= NLMSG_HDRLEN)
            fixed += NLMSG_ALIGN(answer->msg.nlmsg_len - NLMSG_HDRLEN);
    }
    if (len >= sizeof(result))
        memcpy(&result, mnl_nlmsg_get_payload(hdr), sizeof(result));
    if (result < 0)
        keep_words(nl, hdr, fixed);
    return result < 0 ? result : 0;
}

/* ---- questions ------------------------------------------------------------------------------- */

struct talk {
    const struct nfnl_reader *reader;
    uint32_t seq;
    bool told;        /* a row came */
    bool interrupted; /* what is dumped changed while the kernel wrote it */
    bool ended;       /* the kernel has nothing more to say: the socket is clean */
};

enum { TALK_DONE = 1 };

static int read_message(struct nfnl *nl, struct talk *talk, const struct nlmsghdr *hdr)
{
    if (hdr->nlmsg_seq != talk->seq)
        return 0;
    if (hdr->nlmsg_flags & NLM_F_DUMP_INTR)
        talk->interrupted = true;
    if (hdr->nlmsg_type == NLMSG_ERROR || hdr->nlmsg_type == NLMSG_DONE) {
        talk->ended = true;
        int r = result_of(nl, hdr);
        return r < 0 ? r : TALK_DONE;
    }
    if (hdr->nlmsg_type < NLMSG_MIN_TYPE)
        return hdr->nlmsg_type == NLMSG_OVERRUN ? -ENOBUFS : 0;
    talk->told = true;
    bool wanted = talk->reader && !talk->interrupted;
    int r = wanted ? talk->reader->row(hdr, talk->reader->context) : 0;
    if (r < 0 || hdr->nlmsg_flags & NLM_F_MULTI)
        return r;
    talk->ended = true;
    return TALK_DONE;
}

static int read_answers(struct nfnl *nl, struct talk *talk)
{
    for (;;) {
        ssize_t len = receive(nl, 0);
        if (len < 0)
            return len == -EAGAIN ? -ETIMEDOUT : (int)len;
        int left = (int)len;
        for (const struct nlmsghdr *hdr = (void *)nl->buffer; mnl_nlmsg_ok(hdr, left);
             hdr = mnl_nlmsg_next(hdr, &left)) {
            int r = read_message(nl, talk, hdr);
            if (r != 0)
                return r < 0 ? r : 0;
        }
    }
}

int nfnl_ask(struct nfnl *nl, struct nlmsghdr *question, const struct nfnl_reader *reader)
{
    bool one_answer = !(question->nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK));
    nl->said[0] = '\0';
    int r = connect_socket(nl);
    if (r < 0)
        return r;
    struct talk talk = {.reader = reader, .seq = ++nl->seq};
    question->nlmsg_seq = talk.seq;
    r = transmit(nl, question, question->nlmsg_len);
    if (r == 0)
        r = read_answers(nl, &talk);
    if (!talk.ended)
        disconnect(nl);
    if (r == 0 && one_answer && !talk.told)
        return -EBADMSG;
    return r == 0 && talk.interrupted ? -EAGAIN : r;
}

/* ---- transactions ---------------------------------------------------------------------------- */

struct verdict {
    uint32_t first, last; /* sequence numbers: of the batch's begin, and of its last change */
    uint32_t refused;     /* the one of the first error */
    int error;            /* 0: none */
    bool acknowledged;
};

static void hear(struct nfnl *nl, struct verdict *verdict, const struct nlmsghdr *hdr)
{
    bool ours = hdr->nlmsg_seq >= verdict->first && hdr->nlmsg_seq <= verdict->last;
    if (!ours || hdr->nlmsg_type != NLMSG_ERROR || verdict->error)
        return;
    verdict->error = result_of(nl, hdr);
    verdict->refused = hdr->nlmsg_seq;
    verdict->acknowledged = !verdict->error && hdr->nlmsg_seq == verdict->last;
}

/*
 * The kernel has carried out or refused the transaction when sendmsg() returns, and has put every
 * answer into the socket: none is waited for. It answers to each message that it refuses; when they
 * are too many for the socket the first ones are there, and they are what counts.
 */
static int hear_all(struct nfnl *nl, struct verdict *verdict)
{
    ssize_t len;
    while ((len = receive(nl, MSG_DONTWAIT)) != -EAGAIN) {
        if (len < 0 && len != -ENOBUFS)
            return (int)len;
        int left = len < 0 ? 0 : (int)len;
        for (const struct nlmsghdr *hdr = (void *)nl->buffer; mnl_nlmsg_ok(hdr, left);
             hdr = mnl_nlmsg_next(hdr, &left))
            hear(nl, verdict, hdr);
    }
    if (verdict->error)
        return verdict->error;
    return verdict->acknowledged ? 0 : -EBADMSG;
}

int nfnl_commit(struct nfnl *nl, struct nfnl_batch *batch, uint32_t *retchange)
{
    struct verdict verdict = {.first = nl->seq + 1};
    *retchange = NFNL_NO_CHANGE;
    nl->said[0] = '\0';
    if (batch->last == 0) /* nothing but the begin */
        return 0;
    if (batch->len > TRANSACTION_MAX)
        return -EMSGSIZE;
    int r = connect_socket(nl);
    if (r < 0)
        return r;
    struct nlmsghdr *last = (struct nlmsghdr *)(batch->bytes + batch->last);
    last->nlmsg_flags |= NLM_F_ACK;
    nfnl_batch_boundary(batch, NFNL_MSG_BATCH_END);
    nl->seq = verdict.last = nfnl_batch_number(batch, verdict.first);

    r = transmit(nl, batch->bytes, batch->len);
    if (r == 0)
        r = hear_all(nl, &verdict);
    if (r < 0 && !verdict.error)
        disconnect(nl);
    if (verdict.error)
        *retchange = verdict.refused - verdict.first;
    return r;
}

int nfnl_fail(const struct nfnl *nl, enum error_class class, int errnum, struct error **reterr,
              const char *format, ...)
{
    char buf[128];
    va_list args;
    va_start(args, format);
    STRBUF_AUTO what = STRBUF_INIT;
    strbuf_vprintf(&what, format, args);
    va_end(args);
    if (nl->said[0])
        strbuf_printf(&what, ": %s", nl->said);
    if (errnum == EPERM)
        strbuf_puts(&what, ": not permitted; run as root");
    else
        strbuf_printf(&what, ": %s", strerror_r(errnum, buf, sizeof(buf)));
    return error_make_class(reterr, class, errnum, "%s", what.text);
}
