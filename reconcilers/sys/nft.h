/*
 * nftables through the boundary: what a ruleset is, in our own words.
 *
 * A rule is a list of instructions for the kernel's little machine (nf_tables(9) has no manual; the
 * layouts are those of linux/netfilter/nf_tables.h): each loads a register from the packet,
 * compares it, looks it up in a set, or ends with a verdict. What is read back from the kernel is
 * put into the same words, so that desired and live rules are compared instruction by instruction:
 * both are zeroed first and compared as bytes.
 *
 * Registers: 1–4 hold 16 bytes each; 8–23 are the same room in pieces of 4 bytes (1 is 8–11). Where
 * both numbers name the same place (8, 12, 16, 20) the kernel tells the small one (1, 2, 3, 4), and
 * so do these words. Parts of a concatenated key lie one behind the other, each padded to 4 bytes,
 * beginning at register 1.
 * Longer names than ours are cut where they are the names of things; an instruction with one is
 * NFT_OP_OTHER.
 * All numbers in keys and data are in network order, except marks, which the kernel has in host
 * order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/error.h"

struct sys;

enum {
    NFT_NAME_SIZE = 32, /* of tables, chains, sets; with the final zero */
    NFT_DATA_SIZE = 16, /* one register */
    NFT_PARTS_MAX = 3,  /* of a concatenated key */
    NFT_KEY_MAX = 48,
};

enum nft_family { NFT_FAMILY_INET, NFT_FAMILY_IP, NFT_FAMILY_IP6, NFT_FAMILY_OTHER };

/* ---- rules ----------------------------------------------------------------------------------- */

enum nft_op {
    NFT_OP_OTHER,          /* something that these words cannot say: never equal to a desired one */
    NFT_OP_META_LOAD,      /* reg <- key (enum nft_meta) */
    NFT_OP_META_SET,       /* key (META_MARK) <- reg */
    NFT_OP_PAYLOAD,        /* reg <- len bytes at offset of key (enum nft_base) */
    NFT_OP_CT_LOAD,        /* reg <- key (enum nft_ct), of `direction` where that matters */
    NFT_OP_RT_LOAD,        /* reg <- MTU of the route, for the MSS: key is enum nft_rt */
    NFT_OP_IMMEDIATE,      /* reg <- data, len bytes */
    NFT_OP_HTON,           /* reg <- source, len bytes (2 or 4), from host to network order */
    NFT_OP_COMPARE,        /* goes on if reg is key (enum nft_compare) data, len bytes */
    NFT_OP_BITWISE,        /* reg <- (source & mask) ^ data, len bytes */
    NFT_OP_LOOKUP,         /* goes on if reg is in the set `name`; invert: if it is not */
    NFT_OP_LOOKUP_MAP,     /* reg <- what the map `name` has for `source` */
    NFT_OP_LOOKUP_VERDICT, /* the verdict map `name` decides for reg */
    NFT_OP_VERDICT,        /* key (enum nft_verdict), with a chain `name` for goto and jump */
    NFT_OP_TCP_OPTION_SET, /* len bytes at offset of TCP option key <- reg */
    NFT_OP_SNAT,           /* source address <- reg; key: address family, 4 or 6 */
    NFT_OP_DNAT,           /* destination address <- reg, port <- source (0: left); key as above */
    NFT_OP_MASQUERADE,
    NFT_OP_REJECT_TCP,   /* by a reset */
    NFT_OP_REJECT_ADMIN, /* by ICMP "administratively prohibited", in both families */
    NFT_OP_REJECT_OTHER, /* any other answer: only ever seen */
    NFT_OP_COUNTER,      /* counts; its numbers are not kept */
    NFT_OP_COUNT
};

