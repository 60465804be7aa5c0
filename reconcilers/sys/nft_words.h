/*
 * What happens to nftables, in words for people.
 */
#pragma once

#include "reconcilers/sys/nft.h"

struct strbuf;

const char *nft_family_name(enum nft_family family); /* as nft(8) has it */

/* `add elements to set "exit_1" of table inet pic` */
void nft_change_say(const struct nft_change *change, struct strbuf *ret);
