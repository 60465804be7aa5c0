/*
 * The language in which chains.c is written: a rule is a row of words, a word matches or does
 * something. words.c turns rows into rules for the kernel.
 *
 * A row that speaks of addresses becomes one rule for each family; one that speaks of peers as the
 * source one more for the subnets behind them; one that speaks of EXIT one for each exit.
 */
#pragma once

#include "reconcilers/firewall/firewall.h"

/* What can be read from a packet. */
enum part {
    NOTHING,
    IN, /* interfaces */
    OUT,
    SOURCE,
    DESTINATION,
    ORIGINAL_SOURCE, /* of the connection's first packet */
    CONNECTION,      /* its state, in bits */
    DIRECTION,       /* of the packet in it */
    MARK,            /* our part of it */
    PROTOCOL,
    PORT, /* destination */
    PART_COUNT
};

/* What a part is compared with; names of the shape's, constants of everybody's. */
enum value {
    PEERS,     /* the peers' interface */
    LOOPBACK,  /* its interface */
    CELL,      /* the cell's own address of the family; without one there is no rule */
    BACKWARDS, /* direction: a reply */
    DIRECT,    /* marks */
    BLOCKED,
    EXIT_OF_ROW,
    TCP, /* protocols */
    UDP,
    DNS, /* ports */
    PEER_SYNC,
    VALUE_COUNT
};

enum word_type {
    WORD_END,
    WORD_IN_SET, /* the parts together are in the set, or (invert) are not */
    WORD_IS,     /* the part has the value, or (invert) has not */
    WORD_STATE,  /* of the connection: one of the bits */
    WORD_PING,
    WORD_REDIRECT, /* an ICMP redirect */
    WORD_MARK_AS,
    WORD_ACCEPTED,  /* the mark gets the bit that says so */
    WORD_CLAMP,     /* a SYN's segment size to what fits through the path */
    WORD_TRANSLATE, /* the source to what the map has for it */
    WORD_MASQUERADE,
    WORD_RESET,
    WORD_PROHIBIT,
    WORD_VERDICT,
    WORD_TYPE_COUNT
};

struct word {
    enum word_type type;
    enum part parts[2]; /* in the order of the set's key */
    enum fw_set set;
    enum value value;
    bool invert;
    uint32_t bits;
    enum nft_verdict verdict;
    const char *chain;
};

#define WORD(type_, ...) ((struct word){.type = WORD_##type_, ##__VA_ARGS__})
#define IN_SET(set_, ...) WORD(IN_SET, .set = FW_##set_, .parts = {__VA_ARGS__})
#define NOT_IN_SET(set_, ...) WORD(IN_SET, .set = FW_##set_, .parts = {__VA_ARGS__}, .invert = true)
#define IS(part_, value_) WORD(IS, .parts = {part_}, .value = value_)
#define IS_NOT(part_, value_) WORD(IS, .parts = {part_}, .value = value_, .invert = true)
#define REPLY IS(DIRECTION, BACKWARDS)
#define STATE(bits_) WORD(STATE, .bits = bits_)
#define INVALID NFT_STATE_INVALID
#define ESTABLISHED NFT_STATE_ESTABLISHED
#define RELATED NFT_STATE_RELATED
#define PING WORD(PING)
#define REDIRECT WORD(REDIRECT)
#define MARK_AS(value_) WORD(MARK_AS, .value = value_)
#define ACCEPTED WORD(ACCEPTED)
#define CLAMP WORD(CLAMP)
#define TRANSLATE(set_) WORD(TRANSLATE, .set = FW_##set_)
#define MASQUERADE WORD(MASQUERADE)
#define RESET WORD(RESET)
#define PROHIBIT WORD(PROHIBIT)
#define ACCEPT WORD(VERDICT, .verdict = VERDICT_ACCEPT)
#define DROP WORD(VERDICT, .verdict = VERDICT_DROP)
#define RETURN WORD(VERDICT, .verdict = VERDICT_RETURN)
#define GO(chain_) WORD(VERDICT, .verdict = VERDICT_GOTO, .chain = chain_)

enum { ROW_WORDS = 6 }; /* the last is WORD_END */

struct chain_row {
    const char *name;
    enum nft_hook hook;
    enum nft_chain_type type;
    int32_t priority;
    const struct word (*rows)[ROW_WORDS];
    size_t count;
};
extern const struct chain_row fw_chain_rows[];
extern const size_t fw_chain_row_count;
