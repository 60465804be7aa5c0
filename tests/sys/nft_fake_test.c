/*
 * The fake nftables: what the tests of both sides cannot say, since others' hands are other there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "reconcilers/sys/fake.h"
#include "schema/base/mem.h"
#include "tests/sys/side.h"

#define RULESET_AUTO __attribute__((cleanup(nft_ruleset_clear))) struct nft_ruleset
#define ON_FAKE_SIDE(suite, body)                                                                  \
    static void body(const struct side *side, struct sys *sys);                                    \
    ON_SIDE(suite, body, fake)                                                                     \
    static void body(UNUSED const struct side *side, UNUSED struct sys *sys)

static struct nft_change change_of(enum nft_change_type type)
{
    return (struct nft_change){.type = type, .family = NFT_FAMILY_INET, .table = "pic"};
}

static struct nft_change of_set(enum nft_change_type type, const struct nft_set *set)
{
    struct nft_change change = change_of(type);
    change.set = set;
    return change;
}

static struct nft_change of_chain(enum nft_change_type type, const struct nft_chain *chain,
                                  const struct nft_rule *rule)
{
    struct nft_change change = change_of(type);
    change.chain = chain;
    change.rule = rule;
    return change;
}

/* Adds the set with one element; "" is none. */
static int add(struct sys *sys, struct nft_set set, const void *element)
{
    struct nft_change changes[] = {change_of(NFT_TABLE_ADD), of_set(NFT_SET_ADD, &set),
                                   of_set(NFT_ELEMENTS_ADD, &set)};
    ERROR_AUTO error = NULL;
    set.elements = (uint8_t *)element;
    set.count = element ? 1 : 0;
    return sys_nft_commit(sys, changes, ARRAY_SIZE(changes), &error);
}

static const struct nft_chain foreign = {.family = NFT_FAMILY_IP,
                                         .table = "filter",
                                         .name = "FORWARD",
                                         .hook = NFT_HOOK_FORWARD,
                                         .policy_drop = true};

/* ---- elements -------------------------------------------------------------------------------- */

