/*
 * Instructions of rules, in our words and in the kernel's.
 */
#pragma once

#include "reconcilers/sys/nfnl_batch.h"
#include "reconcilers/sys/nft.h"

/* The most bytes that one instruction takes in a message. */
enum { NFT_EXPR_ROOM = 256 };

/* Puts the instruction as one element of a list. False, and nothing put: it is one of those that
 * are only ever seen, or its fields do not fit together. */
bool nft_expr_put(struct nlmsghdr *msg, const struct nft_instr *instr);

/* Reads an expression by its name and data (the two attributes of an element of a list). What the
 * words of nft.h cannot say is NFT_OP_OTHER. */
void nft_expr_get(const struct nlattr *name, const struct nlattr *data, struct nft_instr *ret);
