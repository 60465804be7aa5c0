/*
 * For tests of nftables: instructions and changes in one line each, and what nft(8) says.
 */
#pragma once

#include "reconcilers/sys/nft.h"
#include "tests/sys/side.h"

/* ---- instructions ---------------------------------------------------------------------------- */

struct nft_instr in_op(enum nft_op op);
struct nft_instr in_load(uint8_t reg, enum nft_meta key);
struct nft_instr in_store(enum nft_meta key, uint8_t reg);
struct nft_instr in_payload(uint8_t reg, enum nft_base base, uint16_t offset, uint16_t len);
struct nft_instr in_ct(uint8_t reg, enum nft_ct key, enum nft_direction direction);
struct nft_instr in_compare(uint8_t reg, enum nft_compare how, const void *data, uint16_t len);
struct nft_instr in_byte(uint8_t reg, enum nft_compare how, uint8_t byte);
struct nft_instr in_word(uint8_t reg, enum nft_compare how, uint32_t word); /* host order */
struct nft_instr in_name(uint8_t reg, enum nft_compare how, const char *name);
struct nft_instr in_bits(uint8_t reg, uint32_t mask, uint32_t bits); /* (reg & mask) ^ bits */
struct nft_instr in_set(uint8_t reg, const char *set);
struct nft_instr in_no_set(uint8_t reg, const char *set);
struct nft_instr in_map(uint8_t reg, uint8_t source, const char *map);
struct nft_instr in_vmap(uint8_t reg, const char *map);
struct nft_instr in_verdict(enum nft_verdict verdict);
struct nft_instr in_go(const char *chain);

/* ---- changes of table inet pic --------------------------------------------------------------- */

struct nft_change of_table(enum nft_change_type type);
struct nft_change of_chain(enum nft_change_type type, const struct nft_chain *chain);
struct nft_change of_rule(enum nft_change_type type, const struct nft_chain *chain,
                          const struct nft_rule *rule);
struct nft_change of_set(enum nft_change_type type, const struct nft_set *set);

/* A chain that is only jumped to. */
struct nft_chain chain_of(const char *name);
/* A set of these types; unused ones NFT_TYPE_NONE. Its elements are the caller's to free. */
struct nft_set set_of(const char *name, enum nft_type first, enum nft_type second);
#define NFT_SET_AUTO __attribute__((cleanup(set_clear))) struct nft_set
void set_clear(struct nft_set *set);

/*
 * Puts an element that is written as its parts in order, first and last keys of an interval one
 * behind the other, then data: "10.0.0.0 10.0.0.255", "pl-beta fd00::1", "0x1000000 pl-beta",
 * "tcp"/"udp"/numbers, "goto chain", "accept".
 */
void set_add(struct nft_set *set, const char *text);

/* Reads the table; must work, and it must be there. */
#define NFT_RULESET_AUTO __attribute__((cleanup(nft_ruleset_clear))) struct nft_ruleset
void table_read(struct sys *sys, struct nft_ruleset *ret);

void assert_same_rule(const struct nft_rule *rule, const struct nft_instr *instrs, size_t count,
                      const char *what);
void assert_same_set(const struct nft_ruleset *ruleset, const struct nft_set *wanted);
