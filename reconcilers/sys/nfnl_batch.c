#include "reconcilers/sys/nfnl_batch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

void nfnl_batch_clear(struct nfnl_batch *batch)
{
    free(batch->bytes);
    *batch = (struct nfnl_batch){0};
}

static struct nlmsghdr *begin(void *room, int subsystem, int type, int flags, uint8_t family)
{
    struct nlmsghdr *msg = mnl_nlmsg_put_header(room);
    msg->nlmsg_type = (uint16_t)(subsystem << 8 | type);
    msg->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    struct nfgenmsg *header = mnl_nlmsg_put_extra_header(msg, sizeof(*header));
    *header = (struct nfgenmsg){.nfgen_family = family, .version = NFNETLINK_V0};
    return msg;
}

struct nlmsghdr *nfnl_batch_begin(struct nfnl_batch *batch, int subsystem, int type, int flags,
                                  uint8_t family, size_t room)
{
    size_t needed = batch->len + NLMSG_HDRLEN + sizeof(struct nfgenmsg) + room;
    if (needed > batch->capacity) {
        batch->capacity = needed > 2 * batch->capacity ? needed : 2 * batch->capacity;
        batch->bytes = mem_resize(batch->bytes, batch->capacity);
    }
    batch->last = batch->len;
    struct nlmsghdr *msg = begin(batch->bytes + batch->len, subsystem, type, flags, family);
    msg->nlmsg_seq = batch->change;
    return msg;
}

void nfnl_batch_end(struct nfnl_batch *batch, const struct nlmsghdr *msg)
{
    batch->len += NLMSG_ALIGN(msg->nlmsg_len);
}

void nfnl_batch_boundary(struct nfnl_batch *batch, int type)
{
    struct nlmsghdr *msg = nfnl_batch_begin(batch, NFNL_SUBSYS_NONE, type, 0, AF_UNSPEC, 0);
    struct nfgenmsg *header = mnl_nlmsg_get_payload(msg);
    header->res_id = htons(NFNL_SUBSYS_NFTABLES);
    msg->nlmsg_seq = 0;
    nfnl_batch_end(batch, msg);
}

uint32_t nfnl_batch_number(struct nfnl_batch *batch, uint32_t first)
{
    int left = (int)batch->len;
    uint32_t largest = first;
    for (struct nlmsghdr *msg = (void *)batch->bytes; mnl_nlmsg_ok(msg, left);
         msg = mnl_nlmsg_next(msg, &left)) {
        msg->nlmsg_seq += first;
        if (msg->nlmsg_seq > largest)
            largest = msg->nlmsg_seq;
    }
    return largest;
}

struct nlmsghdr *nfnl_question(struct nfnl_question *room, int subsystem, int type, int flags,
                               uint8_t family)
{
    return begin(room->bytes, subsystem, type, flags, family);
}

/* ---- attributes ------------------------------------------------------------------------------ */

static void keep(const struct nlattr *attr, struct nfnl_attrs *ret)
{
    uint16_t type = mnl_attr_get_type(attr);
    bool known = type < NFNL_ATTRS;
    ret->count += !known || !ret->at[type];
    if (known)
        ret->at[type] = attr;
}

void nfnl_attrs_of(const struct nlattr *nest, struct nfnl_attrs *ret)
{
    const struct nlattr *attr;
    *ret = (struct nfnl_attrs){0};
    if (!nest)
        return;
    mnl_attr_for_each_nested(attr, nest)
    {
        keep(attr, ret);
    }
}

void nfnl_attrs_of_message(const struct nlmsghdr *msg, struct nfnl_attrs *ret)
{
    const struct nlattr *attr;
    *ret = (struct nfnl_attrs){0};
    mnl_attr_for_each(attr, msg, sizeof(struct nfgenmsg))
    {
        keep(attr, ret);
    }
}

bool nfnl_number(const struct nlattr *attr, uint64_t *ret)
{
    size_t len = attr ? mnl_attr_get_payload_len(attr) : 0;
    if (len == sizeof(uint8_t))
        *ret = mnl_attr_get_u8(attr);
    else if (len == sizeof(uint32_t))
        *ret = ntohl(mnl_attr_get_u32(attr));
    else if (len == sizeof(uint64_t))
        *ret = be64toh(mnl_attr_get_u64(attr));
    else
        return false;
    return true;
}

uint32_t nfnl_number_or(const struct nlattr *attr, uint32_t otherwise)
{
    uint64_t value;
    return nfnl_number(attr, &value) ? (uint32_t)value : otherwise;
}

bool nfnl_text(const struct nlattr *attr, char *ret, size_t size)
{
    const char *text = attr ? mnl_attr_get_payload(attr) : "";
    size_t len = attr ? strnlen(text, mnl_attr_get_payload_len(attr)) : 0;
    size_t kept = len < size ? len : size - 1;
    memset(ret, 0, size);
    memcpy(ret, text, kept);
    return attr && kept == len;
}

bool nfnl_text_is(const struct nlattr *attr, const char *text)
{
    size_t len = strlen(text);
    return attr && strnlen(mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr)) == len &&
           memcmp(mnl_attr_get_payload(attr), text, len) == 0;
}
