/*
 * A rule under construction: what appends instructions to it. Everything begins at register 1.
 */
#pragma once

#include "reconcilers/firewall/words.h"

enum { INSTRS_MAX = 32 }; /* of one rule; the longest has fewer */

struct build {
    const struct fw_shape *shape;
    bool ipv6;     /* of rows that there are for each family… */
    bool net;      /* …for subnets too… */
    unsigned exit; /* …and for each exit: which one this is */
    struct nft_instr instrs[INSTRS_MAX];
    size_t count;
};

/* Only packets of the family go on. */
void build_family(struct build *b);
/* Loads the part into the registers, 4 bytes each, from `word` on; returns its length in bytes. */
size_t build_load(struct build *b, enum part part, unsigned word);
bool build_by_family(enum part part);
/* Goes on if what was loaded is, or is not, this. */
void build_is(struct build *b, const void *data, size_t len);
void build_is_not(struct build *b, const void *data, size_t len);
/* Goes on if one of the bits is set in what was loaded. */
void build_has_bits(struct build *b, const void *bits, size_t len);
/* Loads bytes of the transport header. */
void build_transport(struct build *b, unsigned offset, size_t len);
/* Goes on if what was loaded is in the set, or (invert) is not. */
void build_lookup(struct build *b, enum fw_set set, bool invert);
/* Replaces what was loaded by what the map has for it. */
void build_map(struct build *b, enum fw_set map);
/* These bits of the mark become those; all others stay. */
void build_mark(struct build *b, uint32_t mask, uint32_t bits);
/* Loads the segment size that fits through the path, in network order. */
void build_path_mss(struct build *b);
/* An instruction that needs nothing else, or sets it itself. */
struct nft_instr *build_add(struct build *b, enum nft_op op);
