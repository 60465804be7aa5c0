#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>
#include <sys/socket.h>

#include "schema/base/mem.h"

/* Of CTA_FILTER_ORIG_FLAGS: the source address counts. The kernel has it in no public header. */
enum { FILTER_SOURCE = 1 << 0 };

static uint16_t source_attr(const struct ip *ip)
{
    return ip->family == AF_INET6 ? CTA_IP_V6_SRC : CTA_IP_V4_SRC;
}

static size_t address_size(const struct ip *ip)
{
    return ip_bits(ip) / 8;
}

/* ---- finding --------------------------------------------------------------------------------- */

struct search {
    const struct ip *source;
    struct nfnl_batch *found; /* one message each, that deletes it */
};

static bool comes_from(const struct nfnl_attrs *entry, const struct ip *source)
{
    struct nfnl_attrs attrs;
    nfnl_attrs_of(entry->at[CTA_TUPLE_ORIG], &attrs);
    nfnl_attrs_of(attrs.at[CTA_TUPLE_IP], &attrs);
    const struct nlattr *address = attrs.at[source_attr(source)];
    return address && mnl_attr_get_payload_len(address) == address_size(source) &&
           memcmp(mnl_attr_get_payload(address), source->bytes, address_size(source)) == 0;
}

/* An entry is named by its first tuple, in its zone; the id tells it from one that came after it
 * and looks the same. */
static int find(const struct nlmsghdr *row, void *context)
{
    static const uint8_t names[] = {CTA_TUPLE_ORIG, CTA_ZONE, CTA_ID};
    const struct search *search = context;
    struct nfnl_attrs entry;
    nfnl_attrs_of_message(row, &entry);
    /* Kernels before 5.8 do not filter IPv4 either: every entry comes. */
    if (!comes_from(&entry, search->source))
        return 0;
    size_t room = 0;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        room += entry.at[names[i]] ? MNL_ALIGN(entry.at[names[i]]->nla_len) : 0;
    struct nlmsghdr *msg =
        nfnl_batch_begin(search->found, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, NLM_F_ACK,
                         search->source->family, room);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct nlattr *attr = entry.at[names[i]];
        if (attr)
            mnl_attr_put(msg, attr->nla_type, mnl_attr_get_payload_len(attr),
                         mnl_attr_get_payload(attr));
    }
    nfnl_batch_end(search->found, msg);
    return 0;
}

static void put_filter(struct nlmsghdr *msg, const struct ip *source)
{
    struct nlattr *tuple = mnl_attr_nest_start(msg, CTA_TUPLE_ORIG);
    struct nlattr *ip = mnl_attr_nest_start(msg, CTA_TUPLE_IP);
    mnl_attr_put(msg, source_attr(source), address_size(source), source->bytes);
    mnl_attr_nest_end(msg, ip);
    mnl_attr_nest_end(msg, tuple);
    struct nlattr *filter = mnl_attr_nest_start(msg, CTA_FILTER);
    mnl_attr_put_u32(msg, CTA_FILTER_ORIG_FLAGS, FILTER_SOURCE);
    mnl_attr_put_u32(msg, CTA_FILTER_REPLY_FLAGS, 0);
    mnl_attr_nest_end(msg, filter);
}

static int search_all(struct nfnl *nfnl, const struct search *search)
{
    struct nfnl_question room;
    struct nfnl_reader reader = {.row = find, .context = (void *)search};
    struct nlmsghdr *msg = nfnl_question(&room, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET,
                                         NLM_F_DUMP, search->source->family);
    /* Measured on 6.18: by an IPv6 address the kernel lets pass all entries but those of it. */
    if (search->source->family == AF_INET)
        put_filter(msg, search->source);
    return nfnl_ask(nfnl, msg, &reader);
}

/* ---- forgetting ------------------------------------------------------------------------------ */

static int forget_all(struct nfnl *nfnl, struct nfnl_batch *found)
{
    int left = (int)found->len, r = 0;
    for (struct nlmsghdr *msg = (void *)found->bytes; r == 0 && mnl_nlmsg_ok(msg, left);
         msg = mnl_nlmsg_next(msg, &left)) {
        r = nfnl_ask(nfnl, msg, NULL);
        if (r == -ENOENT) /* it has ended by itself */
            r = 0;
    }
    return r;
}

/* How a kernel answers that has no netfilter, or no connection tracking in it. */
static bool is_missing(int r)
{
    return r == -EPROTONOSUPPORT || r == -EOPNOTSUPP || r == -EINVAL || r == -ENOENT;
}

int real_conntrack_forget(void *side, const struct ip *source, struct error **reterr)
{
    struct real *real = side;
    char text[ADDR_TEXT_MAX];
    NFNL_BATCH_AUTO found = {0};
    struct search search = {.source = source, .found = &found};
    int r = search_all(real->nfnl, &search);
    if (is_missing(r))
        return 0;
    if (r == 0)
        r = forget_all(real->nfnl, &found);
    if (r == 0)
        return 0;
    return nfnl_fail(real->nfnl, error_class_of(-r), -r, reterr,
                     "cannot forget the connections of \"%s\"", ip_format(source, text));
}
