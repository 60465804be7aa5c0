#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/real_hands.h"

/* ---- what is there --------------------------------------------------------------------------- */

static struct sys_rule rule_of(uint8_t family, uint32_t priority, uint32_t table)
{
    return (struct sys_rule){
        .family = family, .priority = priority, .table = table, .protocol = SYS_OWNER};
}

static struct sys_rule marked(uint8_t family, uint32_t priority, uint32_t mark, uint32_t mask)
{
    struct sys_rule rule = rule_of(family, priority, 7101);
    rule.mark = mark;
    rule.mask = mask;
    return rule;
}

static struct sys_rule from(uint8_t family, uint32_t priority, const char *interface)
{
    struct sys_rule rule = rule_of(family, priority, 7101);
    memcpy(rule.iif, interface, strlen(interface) + 1);
    return rule;
}

static struct sys_rule inverted(struct sys_rule rule)
{
    rule.invert = !rule.invert;
    return rule;
}

static struct sys_rule of_others(struct sys_rule rule)
{
    rule.protocol = RTPROT_STATIC;
    return rule;
}

static bool same(const struct sys_rule *a, const struct sys_rule *b)
{
    return a->family == b->family && a->priority == b->priority && a->table == b->table &&
           a->mark == b->mark && a->mask == b->mask && a->invert == b->invert &&
           strcmp(a->iif, b->iif) == 0 && a->protocol == b->protocol && a->other == b->other;
}

static size_t count(struct sys *sys, const struct sys_rule *rule)
{
    size_t found = 0;
    struct sys_rules rules = {0};
    CHECK(sys_rule_list(sys, &rules, &error), 0);
    for (size_t i = 0; i < rules.count; i++)
        found += same(&rules.list[i], rule);
    sys_rules_clear(&rules);
    return found;
}

static size_t count_ours(struct sys *sys)
{
    size_t found = 0;
    struct sys_rules rules = {0};
    CHECK(sys_rule_list(sys, &rules, &error), 0);
    for (size_t i = 0; i < rules.count; i++)
        found += rules.list[i].protocol == SYS_OWNER;
    sys_rules_clear(&rules);
    return found;
}

/* ---- made, listed, deleted ------------------------------------------------------------------- */

ON_BOTH_SIDES(rule, kernels_own)
{
    static const struct {
        uint8_t family;
        uint32_t priority, table;
    } own[] = {
        {AF_INET, 0, RT_TABLE_LOCAL},       {AF_INET, 32766, RT_TABLE_MAIN},
        {AF_INET, 32767, RT_TABLE_DEFAULT}, {AF_INET6, 0, RT_TABLE_LOCAL},
        {AF_INET6, 32766, RT_TABLE_MAIN},
    };
    struct sys_rules rules = {0};
    CHECK(sys_rule_list(sys, &rules, &error), 0);
    CHECK(sys_rule_list(sys, &rules, &error), 0);
    cr_assert_eq(rules.count, ARRAY_SIZE(own), "ret is filled anew");
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
        struct sys_rule expected = rule_of(own[i].family, own[i].priority, own[i].table);
        expected.protocol = RTPROT_KERNEL;
        cr_expect(same(&rules.list[i], &expected), "row %zu", i);
    }
    sys_rules_clear(&rules);
}

ON_BOTH_SIDES(rule, made_listed_deleted)
{
    static const uint8_t families[] = {AF_INET6, AF_INET};
    struct sys_rule rules[16];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        uint8_t family = families[i];
        rules[n++] = rule_of(family, 90, 254);
        rules[n++] = rule_of(family, 90, 70000);
        rules[n++] = marked(family, 80, 0x100, 0xff00);
        rules[n++] = marked(family, 80, 0, 0xff00);
        rules[n++] = inverted(marked(family, 81, 0x10000, UINT32_MAX));
        rules[n++] = from(family, 70, "not-there0");
        rules[n++] = inverted(from(family, 71, "lo"));
        rules[n++] = rule_of(family, 0, 200);
    }
    for (size_t i = 0; i < n; i++) {
        struct sys_rule asked = rules[i];
        asked.protocol = 0; /* ours, whatever is asked */
        CHECK(sys_rule_add(sys, &asked, &error), 0);
        CHECK(sys_rule_add(sys, &asked, &error), 0);
        cr_expect_eq(count(sys, &rules[i]), 1U, "rule %zu, once", i);
    }
    cr_expect_eq(count_ours(sys), n);
    for (size_t i = 0; i < n; i++) {
        CHECK(sys_rule_delete(sys, &rules[i], &error), 0);
        cr_expect_eq(count(sys, &rules[i]), 0U, "rule %zu", i);
        cr_expect_eq(count_ours(sys), n - i - 1, "only that");
    }
    for (size_t i = 0; i < n; i++)
        CHECK(sys_rule_delete(sys, &rules[i], &error), 0);
    struct sys_rules left = {0};
    CHECK(sys_rule_list(sys, &left, &error), 0);
    cr_expect_eq(left.count, 5U, "the kernel's own");
    sys_rules_clear(&left);
}

