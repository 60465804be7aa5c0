/*
 * Conversations with netfilter (nf_tables, connection tracking): one socket of NETLINK_NETFILTER,
 * one question or one transaction at a time.
 *
 * Results are plain: 0, or the negative errno value exactly as the kernel gave it; nfnl_fail()
 * makes an error of it, with the kernel's own words where it said some. After a transport failure
 * the socket is made anew, so that no half-read answer is left in it.
 */
#pragma once

#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "reconcilers/sys/nfnl_batch.h"
#include "schema/base/error.h"

struct nfnl;

/* The socket is opened by the first conversation: a system that needs none has none. */
struct nfnl *nfnl_new(void);
void nfnl_free(struct nfnl *nl); /* takes NULL */

/* The port number that marks events caused by our transactions; 0: not open. */
uint32_t nfnl_port(const struct nfnl *nl);

/* Who reads an answer: returns 0, or a negative errno value that ends the call. */
struct nfnl_reader {
    int (*row)(const struct nlmsghdr *row, void *context);
    void *context;
};

/*
 * One question: a message with NLM_F_DUMP gets any number of rows, one with NLM_F_ACK none, another
 * gets one. -EAGAIN: what was dumped changed meanwhile; the rows so far are not to be trusted.
 */
int nfnl_ask(struct nfnl *nl, struct nlmsghdr *question, const struct nfnl_reader *reader);

/*
 * One transaction of nf_tables: all messages of the batch or none. *retchange is the change (see
 * nfnl_batch.h) that was refused first, or NFNL_NO_CHANGE where it was none in particular.
 */
enum { NFNL_NO_CHANGE = 0 };
int nfnl_commit(struct nfnl *nl, struct nfnl_batch *batch, uint32_t *retchange);

/* Makes the error of the last failed call; returns -errnum. */
int nfnl_fail(const struct nfnl *nl, enum error_class class, int errnum, struct error **reterr,
              const char *format, ...) __attribute__((format(printf, 5, 6)));
