/*
 * Tables, chains, rules, sets and elements, in our words and in the messages of nf_tables. The
 * put functions fill what a transaction carries; the get functions read rows of dumps.
 */
#pragma once

#include "reconcilers/sys/nfnl_batch.h"
#include "reconcilers/sys/nft.h"

/* The kernel's number (NFPROTO_…) of a family; 0: it has none in our words. */
uint8_t nft_wire_family(enum nft_family family);

/* ---- chains and rules ------------------------------------------------------------------------ */

enum {
    NFT_WIRE_ROOM = 512,       /* enough for a message about a table, a chain or a set */
    NFT_WIRE_INSTRS_MAX = 128, /* of one rule; the kernel's own limit */
};

void nft_wire_chain_put(struct nlmsghdr *msg, const char *table, const struct nft_chain *chain);
bool nft_wire_chain_get(const struct nlmsghdr *row, enum nft_family family, struct nft_chain *ret);

size_t nft_wire_rule_room(const struct nft_rule *rule);
/* The number of the first instruction (from 1) that cannot be written, or 0. */
size_t nft_wire_rule_put(struct nlmsghdr *msg, const char *table, const char *chain,
                         const struct nft_rule *rule);
bool nft_wire_rule_get(const struct nlmsghdr *row, struct nft_rule *ret); /* owns ret->instrs */
bool nft_wire_rule_is_of(const struct nlmsghdr *row, const struct nft_chain *chain);

/* ---- sets ------------------------------------------------------------------------------------ */

/* `id` tells it from other sets of the transaction; not 0. */
void nft_wire_set_put(struct nlmsghdr *msg, const char *table, const struct nft_set *set,
                      uint32_t id);
/* False: it is an anonymous one, or no set at all. */
bool nft_wire_set_get(const struct nlmsghdr *row, struct nft_set *ret);

/* All elements of the set, to be added or (only their keys) deleted, in as many messages of `type`
 * as they need; none when there are no elements. */
void nft_wire_elements_put(struct nfnl_batch *batch, int type, int flags, uint8_t family,
                           const char *table, const struct nft_set *set);

/* Reads rows of elements into a set; done() puts them in order. */
struct nft_wire_elements {
    struct nft_set *set;
    size_t rows;
    /* Of plain intervals: the kernel has each as a beginning and an end, on their own. */
    uint8_t *bounds;
    size_t count, capacity;
};
void nft_wire_elements_get(struct nft_wire_elements *elements, const struct nlmsghdr *row);
void nft_wire_elements_done(struct nft_wire_elements *elements);
