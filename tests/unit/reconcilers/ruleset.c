#include "tests/unit/reconcilers/ruleset.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/addr.h"
#include "schema/base/mem.h"

enum { WORDS_MAX = 32, INSTRS_MAX = 64 };

struct writing {
    struct nft_instr instrs[INSTRS_MAX];
    struct nft_rule rule;
    char *words[WORDS_MAX + 1]; /* NULL after the last */
    size_t count;
};

static struct nft_instr *add(struct writing *w, enum nft_op op, unsigned key)
{
    cr_assert_lt(w->rule.count, (size_t)INSTRS_MAX);
    struct nft_instr *instr = &w->instrs[w->rule.count++];
    *instr = (struct nft_instr){.op = (uint8_t)op, .key = (uint8_t)key};
    return instr;
}

static void load(struct writing *w, enum nft_op op, unsigned key)
{
    add(w, op, key)->reg = 1;
}

static void payload(struct writing *w, enum nft_base base, unsigned offset, unsigned len)
{
    struct nft_instr *instr = add(w, NFT_OP_PAYLOAD, base);
    instr->reg = 1;
    instr->offset = (uint16_t)offset;
    instr->len = (uint16_t)len;
}

static void compare(struct writing *w, enum nft_compare how, const void *data, size_t len)
{
    struct nft_instr *instr = add(w, NFT_OP_COMPARE, how);
    instr->reg = 1;
    instr->len = (uint16_t)len;
    memcpy(instr->data, data, len);
}

/* reg <- (reg & mask) ^ bits */
static void mask(struct writing *w, const void *bits, const void *mask_bits, size_t len)
{
    struct nft_instr *instr = add(w, NFT_OP_BITWISE, 0);
    instr->reg = instr->source = 1;
    instr->len = (uint16_t)len;
    memcpy(instr->data, bits, len);
    memcpy(instr->mask, mask_bits, len);
}

static void compare_byte(struct writing *w, unsigned byte)
{
    compare(w, NFT_EQUAL, &(uint8_t){(uint8_t)byte}, 1);
}

static void name(struct writing *w, enum nft_meta key, const char *text)
{
    char padded[NFT_DATA_SIZE] = "";
    size_t len = strlen(text);
    load(w, NFT_OP_META_LOAD, key);
    memcpy(padded, text, len);
    if (text[len - 1] == '*')
        compare(w, NFT_EQUAL, padded, len - 1);
    else
        compare(w, NFT_EQUAL, padded, sizeof(padded));
}

static void address(struct writing *w, bool source, const char *text)
{
    struct prefix prefix;
    static const uint8_t none[16] = {0};
    cr_assert_eq(prefix_parse(text, &prefix), 0, "%s", text);
    bool six = prefix.ip.family == AF_INET6;
    size_t len = six ? 16 : 4;
    load(w, NFT_OP_META_LOAD, META_NFPROTO);
    compare_byte(w, prefix.ip.family);
    payload(w, NFT_BASE_NETWORK, six ? (source ? 8 : 24) : (source ? 12 : 16), (unsigned)len);
    if (prefix.len < len * 8) {
        struct prefix bits = {.ip = {.family = prefix.ip.family}, .len = prefix.len};
        memset(bits.ip.bytes, 0xff, len);
        bits = prefix_normalise(&bits);
        mask(w, none, bits.ip.bytes, len);
    }
    compare(w, NFT_EQUAL, prefix.ip.bytes, len);
}

static void port(struct writing *w, unsigned protocol, const char *text)
{
    char *rest;
    uint16_t first = htons((uint16_t)strtoul(text, &rest, 10));
    load(w, NFT_OP_META_LOAD, META_L4PROTO);
    compare_byte(w, protocol);
    payload(w, NFT_BASE_TRANSPORT, 2, 2);
    if (*rest == '\0') {
        compare(w, NFT_EQUAL, &first, sizeof(first));
        return;
    }
    uint16_t last = htons((uint16_t)strtoul(rest + 1, NULL, 10));
    compare(w, NFT_GREATER_EQUAL, &first, sizeof(first));
    compare(w, NFT_LESS_EQUAL, &last, sizeof(last));
}

