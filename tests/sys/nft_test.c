/*
 * nftables through the boundary.
 */
#include "reconcilers/sys/nft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/nft_hands.h"

static void commit(struct sys *sys, const struct nft_change *changes, size_t count)
{
    CHECK(sys_nft_commit(sys, changes, count, &error), 0);
}

static void commit_one(struct sys *sys, struct nft_change change)
{
    commit(sys, &change, 1);
}

static void refuse_one(struct sys *sys, struct nft_change change, int expected)
{
    CHECK(sys_nft_commit(sys, &change, 1, &error), expected);
}

static uint32_t generation_of(struct sys *sys)
{
    uint32_t generation = 0;
    CHECK(sys_nft_generation(sys, &generation, &error), 0);
    return generation;
}

/* A table with one base chain, "forward", and one other, "x". */
static void add_table(struct sys *sys, struct nft_chain *retforward, struct nft_chain *retx)
{
    *retforward = chain_of("forward");
    *retx = chain_of("x");
    retforward->hook = NFT_HOOK_FORWARD;
    retforward->priority = -1;
    commit(sys,
           (struct nft_change[]){of_table(NFT_TABLE_ADD), of_chain(NFT_CHAIN_ADD, retforward),
                                 of_chain(NFT_CHAIN_ADD, retx)},
           3);
}

static struct nft_rule rule_of(struct nft_instr *instrs, size_t count)
{
    return (struct nft_rule){.instrs = instrs, .count = count};
}

/* ---- tables and chains ----------------------------------------------------------------------- */

ON_BOTH_SIDES(nft, table_comes_and_goes)
{
    NFT_RULESET_AUTO ruleset = {0};
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_assert(!ruleset.present && ruleset.chain_count == 0 && ruleset.set_count == 0);
    commit_one(sys, of_table(NFT_TABLE_ADD));
    table_read(sys, &ruleset);
    commit_one(sys, of_table(NFT_TABLE_ADD));
    commit_one(sys, of_table(NFT_TABLE_DELETE));
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_assert(!ruleset.present);
    refuse_one(sys, of_table(NFT_TABLE_DELETE), -ENOENT);
}

ON_BOTH_SIDES(nft, every_commit_is_a_generation)
{
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain missing = chain_of("missing");
    uint32_t before = generation_of(sys);
    commit_one(sys, of_table(NFT_TABLE_ADD));
    cr_assert_eq(generation_of(sys), before + 1);
    refuse_one(sys, of_chain(NFT_CHAIN_DELETE, &missing), -ENOENT);
    cr_assert_eq(generation_of(sys), before + 1, "a refused one is none");
    table_read(sys, &ruleset);
    cr_assert_eq(ruleset.generation, before + 1);
    cr_assert_eq(generation_of(sys), before + 1, "reading is none");
    commit_one(sys, of_table(NFT_TABLE_DELETE));
    cr_assert_eq(generation_of(sys), before + 2);
}

ON_BOTH_SIDES(nft, chains_come_back)
{
    static const struct nft_chain samples[] = {
        {.name = "premark", .hook = NFT_HOOK_PREROUTING, .priority = -150},
        {.name = "input", .hook = NFT_HOOK_INPUT, .priority = -1, .policy_drop = true},
        {.name = "forward", .hook = NFT_HOOK_FORWARD},
        {.name = "vip_out", .hook = NFT_HOOK_OUTPUT, .type = NFT_CHAIN_NAT, .priority = -105},
        {.name = "reroute", .hook = NFT_HOOK_OUTPUT, .type = NFT_CHAIN_ROUTE, .priority = -150},
        {.name = "srcnat", .hook = NFT_HOOK_POSTROUTING, .type = NFT_CHAIN_NAT, .priority = 100},
        {.name = "pass"},
    };
    NFT_RULESET_AUTO ruleset = {0};
    commit_one(sys, of_table(NFT_TABLE_ADD));
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        commit_one(sys, of_chain(NFT_CHAIN_ADD, &samples[i]));
    table_read(sys, &ruleset);
    cr_assert_eq(ruleset.chain_count, ARRAY_SIZE(samples));
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        const struct nft_chain *chain = nft_find_chain(&ruleset, samples[i].name);
        cr_assert(chain && chain->hook == samples[i].hook && chain->type == samples[i].type &&
                      chain->priority == samples[i].priority &&
                      chain->policy_drop == samples[i].policy_drop,
                  "chain %s", samples[i].name);
        cr_assert(chain->family == NFT_FAMILY_INET && strcmp(chain->table, "pic") == 0 &&
                  chain->rule_count == 0);
    }
}