ON_BOTH_SIDES(rule, in_order_of_evaluation)
{
    static const uint32_t tables[] = {7101, 7104, 7103, 7102}; /* of the priorities below */
    static const uint32_t priorities[] = {86, 90, 88, 88};
    struct sys_rules rules = {0};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        struct sys_rule six = rule_of(AF_INET6, priorities[i], tables[i]);
        struct sys_rule four = rule_of(AF_INET, priorities[i], tables[i]);
        CHECK(sys_rule_add(sys, &six, &error), 0);
        CHECK(sys_rule_add(sys, &four, &error), 0);
    }
    CHECK(sys_rule_list(sys, &rules, &error), 0);
    cr_assert_eq(rules.count, 13U);
    static const uint32_t expected[] = {RT_TABLE_LOCAL, 7101, 7103, 7102, 7104, RT_TABLE_MAIN};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        cr_expect_eq(rules.list[i].table, expected[i], "IPv4, row %zu", i);
        cr_expect_eq(rules.list[i].family, AF_INET);
        cr_expect_eq(rules.list[7 + i].table, expected[i], "IPv6, row %zu", i);
        cr_expect_eq(rules.list[7 + i].family, AF_INET6);
    }
    sys_rules_clear(&rules);
}

ON_BOTH_SIDES(rule, impossible)
{
    struct sys_rule no_family = rule_of(AF_UNSPEC, 90, 7101), no_table = rule_of(AF_INET, 90, 0),
                    more = rule_of(AF_INET, 90, 7101), no_mask = marked(AF_INET, 90, 1, 0);
    more.other = true;
    CHECK(sys_rule_add(sys, &no_family, &error), -EINVAL);
    CHECK(sys_rule_add(sys, &no_table, &error), -EINVAL);
    CHECK(sys_rule_add(sys, &more, &error), -EINVAL);
    CHECK(sys_rule_add(sys, &no_mask, &error), -EINVAL);
    cr_expect_eq(count_ours(sys), 0U);
}

/* ---- twins ----------------------------------------------------------------------------------- */

ON_BOTH_SIDES(rule, inverted_twin_is_refused)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct sys_rule rule = marked(families[i], 90, 0x100, 0xff00), twin = inverted(rule);
        CHECK(sys_rule_add(sys, &rule, &error), 0);
        CHECK(sys_rule_add(sys, &twin, &error), -EEXIST);
        cr_expect(count(sys, &rule) == 1 && count(sys, &twin) == 0);
        CHECK(sys_rule_delete(sys, &twin, &error), 0);
        cr_expect_eq(count(sys, &rule), 1U, "there is no twin to delete");
        CHECK(sys_rule_delete(sys, &rule, &error), 0);
        CHECK(sys_rule_add(sys, &twin, &error), 0);
        CHECK(sys_rule_add(sys, &twin, &error), 0);
        CHECK(sys_rule_add(sys, &rule, &error), -EEXIST);
        cr_expect(count(sys, &rule) == 0 && count(sys, &twin) == 1);
        CHECK(sys_rule_delete(sys, &twin, &error), 0);
        cr_expect_eq(count_ours(sys), 0U);
    }
}