/* Any of these bits of a number of connection tracking. */
static void any_bit(struct writing *w, enum nft_ct key, uint32_t bits)
{
    static const uint32_t zero = 0;
    load(w, NFT_OP_CT_LOAD, key);
    mask(w, &zero, &bits, sizeof(bits));
    compare(w, NFT_NOT_EQUAL, &zero, sizeof(zero));
}

static void mark(struct writing *w, const char *text)
{
    static const uint32_t zero = 0;
    char *rest;
    bool not = text[0] == '!';
    uint32_t bits = (uint32_t)strtoul(text + not, &rest, 0);
    uint32_t mask_bits = (uint32_t)strtoul(rest + 1, NULL, 0);
    load(w, NFT_OP_META_LOAD, META_MARK);
    mask(w, &zero, &mask_bits, sizeof(mask_bits));
    compare(w, not ? NFT_NOT_EQUAL : NFT_EQUAL, &bits, sizeof(bits));
}

static void set_mark(struct writing *w, const char *text)
{
    uint32_t bits = (uint32_t)strtoul(text, NULL, 0);
    struct nft_instr *instr = add(w, NFT_OP_IMMEDIATE, 0);
    instr->reg = 1;
    instr->len = sizeof(bits);
    memcpy(instr->data, &bits, sizeof(bits));
    add(w, NFT_OP_META_SET, META_MARK)->reg = 1;
}

static void call(struct writing *w, enum nft_op op, unsigned key, const char *text)
{
    struct nft_instr *instr = add(w, op, key);
    snprintf(instr->name, sizeof(instr->name), "%s", text);
    instr->reg = op == NFT_OP_VERDICT ? 0 : 1;
}

static bool is(const char *word, const char *wanted)
{
    return strcmp(word, wanted) == 0;
}

