#include "reconcilers/firewall/words.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "reconcilers/firewall/build.h"
#include "schema/base/mem.h"

/* ---- values ---- */

static uint32_t mark_of(const struct build *b, enum value value)
{
    return value == EXIT_OF_ROW ? b->exit << MARK_SHIFT
           : value == BLOCKED   ? MARK_BLOCKED
                                : MARK_DIRECT;
}

/* Writes the value as a packet has it; false: there is none. */
static bool value_bytes(const struct build *b, enum value value, uint8_t ret[static NFT_DATA_SIZE])
{
    static const uint8_t bytes[VALUE_COUNT] = {
        [BACKWARDS] = 1, [TCP] = IPPROTO_TCP, [UDP] = IPPROTO_UDP};
    const struct ip *cell = b->ipv6 ? &b->shape->address6 : &b->shape->address;
    uint16_t port = htons(value == DNS ? 53 : b->shape->sync_port);
    uint32_t mark = mark_of(b, value);

    switch (value) {
    case PEERS:
        memcpy(ret, b->shape->interface, IFNAMSIZ);
        break;
    case LOOPBACK:
        memcpy(ret, "lo", sizeof("lo"));
        break;
    case CELL:
        memcpy(ret, cell->bytes, sizeof(cell->bytes));
        return cell->family != 0;
    case DIRECT:
    case BLOCKED:
    case EXIT_OF_ROW:
        memcpy(ret, &mark, sizeof(mark));
        break;
    case DNS:
    case PEER_SYNC:
        memcpy(ret, &port, sizeof(port));
        break;
    case BACKWARDS:
    case TCP:
    case UDP:
        ret[0] = bytes[value];
        break;
    case VALUE_COUNT:
        return false;
    }
    return true;
}

/* ---- words ---- */

/* Each appends the instructions of its word; false: the row makes no rule here. */

static bool make_is(struct build *b, const struct word *word)
{
    uint8_t data[NFT_DATA_SIZE] = {0};
    size_t len = build_load(b, word->parts[0], 0);
    bool exists = value_bytes(b, word->value, data);
    if (word->invert)
        build_is_not(b, data, len);
    else
        build_is(b, data, len);
    return exists;
}

static bool make_in_set(struct build *b, const struct word *word)
{
    unsigned at = 0;
    for (size_t i = 0; i < ARRAY_SIZE(word->parts) && word->parts[i] != NOTHING; i++)
        at += (unsigned)(build_load(b, word->parts[i], at) + 3) / 4;
    build_lookup(b, word->set, word->invert);
    return true;
}

static bool make_state(struct build *b, const struct word *word)
{
    build_load(b, CONNECTION, 0);
    build_has_bits(b, &word->bits, sizeof(word->bits));
    return true;
}

static void make_icmp(struct build *b, uint8_t protocol, uint8_t type)
{
    build_load(b, PROTOCOL, 0);
    build_is(b, &protocol, sizeof(protocol));
    build_transport(b, 0, sizeof(type));
    build_is(b, &type, sizeof(type));
}

static bool make_ping(struct build *b, const struct word *word)
{
    enum { ECHO = 8, ECHO6 = 128 };
    (void)word;
    make_icmp(b, b->ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, b->ipv6 ? ECHO6 : ECHO);
    return true;
}

static bool make_redirect(struct build *b, const struct word *word)
{
    enum { ICMP_REDIRECT = 5 };
    (void)word;
    make_icmp(b, IPPROTO_ICMP, ICMP_REDIRECT);
    return !b->ipv6;
}

static bool make_mark_as(struct build *b, const struct word *word)
{
    build_mark(b, MARK_MASK, mark_of(b, word->value));
    return true;
}

static bool make_accepted(struct build *b, const struct word *word)
{
    (void)word;
    build_mark(b, MARK_ACCEPTED, MARK_ACCEPTED);
    return true;
}

/* The kernel never makes the size larger. */
static bool make_clamp(struct build *b, const struct word *word)
{
    enum { FLAGS_AT = 13, SYN = 2, OPTION_MSS = 2, SIZE_AT = 2 };
    const uint8_t tcp = IPPROTO_TCP, syn = SYN;
    (void)word;

    build_load(b, PROTOCOL, 0);
    build_is(b, &tcp, sizeof(tcp));
    build_transport(b, FLAGS_AT, sizeof(syn));
    build_has_bits(b, &syn, sizeof(syn));
    build_path_mss(b);
    struct nft_instr *instr = build_add(b, NFT_OP_TCP_OPTION_SET);
    instr->reg = 1;
    instr->key = OPTION_MSS;
    instr->offset = SIZE_AT;
    instr->len = sizeof(uint16_t);
    return true;
}

static bool make_translate(struct build *b, const struct word *word)
{
    build_load(b, SOURCE, 0);
    build_map(b, word->set);
    struct nft_instr *instr = build_add(b, NFT_OP_SNAT);
    instr->reg = 1;
    instr->key = b->ipv6 ? 6 : 4;
    return b->net;
}

