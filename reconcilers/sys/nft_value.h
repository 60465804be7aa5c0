/*
 * Values and verdicts, as they stand in the attributes of instructions and of set elements.
 */
#pragma once

#include "reconcilers/sys/nfnl_batch.h"
#include "reconcilers/sys/nft.h"

/* The nest `attr` with a value of 1–64 bytes. */
void nft_value_put(struct nlmsghdr *msg, uint16_t attr, const void *data, size_t len);
/* What is in the nest: its length, 0 when it is no value or longer than `size`. */
size_t nft_value_get(const struct nlattr *nest, void *ret, size_t size);

/* The nest `attr` with a verdict. False, and nothing put: goto and jump have a chain, others have
 * none ("") and this one does not fit. */
bool nft_verdict_put(struct nlmsghdr *msg, uint16_t attr, enum nft_verdict verdict,
                     const char *chain);
bool nft_verdict_get(const struct nlattr *nest, uint8_t *retverdict,
                     char retchain[static NFT_NAME_SIZE]);