ON_BOTH_SIDES(nft, chain_in_use_stays)
{
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain forward, x;
    add_table(sys, &forward, &x);
    struct nft_instr jump[] = {in_go("x")};
    struct nft_rule rule = rule_of(jump, 1);
    commit_one(sys, of_rule(NFT_RULE_APPEND, &forward, &rule));
    refuse_one(sys, of_chain(NFT_CHAIN_DELETE, &x), -EBUSY);
    commit(
        sys,
        (struct nft_change[]){of_chain(NFT_CHAIN_FLUSH, &forward), of_chain(NFT_CHAIN_DELETE, &x)},
        2);
    table_read(sys, &ruleset);
    cr_assert(ruleset.chain_count == 1 && ruleset.chains[0].rule_count == 0);
    refuse_one(sys, of_chain(NFT_CHAIN_DELETE, &x), -ENOENT);
    refuse_one(sys, of_chain(NFT_CHAIN_FLUSH, &x), -ENOENT);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void assert_marks(const struct nft_chain *chain, const char *marks)
{
    cr_assert_eq(chain->rule_count, strlen(marks));
    for (size_t i = 0; i < chain->rule_count; i++)
        cr_assert_eq(chain->rules[i].comment[0], marks[i], "rule %zu is \"%s\", not %c", i,
                     chain->rules[i].comment, marks[i]);
}

ON_BOTH_SIDES(nft, rules_keep_their_order)
{
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain forward, x;
    add_table(sys, &forward, &x);
    struct nft_instr accept[] = {in_verdict(VERDICT_ACCEPT)};
    static const struct {
        enum nft_change_type type;
        const char *comment;
    } steps[] = {{NFT_RULE_APPEND, "b"},
                 {NFT_RULE_APPEND, "c"},
                 {NFT_RULE_INSERT, "a"},
                 {NFT_RULE_APPEND, "d"}};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        struct nft_rule rule = rule_of(accept, 1);
        snprintf(rule.comment, sizeof(rule.comment), "%s", steps[i].comment);
        commit_one(sys, of_rule(steps[i].type, &forward, &rule));
    }
    table_read(sys, &ruleset);
    const struct nft_chain *chain = nft_find_chain(&ruleset, "forward");
    assert_marks(chain, "abcd");
    assert_same_rule(&chain->rules[2], accept, 1, "accept");

    struct nft_rule second = chain->rules[1];
    commit_one(sys, of_rule(NFT_RULE_DELETE, &forward, &second));
    refuse_one(sys, of_rule(NFT_RULE_DELETE, &forward, &second), -ENOENT);
    table_read(sys, &ruleset);
    chain = nft_find_chain(&ruleset, "forward");
    assert_marks(chain, "acd");
    commit_one(sys, of_chain(NFT_CHAIN_FLUSH, &forward));
    table_read(sys, &ruleset);
    cr_assert_eq(nft_find_chain(&ruleset, "forward")->rule_count, 0);
}

ON_BOTH_SIDES(nft, rule_names_what_exists)
{
    struct nft_chain forward, x;
    add_table(sys, &forward, &x);
    struct nft_instr nowhere[] = {in_go("nowhere")};
    struct nft_instr no_set[] = {in_load(1, META_IIFNAME), in_set(1, "nothing"), in_go("x")};
    struct nft_rule to_nowhere = rule_of(nowhere, 1), of_no_set = rule_of(no_set, 3);
    struct nft_chain missing = chain_of("missing");
    refuse_one(sys, of_rule(NFT_RULE_APPEND, &forward, &to_nowhere), -ENOENT);
    refuse_one(sys, of_rule(NFT_RULE_APPEND, &forward, &of_no_set), -ENOENT);
    refuse_one(sys, of_rule(NFT_RULE_APPEND, &missing, &(struct nft_rule){0}), -ENOENT);
}