static bool write_end(struct writing *w, const char *word)
{
    static const struct {
        const char *word;
        enum nft_op op;
        unsigned key;
    } ends[] = {
        {"accept", NFT_OP_VERDICT, VERDICT_ACCEPT},
        {"drop", NFT_OP_VERDICT, VERDICT_DROP},
        {"return", NFT_OP_VERDICT, VERDICT_RETURN},
        {"continue", NFT_OP_VERDICT, VERDICT_CONTINUE},
        {"queue", NFT_OP_VERDICT, VERDICT_QUEUE},
        {"reject", NFT_OP_REJECT_OTHER, 0},
        {"counter", NFT_OP_COUNTER, 0},
        {"other", NFT_OP_OTHER, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (is(word, ends[i].word)) {
            add(w, ends[i].op, ends[i].key);
            return true;
        }
    return false;
}

/* The word with what follows it; returns how many words that were. */
static size_t write_words(struct writing *w, char *const *words)
{
    const char *next = words[1] ? words[1] : "";
    if (write_end(w, words[0]))
        return 1;
    if (words[0][0] == '@') {
        call(w, NFT_OP_LOOKUP, 0, words[0] + 1);
        return 1;
    }
    if (is(words[0], "dnat")) {
        any_bit(w, CT_STATUS, NFT_STATUS_DNAT);
        return 1;
    }
    if (is(words[0], "tcp") || is(words[0], "udp")) {
        port(w, is(words[0], "tcp") ? IPPROTO_TCP : IPPROTO_UDP, words[2]);
        return 3;
    }
    if (is(words[0], "iifname") || is(words[0], "oifname"))
        name(w, is(words[0], "iifname") ? META_IIFNAME : META_OIFNAME, next);
    else if (is(words[0], "saddr") || is(words[0], "daddr"))
        address(w, is(words[0], "saddr"), next);
    else if (is(words[0], "mark"))
        mark(w, next);
    else if (is(words[0], "setmark"))
        set_mark(w, next);
    else if (is(words[0], "state"))
        any_bit(w, CT_STATE,
                is(next, "new") ? NFT_STATE_NEW : NFT_STATE_ESTABLISHED | NFT_STATE_RELATED);
    else if (is(words[0], "jump") || is(words[0], "goto"))
        call(w, NFT_OP_VERDICT, is(words[0], "jump") ? VERDICT_JUMP : VERDICT_GOTO, next);
    else if (is(words[0], "vmap"))
        call(w, NFT_OP_LOOKUP_VERDICT, 0, next);
    else if (is(words[0], "proto")) {
        load(w, NFT_OP_META_LOAD, META_L4PROTO);
        compare_byte(w, (unsigned)strtoul(next, NULL, 10));
    } else if (is(words[0], "byte")) {
        payload(w, NFT_BASE_TRANSPORT, (unsigned)strtoul(next, NULL, 10), 1);
        compare_byte(w, 1);
    } else {
        cr_assert_fail("\"%s\" is no word of a rule", words[0]);
    }
    return 2;
}

static void split(struct writing *w, char *line)
{
    char *save = NULL;
    w->count = 0;
    for (char *word = strtok_r(line, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        cr_assert_lt(w->count, (size_t)WORDS_MAX);
        w->words[w->count++] = word;
    }
    w->words[w->count] = NULL;
}

static enum nft_family family_of(const char *word)
{
    return is(word, "ip")     ? NFT_FAMILY_IP
           : is(word, "ip6")  ? NFT_FAMILY_IP6
           : is(word, "inet") ? NFT_FAMILY_INET
                              : NFT_FAMILY_OTHER;
}

static struct nft_chain chain_of(const struct writing *w)
{
    static const char *const hooks[] = {[NFT_HOOK_PREROUTING] = "prerouting",
                                        [NFT_HOOK_INPUT] = "input",
                                        [NFT_HOOK_FORWARD] = "forward",
                                        [NFT_HOOK_OUTPUT] = "output",
                                        [NFT_HOOK_POSTROUTING] = "postrouting"};
    struct nft_chain chain = {.family = (uint8_t)family_of(w->words[1])};
    snprintf(chain.table, sizeof(chain.table), "%s", w->words[2]);
    snprintf(chain.name, sizeof(chain.name), "%s", w->words[3]);
    if (w->count < 7)
        return chain;
    for (size_t i = NFT_HOOK_PREROUTING; i < ARRAY_SIZE(hooks); i++)
        if (is(w->words[4], hooks[i]))
            chain.hook = (enum nft_hook)i;
    chain.priority = (int32_t)strtol(w->words[5], NULL, 10);
    chain.policy_drop = is(w->words[6], "drop");
    chain.type = w->words[7] ? NFT_CHAIN_NAT : NFT_CHAIN_FILTER;
    return chain;
}

static void put(struct sys *sys, enum nft_change_type type, const struct nft_chain *chain,
                const struct nft_rule *rule, const struct nft_set *set)
{
    struct nft_change changes[2] = {{.type = NFT_TABLE_ADD}, {.type = type}};
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
        changes[i].family = chain->family;
        memcpy(changes[i].table, chain->table, sizeof(chain->table));
    }
    changes[1].chain = set ? NULL : chain;
    changes[1].rule = rule;
    changes[1].set = set;
    sys_fake_nft_commit(sys, changes, ARRAY_SIZE(changes));
}

/* Chains and sets first: rules may name those that come later. */
static void put_line(struct sys *sys, struct writing *w, struct nft_chain *chain, bool rules)
{
    if (w->count == 0)
        return;
    bool is_chain = is(w->words[0], "chain"), is_set = is(w->words[0], "set");
    if (is_chain || is_set)
        *chain = chain_of(w);
    if (is_chain && !rules)
        put(sys, NFT_CHAIN_ADD, chain, NULL, NULL);
    if (is_set && !rules) {
        struct nft_set set = {.key = {NFT_TYPE_IPV4}};
        memcpy(set.name, chain->name, sizeof(set.name));
        if (w->words[4])
            set.data[0] = NFT_TYPE_VERDICT;
        put(sys, NFT_SET_ADD, chain, NULL, &set);
    }
    if (is_chain || is_set || !rules)
        return;
    w->rule = (struct nft_rule){.instrs = w->instrs};
    for (size_t i = 0; i < w->count;)
        i += write_words(w, w->words + i);
    put(sys, NFT_RULE_APPEND, chain, &w->rule, NULL);
}

void ruleset_put(struct sys *sys, const char *text)
{
    MEM_AUTO struct writing *w = mem_alloc(sizeof(*w));
    for (unsigned pass = 0; pass < 2; pass++) {
        struct nft_chain chain = {0};
        for (const char *at = text; *at;) {
            size_t len = strcspn(at, "\n");
            MEM_AUTO char *line = mem_strndup(at, len);
            split(w, line);
            put_line(sys, w, &chain, pass == 1);
            at += len;
            at += *at == '\n';
        }
    }
}