enum nft_meta {
    META_NFPROTO, /* 1 byte: 2 IPv4, 10 IPv6 */
    META_L4PROTO, /* 1 byte */
    META_MARK,    /* 4 bytes */
    META_IIFNAME, /* 16 bytes, zero padded */
    META_OIFNAME,
    META_OTHER,
};
enum nft_base { NFT_BASE_NETWORK, NFT_BASE_TRANSPORT, NFT_BASE_OTHER };
enum nft_ct {
    CT_STATE,     /* 4 bytes, host order, bits below */
    CT_STATUS,    /* 4 bytes, host order; bit 5 (32): destination translated */
    CT_DIRECTION, /* 1 byte: 0 original, 1 reply */
    CT_SOURCE4,   /* 4 bytes */
    CT_SOURCE6,   /* 16 bytes */
    CT_DESTINATION4,
    CT_DESTINATION6,
    CT_OTHER,
};
enum { /* bits of CT_STATE, from linux/netfilter/nf_conntrack_common.h */
       NFT_STATE_INVALID = 1,
       NFT_STATE_ESTABLISHED = 2,
       NFT_STATE_RELATED = 4,
       NFT_STATE_NEW = 8,
       NFT_STATUS_DNAT = 32,
};
enum nft_direction { NFT_DIRECTION_NONE, NFT_DIRECTION_ORIGINAL, NFT_DIRECTION_REPLY };
enum nft_rt { RT_TCPMSS }; /* 2 bytes, host order: path MTU less the headers */
enum nft_compare {
    NFT_EQUAL,
    NFT_NOT_EQUAL,
    NFT_LESS,
    NFT_LESS_EQUAL,
    NFT_GREATER,
    NFT_GREATER_EQUAL
};
enum nft_verdict {
    VERDICT_ACCEPT,
    VERDICT_DROP,
    VERDICT_GOTO,
    VERDICT_JUMP,
    VERDICT_RETURN,
    VERDICT_CONTINUE,
    VERDICT_QUEUE,
};

/* What an op does not use is 0. `len` is that of the data too: 1–16. */
struct nft_instr {
    uint8_t op;  /* enum nft_op */
    uint8_t key; /* by op */
    uint8_t reg, source;
    uint8_t direction; /* enum nft_direction */
    uint8_t invert;
    uint16_t offset, len;
    uint8_t data[NFT_DATA_SIZE], mask[NFT_DATA_SIZE];
    char name[NFT_NAME_SIZE];
};

struct nft_rule {
    struct nft_instr *instrs;
    size_t count;
    uint64_t handle;  /* the kernel's; 0 in desired rules */
    char comment[64]; /* "": none. In chains of iptables also where it is an xt match */
};

/* ---- chains ---------------------------------------------------------------------------------- */

enum nft_hook {
    NFT_HOOK_NONE, /* reached by jump only */
    NFT_HOOK_PREROUTING,
    NFT_HOOK_INPUT,
    NFT_HOOK_FORWARD,
    NFT_HOOK_OUTPUT,
    NFT_HOOK_POSTROUTING,
    NFT_HOOK_OTHER,
};
enum nft_chain_type { NFT_CHAIN_FILTER, NFT_CHAIN_NAT, NFT_CHAIN_ROUTE, NFT_CHAIN_OTHER };

struct nft_chain {
    uint8_t family; /* enum nft_family, of its table */
    char table[NFT_NAME_SIZE];
    char name[NFT_NAME_SIZE];
    enum nft_hook hook;
    enum nft_chain_type type; /* of base chains */
    int32_t priority;
    bool policy_drop;
    struct nft_rule *rules; /* in order */
    size_t rule_count;
};

/* ---- sets ------------------------------------------------------------------------------------ */

enum nft_type {
    NFT_TYPE_NONE,
    NFT_TYPE_IPV4,    /* 4 bytes */
    NFT_TYPE_IPV6,    /* 16 */
    NFT_TYPE_IFNAME,  /* 16, zero padded */
    NFT_TYPE_MARK,    /* 4, host order */
    NFT_TYPE_PROTO,   /* 1, padded to 4 in a concatenation */
    NFT_TYPE_PORT,    /* 2, padded to 4 in a concatenation */
    NFT_TYPE_VERDICT, /* data of verdict maps */
    NFT_TYPE_OTHER,
};

/*
 * The elements lie one behind the other, sorted as bytes, without twins. One of a plain set is its
 * key (nft_set_key_size() bytes); one of an interval set its first and its last key; in a map its
 * data follow (nft_set_data_size() bytes; a verdict is struct nft_element_verdict).
 * Intervals do not overlap. For concatenated intervals "first" and "last" are taken part by part.
 */