ON_BOTH_SIDES(nft, comment_as_long_as_it_may_be)
{
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain forward, x;
    add_table(sys, &forward, &x);
    struct nft_instr drop[] = {in_verdict(VERDICT_DROP)};
    struct nft_rule rule = rule_of(drop, 1);
    memset(rule.comment, 'c', sizeof(rule.comment) - 1);
    commit_one(sys, of_rule(NFT_RULE_APPEND, &x, &rule));
    table_read(sys, &ruleset);
    cr_assert_str_eq(nft_find_chain(&ruleset, "x")->rules[0].comment, rule.comment);
}

/* ---- sets ------------------------------------------------------------------------------------ */

static void add_set(struct sys *sys, const struct nft_set *set)
{
    commit(sys,
           (struct nft_change[]){of_table(NFT_TABLE_ADD), of_set(NFT_SET_ADD, set),
                                 of_set(NFT_ELEMENTS_ADD, set)},
           3);
}

ON_BOTH_SIDES(nft, sets_of_every_form)
{
    static const struct {
        struct nft_set set;
        const char *elements[4];
    } samples[] = {
        {{.name = "peers4", .key = {NFT_TYPE_IPV4}},
         {"10.10.0.35", "10.10.0.34", "255.255.255.255", "0.0.0.0"}},
        {{.name = "peers6", .key = {NFT_TYPE_IPV6}}, {"fd00::2", "fd00::1"}},
        {{.name = "links", .key = {NFT_TYPE_IFNAME}}, {"pl-gamma", "pl-beta", "a23456789012345"}},
        {{.name = "marks", .key = {NFT_TYPE_MARK}}, {"0x01000000", "0x3e000000", "1"}},
        {{.name = "ports", .key = {NFT_TYPE_PORT}}, {"443", "53"}},
        {{.name = "protocols", .key = {NFT_TYPE_PROTO}}, {"17", "6"}},
        {{.name = "empty", .key = {NFT_TYPE_IPV4}}, {NULL}},
        {{.name = "exit_out", .key = {NFT_TYPE_MARK, NFT_TYPE_IFNAME}},
         {"0x02000000 pl-gamma", "0x01000000 pl-beta"}},
        {{.name = "link_service6", .key = {NFT_TYPE_IFNAME, NFT_TYPE_IPV6}},
         {"pl-beta fd00::1", "pl-beta fd00::2"}},
        {{.name = "open", .key = {NFT_TYPE_IPV4, NFT_TYPE_PROTO, NFT_TYPE_PORT}},
         {"10.10.0.1 17 53", "10.10.0.1 6 53"}},
        {{.name = "exit_of", .key = {NFT_TYPE_IPV4}, .data = {NFT_TYPE_VERDICT}},
         {"10.10.0.34 goto x", "10.10.0.35 accept"}},
        {{.name = "mark_of", .key = {NFT_TYPE_IPV4}, .data = {NFT_TYPE_MARK}},
         {"10.10.0.34 0x01000000"}},
        {{.name = "vip4",
          .key = {NFT_TYPE_IPV4, NFT_TYPE_PROTO, NFT_TYPE_PORT},
          .data = {NFT_TYPE_IPV4, NFT_TYPE_PORT}},
         {"10.10.0.226 6 443 172.20.0.7 5232", "10.10.0.1 17 53 172.20.0.3 53"}},
        {{.name = "never4", .key = {NFT_TYPE_IPV4}, .interval = true},
         {"224.0.0.0 255.255.255.255", "0.0.0.0 0.255.255.255", "10.0.0.0 10.255.255.255",
          "12.0.0.1 12.0.0.1"}},
        {{.name = "never6", .key = {NFT_TYPE_IPV6}, .interval = true},
         {"ff00:: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ":: ::ffff:ffff"}},
        {{.name = "subnet_of", .key = {NFT_TYPE_IPV4}, .data = {NFT_TYPE_IPV4}, .interval = true},
         {"192.168.7.0 192.168.7.255 10.10.0.34", "192.168.8.0 192.168.8.255 10.10.0.35"}},
        {{.name = "link_net4", .key = {NFT_TYPE_IFNAME, NFT_TYPE_IPV4}, .interval = true},
         {"pl-beta 10.20.0.0 pl-beta 10.20.0.255", "pl-gamma 10.30.0.0 pl-gamma 10.30.3.255",
          "pl-beta 10.21.0.0 pl-beta 10.21.0.0"}},
        {{.name = "link_net6", .key = {NFT_TYPE_IFNAME, NFT_TYPE_IPV6}, .interval = true},
         {"pl-beta fd00:20:: pl-beta fd00:20::ffff:ffff:ffff:ffff"}},
    };
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain forward, x;
    add_table(sys, &forward, &x);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        NFT_SET_AUTO set = samples[i].set;
        for (size_t j = 0; j < ARRAY_SIZE(samples[i].elements) && samples[i].elements[j]; j++)
            set_add(&set, samples[i].elements[j]);
        add_set(sys, &set);
        table_read(sys, &ruleset);
        cr_assert_eq(ruleset.set_count, i + 1);
        assert_same_set(&ruleset, &set);
    }
}

ON_BOTH_SIDES(nft, elements_come_and_go)
{
    NFT_RULESET_AUTO ruleset = {0};
    NFT_SET_AUTO set = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO one = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set_add(&set, "10.10.0.34");
    set_add(&set, "10.10.0.35");
    set_add(&one, "10.10.0.34");
    add_set(sys, &set);
    commit_one(sys, of_set(NFT_ELEMENTS_ADD, &one));
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &set);

    commit_one(sys, of_set(NFT_ELEMENTS_DELETE, &one));
    nft_set_remove(&set, one.elements);
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &set);
    refuse_one(sys, of_set(NFT_ELEMENTS_DELETE, &one), -ENOENT);

    NFT_SET_AUTO missing = set_of("missing", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set_add(&missing, "10.10.0.34");
    refuse_one(sys, of_set(NFT_ELEMENTS_ADD, &missing), -ENOENT);
    refuse_one(sys, of_set(NFT_ELEMENTS_DELETE, &missing), -ENOENT);
    refuse_one(sys, of_set(NFT_SET_DELETE, &missing), -ENOENT);
}