static bool make_masquerade(struct build *b, const struct word *word)
{
    (void)word;
    build_add(b, NFT_OP_MASQUERADE);
    return true;
}

static bool make_reset(struct build *b, const struct word *word)
{
    (void)word;
    build_add(b, NFT_OP_REJECT_TCP);
    return true;
}

static bool make_prohibit(struct build *b, const struct word *word)
{
    (void)word;
    build_add(b, NFT_OP_REJECT_ADMIN);
    return true;
}

static bool make_verdict(struct build *b, const struct word *word)
{
    struct nft_instr *instr = build_add(b, NFT_OP_VERDICT);
    instr->key = (uint8_t)word->verdict;
    if (word->chain)
        snprintf(instr->name, sizeof(instr->name), "%s", word->chain);
    return true;
}

static bool (*const makers[])(struct build *b, const struct word *word) = {
    [WORD_IN_SET] = make_in_set,       [WORD_IS] = make_is,
    [WORD_STATE] = make_state,         [WORD_PING] = make_ping,
    [WORD_REDIRECT] = make_redirect,   [WORD_MARK_AS] = make_mark_as,
    [WORD_ACCEPTED] = make_accepted,   [WORD_CLAMP] = make_clamp,
    [WORD_TRANSLATE] = make_translate, [WORD_MASQUERADE] = make_masquerade,
    [WORD_RESET] = make_reset,         [WORD_PROHIBIT] = make_prohibit,
    [WORD_VERDICT] = make_verdict,
};
_Static_assert(ARRAY_SIZE(makers) == WORD_TYPE_COUNT, "every word can be made");

/* ---- rows ---- */

/* What a row multiplies by. */
struct variety {
    bool families, nets, exits;
};

static struct variety variety_of(const struct word row[static ROW_WORDS])
{
    struct variety v = {0};
    for (const struct word *word = row; word->type != WORD_END; word++) {
        bool set = word->type == WORD_IN_SET || word->type == WORD_TRANSLATE;
        v.families |= word->type == WORD_PING || word->type == WORD_REDIRECT ||
                      build_by_family(word->parts[0]) || build_by_family(word->parts[1]) ||
                      (set && fw_has_family(word->set));
        v.nets |= set && fw_has_twin(word->set);
        v.exits |= set && word->set == FW_EXIT;
    }
    return v;
}

static void make_rule(struct build *b, const struct word *row, bool by_family,
                      struct nft_chain *chain, struct arena *arena)
{
    bool exists = true;
    b->count = 0;
    if (by_family)
        build_family(b);
    for (const struct word *word = row; word->type != WORD_END; word++)
        exists &= makers[word->type](b, word);
    if (!exists)
        return;
    struct nft_rule *rule = &chain->rules[chain->rule_count++];
    rule->count = b->count;
    rule->instrs = arena_memdup(arena, b->instrs, b->count * sizeof(*b->instrs));
}

static void make_row_for(struct build *b, const struct word *row, struct variety v,
                         struct nft_chain *chain, struct arena *arena)
{
    for (int ipv6 = 0; ipv6 <= v.families; ipv6++) {
        for (int net = 0; net <= (v.nets && b->shape->subnets); net++) {
            b->ipv6 = ipv6;
            b->net = net;
            make_rule(b, row, v.families, chain, arena);
        }
    }
}

static void make_row(struct build *b, const struct word *row, struct nft_chain *chain,
                     struct arena *arena)
{
    struct variety v = variety_of(row);
    b->exit = 0;
    if (!v.exits)
        make_row_for(b, row, v, chain, arena);
    for (unsigned exit = 1; v.exits && exit <= LINK_NUMBER_MAX; exit++) {
        b->exit = exit;
        if (b->shape->exits >> exit & 1)
            make_row_for(b, row, v, chain, arena);
    }
}

static void make_chain(struct build *b, const struct chain_row *row, struct nft_chain *ret,
                       struct arena *arena)
{
    enum { EACH_MOST = 4 }; /* families and subnets */
    size_t exits = (size_t)__builtin_popcountll(b->shape->exits);

    ret->family = NFT_FAMILY_INET;
    snprintf(ret->table, sizeof(ret->table), "%s", FW_TABLE);
    snprintf(ret->name, sizeof(ret->name), "%s", row->name);
    ret->hook = row->hook;
    ret->type = row->type;
    ret->priority = row->priority;
    ret->rules = arena_alloc(arena, (row->count + exits) * EACH_MOST * sizeof(*ret->rules));
    for (size_t i = 0; i < row->count; i++)
        make_row(b, row->rows[i], ret, arena);
}

struct nft_chain *fw_chains(const struct fw_shape *shape, struct arena *arena, size_t *retcount)
{
    struct build b = {.shape = shape};
    struct nft_chain *chains = arena_alloc(arena, fw_chain_row_count * sizeof(*chains));
    for (size_t i = 0; i < fw_chain_row_count; i++)
        make_chain(&b, &fw_chain_rows[i], &chains[i], arena);
    *retcount = fw_chain_row_count;
    return chains;
}
