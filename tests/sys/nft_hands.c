#include "tests/sys/nft_hands.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* ---- instructions ---------------------------------------------------------------------------- */

struct nft_instr in_op(enum nft_op op)
{
    return (struct nft_instr){.op = (uint8_t)op};
}

struct nft_instr in_load(uint8_t reg, enum nft_meta key)
{
    return (struct nft_instr){.op = NFT_OP_META_LOAD, .reg = reg, .key = (uint8_t)key};
}

struct nft_instr in_store(enum nft_meta key, uint8_t reg)
{
    return (struct nft_instr){.op = NFT_OP_META_SET, .reg = reg, .key = (uint8_t)key};
}

struct nft_instr in_payload(uint8_t reg, enum nft_base base, uint16_t offset, uint16_t len)
{
    return (struct nft_instr){
        .op = NFT_OP_PAYLOAD, .reg = reg, .key = (uint8_t)base, .offset = offset, .len = len};
}

struct nft_instr in_ct(uint8_t reg, enum nft_ct key, enum nft_direction direction)
{
    return (struct nft_instr){
        .op = NFT_OP_CT_LOAD, .reg = reg, .key = (uint8_t)key, .direction = (uint8_t)direction};
}

struct nft_instr in_compare(uint8_t reg, enum nft_compare how, const void *data, uint16_t len)
{
    struct nft_instr instr = {.op = NFT_OP_COMPARE, .reg = reg, .key = (uint8_t)how, .len = len};
    memcpy(instr.data, data, len);
    return instr;
}

struct nft_instr in_byte(uint8_t reg, enum nft_compare how, uint8_t byte)
{
    return in_compare(reg, how, &byte, sizeof(byte));
}

struct nft_instr in_word(uint8_t reg, enum nft_compare how, uint32_t word)
{
    return in_compare(reg, how, &word, sizeof(word));
}

struct nft_instr in_name(uint8_t reg, enum nft_compare how, const char *name)
{
    char padded[NFT_DATA_SIZE] = "";
    snprintf(padded, sizeof(padded), "%s", name);
    return in_compare(reg, how, padded, sizeof(padded));
}

struct nft_instr in_bits(uint8_t reg, uint32_t mask, uint32_t bits)
{
    struct nft_instr instr = {.op = NFT_OP_BITWISE, .reg = reg, .source = reg, .len = sizeof(mask)};
    memcpy(instr.mask, &mask, sizeof(mask));
    memcpy(instr.data, &bits, sizeof(bits));
    return instr;
}

static struct nft_instr named(struct nft_instr instr, const char *name)
{
    snprintf(instr.name, sizeof(instr.name), "%s", name);
    return instr;
}

struct nft_instr in_set(uint8_t reg, const char *set)
{
    return named((struct nft_instr){.op = NFT_OP_LOOKUP, .reg = reg}, set);
}

struct nft_instr in_no_set(uint8_t reg, const char *set)
{
    return named((struct nft_instr){.op = NFT_OP_LOOKUP, .reg = reg, .invert = 1}, set);
}

struct nft_instr in_map(uint8_t reg, uint8_t source, const char *map)
{
    return named((struct nft_instr){.op = NFT_OP_LOOKUP_MAP, .reg = reg, .source = source}, map);
}

struct nft_instr in_vmap(uint8_t reg, const char *map)
{
    return named((struct nft_instr){.op = NFT_OP_LOOKUP_VERDICT, .reg = reg}, map);
}

struct nft_instr in_verdict(enum nft_verdict verdict)
{
    return (struct nft_instr){.op = NFT_OP_VERDICT, .key = (uint8_t)verdict};
}

struct nft_instr in_go(const char *chain)
{
    return named(in_verdict(VERDICT_GOTO), chain);
}

/* ---- changes --------------------------------------------------------------------------------- */

struct nft_change of_table(enum nft_change_type type)
{
    return (struct nft_change){.type = type, .family = NFT_FAMILY_INET, .table = "pic"};
}

struct nft_change of_chain(enum nft_change_type type, const struct nft_chain *chain)
{
    struct nft_change change = of_table(type);
    change.chain = chain;
    return change;
}

struct nft_change of_rule(enum nft_change_type type, const struct nft_chain *chain,
                          const struct nft_rule *rule)
{
    struct nft_change change = of_chain(type, chain);
    change.rule = rule;
    return change;
}

struct nft_change of_set(enum nft_change_type type, const struct nft_set *set)
{
    struct nft_change change = of_table(type);
    change.set = set;
    return change;
}

struct nft_chain chain_of(const char *name)
{
    struct nft_chain chain = {.family = NFT_FAMILY_INET, .table = "pic"};
    snprintf(chain.name, sizeof(chain.name), "%s", name);
    return chain;
}

/* ---- sets ------------------------------------------------------------------------------------ */