/* A byte each: {first, last} of 10.0.0.0. Each row is added to a set with 16–31 and 48–63. */
ON_FAKE_SIDE(nft_fake, intervals_do_not_overlap)
{
    static const struct {
        uint8_t first, last;
        int expected;
    } rows[] = {
        {16, 31, 0},       {0, 15, 0},        {32, 47, 0},       {64, 255, 0},
        {0, 16, -EEXIST},  {31, 32, -EEXIST}, {17, 30, -EEXIST}, {16, 30, -EEXIST},
        {0, 255, -EEXIST}, {63, 63, -EEXIST}, {20, 19, -EINVAL}, {47, 40, -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys *own = sys_fake_new();
        struct nft_set set = {.name = "lan4", .key = {NFT_TYPE_IPV4}, .interval = true};
        uint8_t row[] = {10, 0, 0, rows[i].first, 10, 0, 0, rows[i].last};
        cr_assert_eq(add(own, set, (uint8_t[]){10, 0, 0, 16, 10, 0, 0, 31}), 0);
        cr_assert_eq(add(own, set, (uint8_t[]){10, 0, 0, 48, 10, 0, 0, 63}), 0);
        cr_expect_eq(add(own, set, row), rows[i].expected, "row %zu", i);
        sys_close(own);
    }
}

/* Of a concatenation each part has an interval of its own: what overlaps in one part only, fits. */
ON_FAKE_SIDE(nft_fake, boxes_overlap_in_every_part)
{
    static const struct {
        const char *first, *last;
        uint8_t from, to;
        int expected;
    } rows[] = {
        {"pl-beta", "pl-beta", 0, 9, 0},     {"pl-beta", "pl-beta", 9, 9, -EEXIST},
        {"pl-gamma", "pl-gamma", 0, 9, 0},   {"pl-beta", "pl-beta", 10, 19, 0},
        {"pl-alpha", "pl-z", 5, 6, -EEXIST}, {"pl-z", "pl-alpha", 5, 6, -EINVAL},
        {"pl-alpha", "pl-alpha", 0, 255, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys *own = sys_fake_new();
        struct nft_set set = {
            .name = "nets", .key = {NFT_TYPE_IFNAME, NFT_TYPE_IPV4}, .interval = true};
        uint8_t base[40] = "pl-beta", row[40] = "";
        memcpy(base + 16, (uint8_t[]){10, 0, 0, 0}, 4);
        memcpy(base + 20, "pl-beta", 7);
        memcpy(base + 36, (uint8_t[]){10, 0, 0, 9}, 4);
        memcpy(row, rows[i].first, strlen(rows[i].first));
        memcpy(row + 16, (uint8_t[]){10, 0, 0, rows[i].from}, 4);
        memcpy(row + 20, rows[i].last, strlen(rows[i].last));
        memcpy(row + 36, (uint8_t[]){10, 0, 0, rows[i].to}, 4);
        cr_assert_eq(add(own, set, base), 0);
        cr_expect_eq(add(own, set, row), rows[i].expected, "row %zu", i);
        sys_close(own);
    }
}

ON_FAKE_SIDE(nft_fake, elements_are_of_their_set)
{
    struct nft_set map = {.name = "m", .key = {NFT_TYPE_IPV4}, .data = {NFT_TYPE_IPV4}};
    struct nft_set set = {.name = "m", .key = {NFT_TYPE_IPV4}};
    cr_expect_eq(add(sys, map, (uint8_t[]){10, 0, 0, 1, 10, 9, 9, 1}), 0);
    cr_expect_eq(add(sys, map, (uint8_t[]){10, 0, 0, 1, 10, 9, 9, 1}), 0);
    cr_expect_eq(add(sys, map, (uint8_t[]){10, 0, 0, 1, 10, 9, 9, 2}), -EEXIST, "other data");
    cr_expect_eq(add(sys, set, NULL), -EEXIST, "another kind of set");
    set.elements = (uint8_t[]){10, 0, 0, 1};
    set.count = 1;
    CHECK(sys_nft_commit(sys, (struct nft_change[]){of_set(NFT_ELEMENTS_ADD, &set)}, 1, &error),
          -EINVAL);
}

ON_FAKE_SIDE(nft_fake, verdicts_lead_to_chains)
{
    struct nft_chain x = {.name = "x"}, base = {.name = "in", .hook = NFT_HOOK_INPUT};
    struct nft_set map = {.name = "v", .key = {NFT_TYPE_PROTO}, .data = {NFT_TYPE_VERDICT}};
    uint8_t element[1 + sizeof(struct nft_element_verdict)] = {6, VERDICT_GOTO, 'x'};
    cr_expect_eq(add(sys, map, element), -ENOENT);
    CHECK(sys_nft_commit(sys,
                         (struct nft_change[]){change_of(NFT_TABLE_ADD),
                                               of_chain(NFT_CHAIN_ADD, &x, NULL),
                                               of_chain(NFT_CHAIN_ADD, &base, NULL)},
                         3, &error),
          0);
    cr_expect_eq(add(sys, map, element), 0);
    struct nft_change leave = of_chain(NFT_CHAIN_DELETE, &x, NULL);
    CHECK(sys_nft_commit(sys, &leave, 1, &error), -EBUSY);
    element[0] = 17;
    memcpy(element + 2, "in", 2);
    cr_expect_eq(add(sys, map, element), -EOPNOTSUPP, "not to a base chain");
}

/* ---- chains and rules ------------------------------------------------------------------------ */

ON_FAKE_SIDE(nft_fake, chain_goes_with_its_rules)
{
    struct nft_chain x = {.name = "x"}, y = {.name = "y"};
    struct nft_instr jump = {.op = NFT_OP_VERDICT, .key = VERDICT_JUMP, .name = "y"};
    struct nft_rule rule = {.instrs = &jump, .count = 1};
    struct nft_change make[] = {change_of(NFT_TABLE_ADD), of_chain(NFT_CHAIN_ADD, &x, NULL),
                                of_chain(NFT_CHAIN_ADD, &y, NULL),
                                of_chain(NFT_RULE_APPEND, &x, &rule)};
    struct nft_change leave[] = {of_chain(NFT_CHAIN_DELETE, &y, NULL),
                                 of_chain(NFT_CHAIN_DELETE, &x, NULL)};
    RULESET_AUTO ruleset = {0};
    CHECK(sys_nft_commit(sys, make, ARRAY_SIZE(make), &error), 0);
    CHECK(sys_nft_commit(sys, leave, ARRAY_SIZE(leave), &error), -EBUSY);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_expect_eq(ruleset.chain_count, 2);
    struct nft_change swapped[] = {leave[1], leave[0]};
    CHECK(sys_nft_commit(sys, swapped, ARRAY_SIZE(swapped), &error), 0);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_expect_eq(ruleset.chain_count, 0);
}

ON_FAKE_SIDE(nft_fake, handles_rise_and_are_not_used_again)
{
    struct nft_chain x = {.name = "x"};
    struct nft_rule rule = {0};
    struct nft_change make[] = {change_of(NFT_TABLE_ADD), of_chain(NFT_CHAIN_ADD, &x, NULL),
                                of_chain(NFT_RULE_APPEND, &x, &rule),
                                of_chain(NFT_RULE_INSERT, &x, &rule)};
    RULESET_AUTO ruleset = {0};
    CHECK(sys_nft_commit(sys, make, ARRAY_SIZE(make), &error), 0);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    uint64_t last = ruleset.chains[0].rules[0].handle;
    cr_expect_gt(last, ruleset.chains[0].rules[1].handle, "the first is the younger one");
    CHECK(sys_nft_commit(sys,
                         (struct nft_change[]){of_chain(NFT_CHAIN_FLUSH, &x, NULL),
                                               of_chain(NFT_RULE_APPEND, &x, &rule)},
                         2, &error),
          0);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_expect_gt(ruleset.chains[0].rules[0].handle, last);
}

ON_FAKE_SIDE(nft_fake, base_chain_changes_its_policy_only)
{
    struct nft_chain base = {.name = "forward", .hook = NFT_HOOK_FORWARD, .priority = -1};
    struct nft_change make[] = {change_of(NFT_TABLE_ADD), of_chain(NFT_CHAIN_ADD, &base, NULL)};
    RULESET_AUTO ruleset = {0};
    CHECK(sys_nft_commit(sys, make, 2, &error), 0);
    base.policy_drop = true;
    CHECK(sys_nft_commit(sys, make, 2, &error), 0);
    base.priority = 0;
    CHECK(sys_nft_commit(sys, make, 2, &error), -EOPNOTSUPP);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_expect(ruleset.chain_count == 1 && ruleset.chains[0].policy_drop &&
              ruleset.chains[0].priority == -1);
}

ON_FAKE_SIDE(nft_fake, refusal_names_the_change)
{
    struct nft_set set = {.name = "exit_1", .key = {NFT_TYPE_IPV4}};
    struct nft_change changes[] = {change_of(NFT_TABLE_ADD), of_set(NFT_ELEMENTS_ADD, &set)};
    ERROR_AUTO error = NULL;
    cr_assert_eq(sys_nft_commit(sys, changes, 2, &error), -ENOENT);
    cr_expect_str_eq(error->message, "cannot add elements to set \"exit_1\" of table inet pic: "
                                     "No such file or directory");
    cr_expect_eq(error->class, ERROR_TRANSIENT);
}

/* ---- others ---------------------------------------------------------------------------------- */

static void count(const struct sys_event *event, void *context)
{
    cr_expect(event->type == SYS_EVENT_NFT && strcmp(event->process, "nft[1234]") == 0);
    ++*(unsigned *)context;
}

ON_FAKE_SIDE(nft_fake, only_commits_of_others_are_events)
{
    unsigned events = 0;
    uint32_t before, after;
    cr_assert(sys_events_fd(sys) >= 0);
    CHECK(sys_nft_generation(sys, &before, &error), 0);
    struct nft_change table = change_of(NFT_TABLE_ADD);
    CHECK(sys_nft_commit(sys, &table, 1, &error), 0);
    sys_events_read(sys, count, &events);
    cr_expect_eq(events, 0);
    sys_fake_nft_chain(sys, &foreign);
    sys_events_read(sys, count, &events);
    cr_expect_eq(events, 1);
    sys_fake_nft_flush(sys);
    sys_events_read(sys, count, &events);
    cr_expect_eq(events, 2);
    CHECK(sys_nft_generation(sys, &after, &error), 0);
    cr_expect_eq(after, before + 3);
    cr_expect_eq(sys_counters(sys)->writes, 1, "hands of others are not counted");
}

ON_FAKE_SIDE(nft_fake, all_tables_are_read_by_family)
{
    struct nft_instr drop = {.op = NFT_OP_VERDICT, .key = VERDICT_DROP};
    struct nft_rule rules[] = {{.comment = "one"}, {.instrs = &drop, .count = 1}};
    struct nft_chain filled = foreign;
    filled.rules = rules;
    filled.rule_count = 2;
    RULESET_AUTO ruleset = {0};
    sys_fake_nft_chain(sys, &filled);
    cr_assert_eq(add(sys, (struct nft_set){.name = "s", .key = {NFT_TYPE_IPV4}}, NULL), 0);
    sys_fake_nft_chain(sys, &(struct nft_chain){.table = "pic", .name = "x"});
    CHECK(sys_nft_read(sys, NULL, &ruleset, &error), 0);
    cr_assert_eq(ruleset.chain_count, 2);
    cr_expect_eq(ruleset.set_count, 0);
    cr_expect_str_eq(ruleset.chains[0].name, "x");
    const struct nft_chain *chain = &ruleset.chains[1];
    cr_expect(chain->family == NFT_FAMILY_IP && strcmp(chain->table, "filter") == 0 &&
              strcmp(chain->name, "FORWARD") == 0 && chain->policy_drop);
    cr_assert_eq(chain->rule_count, 2);
    cr_expect_str_eq(chain->rules[0].comment, "one");
    cr_expect(memcmp(chain->rules[1].instrs, &drop, sizeof(drop)) == 0);
    CHECK(sys_nft_read(sys, "filter", &ruleset, &error), 0);
    cr_expect(!ruleset.present && ruleset.chain_count == 0, "it is not of family inet");
}

ON_FAKE_SIDE(nft_fake, others_take_away)
{
    struct nft_rule rules[] = {{.comment = "one"}, {.comment = "two"}};
    struct nft_chain filled = foreign;
    filled.rules = rules;
    filled.rule_count = 2;
    RULESET_AUTO ruleset = {0};
    sys_fake_nft_chain(sys, &filled);
    sys_fake_nft_rule_delete(sys, NFT_FAMILY_IP, "filter", "FORWARD", 0);
    CHECK(sys_nft_read(sys, NULL, &ruleset, &error), 0);
    cr_assert_eq(ruleset.chains[0].rule_count, 1);
    cr_expect_str_eq(ruleset.chains[0].rules[0].comment, "two");
    sys_fake_nft_chain_flush(sys, NFT_FAMILY_IP, "filter", "FORWARD");
    CHECK(sys_nft_read(sys, NULL, &ruleset, &error), 0);
    cr_expect_eq(ruleset.chains[0].rule_count, 0);

    struct nft_set set = {.name = "s", .key = {NFT_TYPE_IPV4}};
    cr_assert_eq(add(sys, set, (uint8_t[]){10, 0, 0, 2}), 0);
    cr_assert_eq(add(sys, set, (uint8_t[]){10, 0, 0, 1}), 0);
    sys_fake_nft_element_delete(sys, "pic", "s", 0);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_assert_eq(ruleset.sets[0].count, 1);
    cr_expect_eq(ruleset.sets[0].elements[3], 2);
    sys_fake_nft_flush(sys);
    CHECK(sys_nft_read(sys, NULL, &ruleset, &error), 0);
    cr_expect_eq(ruleset.chain_count, 0);
}

ON_FAKE_SIDE(nft_fake, forgetting_is_counted)
{
    struct ip one = ip_of("10.0.0.1"), other = ip_of("10.0.0.2");
    CHECK(sys_conntrack_forget(sys, &one, &error), 0);
    CHECK(sys_conntrack_forget(sys, &one, &error), 0);
    cr_expect_eq(sys_fake_conntrack_forgotten(sys, &one), 2);
    cr_expect_eq(sys_fake_conntrack_forgotten(sys, &other), 0);
}