struct nft_set {
    char name[NFT_NAME_SIZE];
    uint8_t key[NFT_PARTS_MAX];  /* enum nft_type; unused parts NFT_TYPE_NONE */
    uint8_t data[NFT_PARTS_MAX]; /* of a map; all NFT_TYPE_NONE: a set */
    bool interval;
    bool other; /* it has something that these words cannot say (timeout, expressions, constant…) */
    uint8_t *elements;
    size_t count, capacity;
};

struct nft_element_verdict {
    uint8_t verdict; /* enum nft_verdict */
    char chain[NFT_NAME_SIZE];
};

size_t nft_type_size(enum nft_type type); /* without padding */
size_t nft_set_key_size(const struct nft_set *set);
size_t nft_set_data_size(const struct nft_set *set);
size_t nft_set_element_size(const struct nft_set *set);

/* Where the element with this key (or interval) stands, or would stand; true: it is there, with
 * whatever data. */
bool nft_set_find(const struct nft_set *set, const uint8_t *element, size_t *retindex);
/* Puts the element in its place, over one of the same key. */
void nft_set_put(struct nft_set *set, const uint8_t *element);
void nft_set_remove(struct nft_set *set, const uint8_t *element); /* absent: nothing happens */
/* After elements were appended in any order: sorts, drops twins. */
void nft_set_sort(struct nft_set *set);
void nft_set_append(struct nft_set *set, const uint8_t *element);
static inline const uint8_t *nft_set_at(const struct nft_set *set, size_t i)
{
    return set->elements + i * nft_set_element_size(set);
}

/* ---- a ruleset ------------------------------------------------------------------------------- */

struct nft_ruleset {
    uint32_t generation;      /* at which it was read */
    bool present;             /* the table that was asked for exists */
    struct nft_chain *chains; /* as the kernel lists them */
    size_t chain_count;
    struct nft_set *sets; /* anonymous ones left out; empty when every table was asked for */
    size_t set_count;
};
void nft_ruleset_clear(struct nft_ruleset *ruleset);
struct nft_chain *nft_find_chain(const struct nft_ruleset *ruleset, const char *name);
struct nft_set *nft_find_set(const struct nft_ruleset *ruleset, const char *name);

/* Our own table is `inet`; chains of others are addressed with the family that they were read with.
 */

/* The number that rises by one with every commit of anybody in this network namespace. */
int sys_nft_generation(struct sys *sys, uint32_t *ret, struct error **reterr);

/*
 * The table of family inet with all that is in it, as of one generation (read again, within bounds,
 * when somebody commits meanwhile). Not there: 0 with `present` false.
 * `table` NULL: every table of every family instead, only chains and rules. ret is filled anew.
 */
int sys_nft_read(struct sys *sys, const char *table, struct nft_ruleset *ret,
                 struct error **reterr);

enum nft_change_type {
    NFT_TABLE_ADD,    /* exists: nothing happens */
    NFT_TABLE_DELETE, /* with all that is in it; absent: -ENOENT */
    NFT_CHAIN_ADD,    /* `chain`, its rules not included */
    NFT_CHAIN_FLUSH,  /* all rules of `chain` */
    NFT_CHAIN_DELETE,
    NFT_RULE_APPEND, /* `rule` to `chain` */
    NFT_RULE_INSERT, /* as the first of `chain` */
    NFT_RULE_DELETE, /* by handle */
    NFT_SET_ADD,     /* `set`, its elements not included */
    NFT_SET_DELETE,
    NFT_ELEMENTS_ADD, /* those of `set`. The same key with the same data exists: nothing happens */
    NFT_ELEMENTS_DELETE, /* a key that is not there: -ENOENT */
};

struct nft_change {
    enum nft_change_type type;
    uint8_t family; /* enum nft_family */
    char table[NFT_NAME_SIZE];
    const struct nft_chain *chain;
    const struct nft_rule *rule;
    const struct nft_set *set;
};

/* One transaction: all of it takes effect at one moment, or nothing. The error names the change
 * that the kernel refused. Removing what is used elsewhere: -EBUSY. */
int sys_nft_commit(struct sys *sys, const struct nft_change *changes, size_t count,
                   struct error **reterr);
