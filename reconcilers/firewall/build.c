#include "reconcilers/firewall/build.h"

#include <string.h>

#include "schema/base/mem.h"

struct nft_instr *build_add(struct build *b, enum nft_op op)
{
    struct nft_instr *instr = &b->instrs[b->count++];
    *instr = (struct nft_instr){.op = op};
    return instr;
}

/* The kernel's own number for a place of 4 bytes in the registers: those that begin one of 16 bytes
 * have the number of that one. */
static uint8_t register_at(unsigned word)
{
    return (uint8_t)(word % 4 ? 8 + word : 1 + word / 4);
}

static struct nft_instr *add(struct build *b, enum nft_op op, unsigned key)
{
    struct nft_instr *instr = build_add(b, op);
    instr->reg = register_at(0);
    instr->key = (uint8_t)key;
    return instr;
}

/* ---- loading ---- */

struct source {
    uint8_t key, len, offset;
};

static const struct part_row {
    enum nft_op op;
    bool by_family;
    struct source ipv4, ipv6;
} rows[] = {
#define ANY(op_, ...)                                                                              \
    {                                                                                              \
        .op = NFT_OP_##op_, .ipv4 = {__VA_ARGS__}, .ipv6 = { __VA_ARGS__ }                         \
    }
    [IN] = ANY(META_LOAD, META_IIFNAME, IFNAMSIZ, 0),
    [OUT] = ANY(META_LOAD, META_OIFNAME, IFNAMSIZ, 0),
    [SOURCE] = {NFT_OP_PAYLOAD, true, {NFT_BASE_NETWORK, 4, 12}, {NFT_BASE_NETWORK, 16, 8}},
    [DESTINATION] = {NFT_OP_PAYLOAD, true, {NFT_BASE_NETWORK, 4, 16}, {NFT_BASE_NETWORK, 16, 24}},
    [ORIGINAL_SOURCE] = {NFT_OP_CT_LOAD, true, {CT_SOURCE4, 4, 0}, {CT_SOURCE6, 16, 0}},
    [CONNECTION] = ANY(CT_LOAD, CT_STATE, 4, 0),
    [DIRECTION] = ANY(CT_LOAD, CT_DIRECTION, 1, 0),
    [MARK] = ANY(META_LOAD, META_MARK, 4, 0),
    [PROTOCOL] = ANY(META_LOAD, META_L4PROTO, 1, 0),
    [PORT] = ANY(PAYLOAD, NFT_BASE_TRANSPORT, 2, 2),
#undef ANY
};
_Static_assert(ARRAY_SIZE(rows) == PART_COUNT, "every part has a row");

bool build_by_family(enum part part)
{
    return rows[part].by_family;
}

static void bitwise(struct build *b, unsigned word, size_t len, const void *mask, const void *set)
{
    struct nft_instr *instr = add(b, NFT_OP_BITWISE, 0);
    instr->reg = instr->source = register_at(word);
    instr->len = (uint16_t)len;
    memcpy(instr->mask, mask, len);
    memcpy(instr->data, set, len);
}

size_t build_load(struct build *b, enum part part, unsigned word)
{
    const struct part_row *row = &rows[part];
    const struct source *from = b->ipv6 ? &row->ipv6 : &row->ipv4;
    struct nft_instr *instr = add(b, row->op, from->key);

    instr->reg = register_at(word);
    if (row->op == NFT_OP_PAYLOAD) {
        instr->offset = from->offset;
        instr->len = from->len;
    }
    if (part == ORIGINAL_SOURCE)
        instr->direction = NFT_DIRECTION_ORIGINAL;
    if (part == MARK)
        bitwise(b, word, sizeof(uint32_t), &(uint32_t){MARK_MASK}, &(uint32_t){0});
    return from->len;
}

void build_transport(struct build *b, unsigned offset, size_t len)
{
    struct nft_instr *instr = add(b, NFT_OP_PAYLOAD, NFT_BASE_TRANSPORT);
    instr->offset = (uint16_t)offset;
    instr->len = (uint16_t)len;
}

void build_path_mss(struct build *b)
{
    add(b, NFT_OP_RT_LOAD, RT_TCPMSS);
    struct nft_instr *instr = add(b, NFT_OP_HTON, 0);
    instr->source = instr->reg;
    instr->len = sizeof(uint16_t);
}

/* ---- deciding ---- */

static void compare(struct build *b, enum nft_compare how, const void *data, size_t len)
{
    struct nft_instr *instr = add(b, NFT_OP_COMPARE, how);
    instr->len = (uint16_t)len;
    memcpy(instr->data, data, len);
}

void build_is(struct build *b, const void *data, size_t len)
{
    compare(b, NFT_EQUAL, data, len);
}

void build_is_not(struct build *b, const void *data, size_t len)
{
    compare(b, NFT_NOT_EQUAL, data, len);
}

void build_has_bits(struct build *b, const void *bits, size_t len)
{
    static const uint8_t none[NFT_DATA_SIZE];
    bitwise(b, 0, len, bits, none);
    build_is_not(b, none, len);
}

void build_family(struct build *b)
{
    enum { IPV4 = 2, IPV6 = 10 };
    uint8_t family = b->ipv6 ? IPV6 : IPV4;
    add(b, NFT_OP_META_LOAD, META_NFPROTO);
    build_is(b, &family, sizeof(family));
}

static void name_set(const struct build *b, enum fw_set set, struct nft_instr *instr)
{
    enum fw_set one = set == FW_EXIT ? FW_EXIT + b->exit : set;
    fw_instance_name(fw_instance(one, b->ipv6, b->net), instr->name);
}

void build_lookup(struct build *b, enum fw_set set, bool invert)
{
    struct nft_instr *instr = add(b, NFT_OP_LOOKUP, 0);
    instr->invert = invert;
    name_set(b, set, instr);
}

void build_map(struct build *b, enum fw_set map)
{
    struct nft_instr *instr = add(b, NFT_OP_LOOKUP_MAP, 0);
    instr->source = instr->reg;
    name_set(b, map, instr);
}

/* ---- writing ---- */

void build_mark(struct build *b, uint32_t mask, uint32_t bits)
{
    uint32_t rest = ~mask;
    add(b, NFT_OP_META_LOAD, META_MARK);
    bitwise(b, 0, sizeof(rest), &rest, &bits);
    add(b, NFT_OP_META_SET, META_MARK);
}