struct nft_set set_of(const char *name, enum nft_type first, enum nft_type second)
{
    struct nft_set set = {.key = {(uint8_t)first, (uint8_t)second}};
    snprintf(set.name, sizeof(set.name), "%s", name);
    return set;
}

void set_clear(struct nft_set *set)
{
    free(set->elements);
    *set = (struct nft_set){0};
}

static void put_verdict(uint8_t *at, const char *word, char **rest)
{
    struct nft_element_verdict verdict = {.verdict = VERDICT_ACCEPT};
    if (strcmp(word, "goto") == 0) {
        verdict.verdict = VERDICT_GOTO;
        snprintf(verdict.chain, sizeof(verdict.chain), "%s", strtok_r(NULL, " ", rest));
    }
    memcpy(at, &verdict, sizeof(verdict));
}

static void put_part(uint8_t *at, enum nft_type type, char **rest)
{
    const char *word = strtok_r(NULL, " ", rest);
    cr_assert(word, "an element has a part too few");
    uint32_t number = (uint32_t)strtoul(word, NULL, 0);
    uint16_t port = htons((uint16_t)number);
    struct ip ip = {0};
    switch (type) {
    case NFT_TYPE_IPV4:
    case NFT_TYPE_IPV6:
        cr_assert_eq(ip_parse(word, &ip), 0, "%s", word);
        memcpy(at, ip.bytes, nft_type_size(type));
        break;
    case NFT_TYPE_IFNAME:
        memcpy(at, word, strlen(word));
        break;
    case NFT_TYPE_MARK:
        memcpy(at, &number, sizeof(number));
        break;
    case NFT_TYPE_PROTO:
        *at = (uint8_t)number;
        break;
    case NFT_TYPE_PORT:
        memcpy(at, &port, sizeof(port));
        break;
    case NFT_TYPE_VERDICT:
        put_verdict(at, word, rest);
        break;
    case NFT_TYPE_NONE:
    case NFT_TYPE_OTHER:
        cr_assert_fail("%s: of no type", word);
    }
}

static void put_parts(uint8_t *at, const uint8_t parts[static NFT_PARTS_MAX], char **rest)
{
    for (size_t i = 0; i < NFT_PARTS_MAX && parts[i] != NFT_TYPE_NONE; i++) {
        put_part(at, parts[i], rest);
        at += (nft_type_size(parts[i]) + 3) / 4 * 4;
    }
}

void set_add(struct nft_set *set, const char *text)
{
    MEM_AUTO char *words = mem_printf("- %s", text);
    char *rest = NULL;
    uint8_t element[4 * NFT_KEY_MAX] = {0};
    size_t key = nft_set_key_size(set);
    strtok_r(words, " ", &rest);
    put_parts(element, set->key, &rest);
    if (set->interval)
        put_parts(element + key, set->key, &rest);
    put_parts(element + (set->interval ? 2 * key : key), set->data, &rest);
    cr_assert_eq(*rest, '\0', "%s: too many parts", text);
    nft_set_put(set, element);
}

/* ---- what is there --------------------------------------------------------------------------- */

void table_read(struct sys *sys, struct nft_ruleset *ret)
{
    CHECK(sys_nft_read(sys, "pic", ret, &error), 0);
    cr_assert(ret->present, "the table is there");
}

void assert_same_rule(const struct nft_rule *rule, const struct nft_instr *instrs, size_t count,
                      const char *what)
{
    cr_assert_eq(rule->count, count, "%s: %zu instructions, not %zu", what, rule->count, count);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(
            memcmp(&rule->instrs[i], &instrs[i], sizeof(instrs[i])), 0,
            "%s: instruction %zu (op %d) comes back as op %d key %d reg %d source %d len %d", what,
            i, instrs[i].op, rule->instrs[i].op, rule->instrs[i].key, rule->instrs[i].reg,
            rule->instrs[i].source, rule->instrs[i].len);
}

void assert_same_set(const struct nft_ruleset *ruleset, const struct nft_set *wanted)
{
    const struct nft_set *set = nft_find_set(ruleset, wanted->name);
    cr_assert(set, "set %s is there", wanted->name);
    cr_assert(!set->other, "set %s can be said", wanted->name);
    cr_assert_eq(memcmp(set->key, wanted->key, sizeof(set->key)), 0, "%s: key", wanted->name);
    cr_assert_eq(memcmp(set->data, wanted->data, sizeof(set->data)), 0, "%s: data", wanted->name);
    cr_assert_eq(set->interval, wanted->interval, "%s: interval", wanted->name);
    cr_assert_eq(set->count, wanted->count, "set %s has %zu elements, not %zu", wanted->name,
                 set->count, wanted->count);
    size_t size = set->count * nft_set_element_size(set);
    cr_assert(size == 0 || memcmp(set->elements, wanted->elements, size) == 0,
              "set %s has the same elements", wanted->name);
}