/* Deleting no elements must not be taken for deleting all. */
ON_BOTH_SIDES(nft, no_elements_are_no_elements)
{
    NFT_RULESET_AUTO ruleset = {0};
    NFT_SET_AUTO set = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    struct nft_set none = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set_add(&set, "10.10.0.34");
    add_set(sys, &set);
    commit_one(sys, of_set(NFT_ELEMENTS_DELETE, &none));
    commit_one(sys, of_set(NFT_ELEMENTS_ADD, &none));
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &set);
}

ON_BOTH_SIDES(nft, data_are_replaced_in_one_commit)
{
    NFT_RULESET_AUTO ruleset = {0};
    NFT_SET_AUTO before = set_of("source4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO after = set_of("source4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    before.data[0] = after.data[0] = NFT_TYPE_IPV4;
    set_add(&before, "10.10.0.34 10.10.0.1");
    set_add(&after, "10.10.0.34 10.10.0.2");
    add_set(sys, &before);
    commit(sys,
           (struct nft_change[]){of_set(NFT_ELEMENTS_DELETE, &before),
                                 of_set(NFT_ELEMENTS_ADD, &after)},
           2);
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &after);
}

ON_BOTH_SIDES(nft, intervals_that_touch)
{
    static const char *const parts[] = {"10.0.1.0 10.0.1.255", "10.0.0.0 10.0.0.255",
                                        "10.0.2.0 10.0.2.255"};
    NFT_RULESET_AUTO ruleset = {0};
    NFT_SET_AUTO set = set_of("lan4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set.interval = true;
    add_set(sys, &set);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) { /* the middle first */
        NFT_SET_AUTO one = set_of("lan4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
        one.interval = true;
        set_add(&one, parts[i]);
        set_add(&set, parts[i]);
        commit_one(sys, of_set(NFT_ELEMENTS_ADD, &one));
        table_read(sys, &ruleset);
        assert_same_set(&ruleset, &set);
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        NFT_SET_AUTO one = set_of("lan4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
        one.interval = true;
        set_add(&one, parts[i]);
        nft_set_remove(&set, one.elements);
        commit_one(sys, of_set(NFT_ELEMENTS_DELETE, &one));
        table_read(sys, &ruleset);
        assert_same_set(&ruleset, &set);
    }
}

ON_BOTH_SIDES(nft, interval_is_deleted_as_it_is)
{
    static const char *const wrong[] = {"10.0.0.0 10.0.0.127", "10.0.0.1 10.0.0.255",
                                        "10.0.0.16 10.0.0.31"};
    NFT_RULESET_AUTO ruleset = {0};
    NFT_SET_AUTO set = set_of("lan4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set.interval = true;
    set_add(&set, "10.0.0.0 10.0.0.255");
    add_set(sys, &set);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        NFT_SET_AUTO other = set_of("lan4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
        other.interval = true;
        set_add(&other, wrong[i]);
        refuse_one(sys, of_set(NFT_ELEMENTS_DELETE, &other), -ENOENT);
    }
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &set);
}

ON_BOTH_SIDES(nft, set_in_use_stays)
{
    struct nft_chain forward, x;
    struct nft_set links = set_of("links", NFT_TYPE_IFNAME, NFT_TYPE_NONE);
    add_table(sys, &forward, &x);
    struct nft_instr instrs[] = {in_load(1, META_IIFNAME), in_set(1, "links"), in_go("x")};
    struct nft_rule rule = rule_of(instrs, 3);
    commit(sys,
           (struct nft_change[]){of_set(NFT_SET_ADD, &links),
                                 of_rule(NFT_RULE_APPEND, &forward, &rule)},
           2);
    refuse_one(sys, of_set(NFT_SET_DELETE, &links), -EBUSY);
    commit(
        sys,
        (struct nft_change[]){of_chain(NFT_CHAIN_FLUSH, &forward), of_set(NFT_SET_DELETE, &links)},
        2);
}

/* ---- transactions ---------------------------------------------------------------------------- */

ON_BOTH_SIDES(nft, all_or_nothing)
{
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain forward, x, missing = chain_of("missing"), y = chain_of("y");
    NFT_SET_AUTO set = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO more = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    struct nft_set other = set_of("other", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set_add(&set, "10.10.0.34");
    set_add(&more, "10.10.0.35");
    add_table(sys, &forward, &x);
    add_set(sys, &set);
    struct nft_instr instrs[] = {in_verdict(VERDICT_DROP)};
    struct nft_rule rule = rule_of(instrs, 1);
    struct nft_change changes[] = {
        of_set(NFT_ELEMENTS_DELETE, &set),
        of_set(NFT_ELEMENTS_ADD, &more),
        of_rule(NFT_RULE_APPEND, &forward, &rule),
        of_chain(NFT_CHAIN_ADD, &y),
        of_set(NFT_SET_ADD, &other),
        of_chain(NFT_CHAIN_DELETE, &missing),
    };
    CHECK(sys_nft_commit(sys, changes, ARRAY_SIZE(changes), &error), -ENOENT);
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &set);
    cr_assert(ruleset.set_count == 1 && ruleset.chain_count == 2);
    cr_assert_eq(nft_find_chain(&ruleset, "forward")->rule_count, 0);
    commit(sys, changes, ARRAY_SIZE(changes) - 1);
    table_read(sys, &ruleset);
    assert_same_set(&ruleset, &more);
    cr_assert(ruleset.set_count == 2 && ruleset.chain_count == 3);
}

ON_BOTH_SIDES(nft, everything_is_replaced_in_one_commit)
{
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain forward, x;
    NFT_SET_AUTO set = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set_add(&set, "10.10.0.34");
    add_table(sys, &forward, &x);
    uint32_t before = generation_of(sys);
    commit(sys,
           (struct nft_change[]){of_table(NFT_TABLE_ADD), of_table(NFT_TABLE_DELETE),
                                 of_table(NFT_TABLE_ADD), of_set(NFT_SET_ADD, &set),
                                 of_set(NFT_ELEMENTS_ADD, &set)},
           5);
    table_read(sys, &ruleset);
    cr_assert_eq(ruleset.chain_count, 0);
    assert_same_set(&ruleset, &set);
    cr_assert_eq(ruleset.generation, before + 1);
}
