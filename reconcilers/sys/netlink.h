/*
 * Requests to the kernel over rtnetlink: one socket, one request at a time, raw messages.
 *
 * libnl gives the socket, the messages and the attributes. Receiving is done here, because libnl
 * folds several errno values into one and takes a dump that failed for an empty one.
 *
 * Results are plain: >= 0 as described, or the negative errno value exactly as the kernel gave it;
 * netlink_fail() makes an error of it, with the kernel's own words where it said some. After a
 * transport failure the socket is made anew, so that no half-read answer is left in it.
 */
#pragma once

#include <net/if.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/error.h"

struct netlink;

/* Returns 0, or a negative errno value. */
int netlink_open(struct netlink **ret);
void netlink_close(struct netlink *nl); /* takes NULL */

/* The port number that marks messages caused by our requests. */
uint32_t netlink_port(const struct netlink *nl);

/* A request with its fixed header. It has room for some hundred bytes of attributes: a put that
 * does not fit is a bug of the caller and aborts. */
struct nl_msg *netlink_message(int type, int flags, const void *header, size_t len);
void netlink_put(struct nl_msg *msg, int type, const void *data, size_t len);
void netlink_put_u32(struct nl_msg *msg, int type, uint32_t value);
void netlink_put_text(struct nl_msg *msg, int type, const char *text);

static inline void netlink_message_freep(struct nl_msg **msg)
{
    nlmsg_free(*msg);
}
#define NETLINK_MESSAGE __attribute__((cleanup(netlink_message_freep))) struct nl_msg

/* Who reads an answer. A row returns 0, or a negative errno value that ends the call. */
struct netlink_reader {
    int (*row)(const struct nlmsghdr *row, void *context);
    void (*restart)(
        void *context); /* dumps: forget the rows so far; may be NULL when there are none */
    void *context;
};

/* A change: waits for the acknowledgement. */
int netlink_request(struct netlink *nl, struct nl_msg *msg);
/* A question with one answer. */
int netlink_get(struct netlink *nl, struct nl_msg *msg, const struct netlink_reader *reader);
/* A list (the message has NLM_F_DUMP). One that changed while it was read is read again, a few
 * times with pauses; then -EAGAIN. */
int netlink_dump(struct netlink *nl, struct nl_msg *msg, const struct netlink_reader *reader);

/* Is this the answer of a kernel without IPv6 to a question about it? */
bool netlink_no_family(int result, uint8_t family);

/* Makes the error of the last failed call; returns -errnum. */
int netlink_fail(const struct netlink *nl, int errnum, struct error **reterr, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* The interface's index, and its name: -ENODEV when there is none. Neither waits. */
int netlink_index(struct netlink *nl, const char *name);
int netlink_name(struct netlink *nl, int index, char ret[static IFNAMSIZ]);
