/*
 * Messages for netfilter, one behind the other in one growing buffer, and what stands in them.
 *
 * Every message belongs to a change, numbered from 1 by who fills the batch: one change may take
 * several messages (a large set), and an answer is traced back to it. The number travels as the
 * sequence number of the message.
 */
#pragma once

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nfnl_batch {
    char *bytes;
    size_t len, capacity;
    size_t last;     /* where the last message begins */
    uint32_t change; /* of the messages that follow */
};
#define NFNL_BATCH_AUTO __attribute__((cleanup(nfnl_batch_clear))) struct nfnl_batch
void nfnl_batch_clear(struct nfnl_batch *batch);

/*
 * Begins a message of `subsystem` (NFNL_SUBSYS_…) with room for `room` bytes of attributes, and
 * ends it. Attributes are put with mnl_attr_put() and the like, which trust that there is room. The
 * pointer is valid until the next begin.
 */
struct nlmsghdr *nfnl_batch_begin(struct nfnl_batch *batch, int subsystem, int type, int flags,
                                  uint8_t family, size_t room);
void nfnl_batch_end(struct nfnl_batch *batch, const struct nlmsghdr *msg);

/*
 * A transaction stands between two boundaries (NFNL_MSG_BATCH_BEGIN, _END), which belong to change
 * 0. The first is put by who fills the batch, the second by nfnl_commit().
 */
void nfnl_batch_boundary(struct nfnl_batch *batch, int type);
/* Makes sequence numbers of the numbers of changes: `first` is change 0. Returns the largest. */
uint32_t nfnl_batch_number(struct nfnl_batch *batch, uint32_t first);

/* A small message of its own, for nfnl_ask(), in the caller's memory. */
enum { NFNL_QUESTION_SIZE = 512 };
struct nfnl_question {
    _Alignas(struct nlmsghdr) char bytes[NFNL_QUESTION_SIZE];
};
struct nlmsghdr *nfnl_question(struct nfnl_question *room, int subsystem, int type, int flags,
                               uint8_t family);

/* ---- attributes ------------------------------------------------------------------------------ */

enum { NFNL_ATTRS = 32 };

/* The attributes of a message or a nest by their type. */
struct nfnl_attrs {
    const struct nlattr *at[NFNL_ATTRS];
    unsigned count; /* of different ones, also of those that are too new for `at` */
};
void nfnl_attrs_of(const struct nlattr *nest, struct nfnl_attrs *ret); /* NULL: none */
void nfnl_attrs_of_message(const struct nlmsghdr *msg, struct nfnl_attrs *ret);

static inline void nfnl_put_number(struct nlmsghdr *msg, uint16_t type, uint32_t value)
{
    mnl_attr_put_u32(msg, type, htonl(value));
}
/* Reads a number of 1, 4 or 8 bytes in network order. False: absent or malformed. */
bool nfnl_number(const struct nlattr *attr, uint64_t *ret);
uint32_t nfnl_number_or(const struct nlattr *attr, uint32_t otherwise);
/* Copies a text and zeroes the rest. False: absent, or too long and cut. */
bool nfnl_text(const struct nlattr *attr, char *ret, size_t size);
bool nfnl_text_is(const struct nlattr *attr, const char *text);