ON_BOTH_SIDES(rule, of_others_stay)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct sys_rule ours = marked(families[i], 90, 0x100, 0xff00), theirs = of_others(ours);
        side->rule_add(sys, &theirs);
        cr_expect_eq(count(sys, &theirs), 1U);
        CHECK(sys_rule_delete(sys, &ours, &error), 0);
        cr_expect_eq(count(sys, &theirs), 1U, "its protocol is another");
        CHECK(sys_rule_add(sys, &ours, &error), 0);
        cr_expect(count(sys, &ours) == 1 && count(sys, &theirs) == 1, "both can be");
        CHECK(sys_rule_delete(sys, &ours, &error), 0);
        cr_expect(count(sys, &ours) == 0 && count(sys, &theirs) == 1);
        struct sys_rule their_twin = inverted(ours);
        CHECK(sys_rule_add(sys, &their_twin, &error), 0);
        CHECK(sys_rule_delete(sys, &their_twin, &error), 0);
        side->rule_remove(sys, &theirs);
        cr_expect_eq(count(sys, &theirs), 0U);
    }
}

/* What a request leaves out is "any" to the kernel: one that is gone must not cost another. */
ON_BOTH_SIDES(rule, a_twin_with_more_to_say_stays)
{
    struct sys_rule plain = rule_of(AF_INET, 90, 7101);
    struct sys_rule twins[] = {
        marked(AF_INET, 90, 0x100, 0xff00),
        marked(AF_INET, 90, 0, 0xff00),
        from(AF_INET, 90, "pic0"),
    };
    for (size_t i = 0; i < ARRAY_SIZE(twins); i++) {
        CHECK(sys_rule_add(sys, &twins[i], &error), 0);
        CHECK(sys_rule_delete(sys, &plain, &error), 0);
        cr_expect_eq(count(sys, &twins[i]), 1U, "twin %zu", i);
    }
    CHECK(sys_rule_add(sys, &plain, &error), 0);
    cr_expect_eq(count_ours(sys), ARRAY_SIZE(twins) + 1);
    CHECK(sys_rule_delete(sys, &plain, &error), 0);
    cr_expect_eq(count(sys, &twins[0]), 0U, "of those that are there the first goes");
    for (size_t i = 1; i < ARRAY_SIZE(twins); i++)
        cr_expect_eq(count(sys, &twins[i]), 1U, "twin %zu", i);
    for (size_t looks = 0; count(sys, &plain); looks++) {
        cr_assert(looks < ARRAY_SIZE(twins));
        CHECK(sys_rule_delete(sys, &plain, &error), 0);
    }
    cr_expect_eq(count_ours(sys), 0U, "the one asked for was the last");
}

ON_BOTH_SIDES(rule, with_more_to_say_than_fits)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct sys_rule plain = rule_of(families[i], 90, 7101), more = plain;
        more.other = true;
        side->rule_add(sys, &more);
        cr_expect_eq(count(sys, &more), 1U);
        CHECK(sys_rule_add(sys, &plain, &error), -EEXIST);
        CHECK(sys_rule_delete(sys, &plain, &error), 0);
        cr_expect_eq(count(sys, &more), 1U);
        CHECK(sys_rule_delete(sys, &more, &error), 0);
        cr_expect_eq(count(sys, &more), 0U, "as listed");
        CHECK(sys_rule_add(sys, &plain, &error), 0);
        CHECK(sys_rule_delete(sys, &plain, &error), 0);
    }
}

static const char *const strange[][8] = {
    {"from", "10.0.0.0/8", "lookup", "7101"},
    {"to", "10.0.0.0/8", "lookup", "7101"},
    {"tos", "8", "lookup", "7101"},
    {"oif", "lo", "lookup", "7101"},
    {"lookup", "7101", "suppress_prefixlength", "0"},
    {"lookup", "7101", "suppress_ifgroup", "5"},
    {"uidrange", "0-10", "lookup", "7101"},
    {"ipproto", "udp", "dport", "53", "lookup", "7101"},
    {"sport", "1000-2000", "lookup", "7101"},
    {"tun_id", "7", "lookup", "7101"},
    {"goto", "32766"},
    {"unreachable"},
    {"blackhole"},
    {"l3mdev"},
};

ON_REAL_SIDE(rule, whatever_else_a_rule_can_say)
{
    for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
        const char *argv[16] = {"ip", "rule", "add", "priority", "90"};
        struct sys_rules rules = {0};
        memcpy(&argv[5], strange[i], sizeof(strange[i]));
        run(argv);
        CHECK(sys_rule_list(sys, &rules, &error), 0);
        cr_assert_eq(rules.count, 6U);
        cr_expect_eq(rules.list[1].priority, 90U);
        cr_expect(rules.list[1].other, "%s", strange[i][0]);
        sys_rules_clear(&rules);
        argv[2] = "del";
        run(argv);
    }
}
