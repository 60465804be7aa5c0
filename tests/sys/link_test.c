#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/side.h"

/* ---- links ----------------------------------------------------------------------------------- */

ON_BOTH_SIDES(link, absent_things)
{
    struct sys_link link;
    struct sys_link_change change = {.set_mtu = true, .mtu = 1400};
    CHECK(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
    CHECK(sys_link_set(sys, 4711, &change, &error), SYS_ABSENT);
    CHECK(sys_link_delete(sys, 4711, &error), SYS_ABSENT);
}

ON_BOTH_SIDES(link, names_that_cannot_be)
{
    static const char *const names[] = {"", ".", "..", "a/b", "../x", "a b", "0123456789abcdef"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct sys_link link;
        struct sys_wg_device device;
        CHECK(sys_link_get(sys, names[i], &link, &error), -EINVAL);
        CHECK(sys_wg_create(sys, names[i], &error), -EINVAL);
        CHECK(sys_wg_get(sys, names[i], &device, NULL, NULL, &error), -EINVAL);
        CHECK(sys_wg_set(sys, names[i], NULL, NULL, 0, &error), -EINVAL);
    }
}

ON_BOTH_SIDES(link, fields)
{
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    struct sys_link link = link_of(sys, "pic0");
    cr_expect_str_eq(link.name, "pic0");
    cr_expect_str_eq(link.kind, "tun");
    cr_expect_str_eq(link.alias, "");
    cr_expect_eq(link.group, (uint32_t)SYS_OWNER);
    cr_expect_eq(link.mtu, 1420U);
    cr_expect(!link.up);

    struct sys_link_change change = {.set_mtu = true,
                                     .mtu = 1380,
                                     .set_up = true,
                                     .up = true,
                                     .set_alias = true,
                                     .alias = "pic:0123456789",
                                     .set_group = true,
                                     .group = 5};
    CHECK(sys_link_set(sys, link.index, &change, &error), 0);
    struct sys_link after = link_of(sys, "pic0");
    cr_expect_eq(after.index, link.index);
    cr_expect_str_eq(after.alias, "pic:0123456789");
    cr_expect_eq(after.group, 5U);
    cr_expect_eq(after.mtu, 1380U);
    cr_expect(after.up);

    struct sys_link_change nothing = {.mtu = 9000, .group = 9, .alias = "x"};
    CHECK(sys_link_set(sys, link.index, &nothing, &error), 0);
    struct sys_link same = link_of(sys, "pic0");
    cr_expect_eq(memcmp(&same, &after, sizeof(same)), 0, "what is not set is not changed");
}

ON_BOTH_SIDES(link, impossible_mtu)
{
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    struct sys_link link = link_of(sys, "pic0");
    struct sys_link_change change = {.set_mtu = true, .mtu = 10};
    CHECK(sys_link_set(sys, link.index, &change, &error), -EINVAL);
    cr_expect_eq(link_of(sys, "pic0").mtu, link.mtu);
}

ON_BOTH_SIDES(link, long_alias_is_truncated)
{
    char alias[201];
    memset(alias, 'a', sizeof(alias) - 1);
    alias[sizeof(alias) - 1] = '\0';
    struct sys_link_change change = {.set_alias = true, .alias = alias};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_link_set(sys, link_of(sys, "pic0").index, &change, &error), 0);
    struct sys_link link = link_of(sys, "pic0");
    cr_expect_eq(strlen(link.alias), sizeof(link.alias) - 1);
}

ON_BOTH_SIDES(link, deletion)
{
    struct sys_link link;
    side->link_add(sys, "other0");
    link = link_of(sys, "other0");
    cr_expect_str_eq(link.kind, "bridge");
    cr_expect_eq(link.group, 0U);
    CHECK(sys_link_delete(sys, link.index, &error), 0);
    CHECK(sys_link_get(sys, "other0", &link, &error), SYS_ABSENT);
    CHECK(sys_link_delete(sys, link.index, &error), SYS_ABSENT);
}

ON_BOTH_SIDES(link, list)
{
    struct sys_links links = {0};
    CHECK(sys_link_list(sys, &links, &error), 0);
    size_t before = links.count;
    cr_assert(before > 0);
    cr_expect_str_eq(links.list[0].name, "lo");
    side->link_add(sys, "other1");
    side->link_add(sys, "other0");
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_link_list(sys, &links, &error), 0);
    cr_assert_eq(links.count, before + 3, "ret is filled anew");
    for (size_t i = 0; i < links.count; i++) {
        const struct sys_link *link = &links.list[i];
        cr_expect(i == 0 || link[-1].index < link->index, "sorted by index");
        struct sys_link alone = link_of(sys, link->name);
        cr_expect_eq(memcmp(link, &alone, sizeof(alone)), 0, "%s: as when read alone", link->name);
    }
    side->link_remove(sys, "other1");
    CHECK(sys_link_list(sys, &links, &error), 0);
    cr_expect_eq(links.count, before + 2);
    sys_links_clear(&links);
}

/* ---- addresses ------------------------------------------------------------------------------- */

static const struct sys_addr *find(const struct sys_addrs *addrs, const struct prefix *prefix)
{
    for (size_t i = 0; i < addrs->count; i++)
        if (prefix_compare(&addrs->list[i].prefix, prefix) == 0)
            return &addrs->list[i];
    return NULL;
}

static const struct {
    const char *prefix;
    bool route;
} addresses[] = {
    {"10.10.0.1/24", false},   {"10.10.0.1/32", false},     {"192.0.2.9/31", true},
    {"fd00:1::1/64", false},   {"fd00:2::1/128", true},     {"10.10.0.255/8", false},
    {"198.51.100.0/32", true}, {"2001:db8::ffff/48", true},
};

ON_BOTH_SIDES(addr, added_listed_deleted)
{
    struct sys_addrs addrs = {0};
    struct sys_link_change up = {.set_up = true, .up = true};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    int index = link_of(sys, "pic0").index;
    CHECK(sys_link_set(sys, index, &up, &error), 0);

    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct prefix prefix = prefix_of(addresses[i].prefix);
        CHECK(sys_addr_add(sys, index, &prefix, addresses[i].route, &error), 0);
        CHECK(sys_addr_add(sys, index, &prefix, addresses[i].route, &error), 0);
    }
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct prefix prefix = prefix_of(addresses[i].prefix);
        const struct sys_addr *addr = find(&addrs, &prefix);
        cr_assert(addr, "%s", addresses[i].prefix);
        cr_expect_eq(addr->protocol, SYS_OWNER, "%s", addresses[i].prefix);
        cr_expect_eq(addr->no_prefix_route, !addresses[i].route, "%s", addresses[i].prefix);
        cr_expect(addr->permanent && !addr->link_local, "%s", addresses[i].prefix);
    }
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        struct prefix prefix = prefix_of(addresses[i].prefix);
        CHECK(sys_addr_delete(sys, index, &prefix, &error), 0);
        CHECK(sys_addr_delete(sys, index, &prefix, &error), 0);
    }
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    for (size_t i = 0; i < addrs.count; i++)
        cr_expect(addrs.list[i].link_local, "only the kernel's own is left");
    sys_addrs_clear(&addrs);
}

ON_BOTH_SIDES(addr, of_an_interface_that_is_not_there)
{
    struct sys_addrs addrs = {0};
    struct prefix prefix = prefix_of("10.0.0.1/24");
    CHECK(sys_addr_list(sys, 4711, &addrs, &error), SYS_ABSENT);
    CHECK(sys_addr_add(sys, 4711, &prefix, false, &error), SYS_ABSENT);
    CHECK(sys_addr_delete(sys, 4711, &prefix, &error), 0);
    cr_expect_eq(addrs.count, 0U);
}

ON_BOTH_SIDES(addr, of_others_are_told_apart)
{
    struct sys_addrs addrs = {0};
    struct prefix ours = prefix_of("10.1.0.1/24"), theirs = prefix_of("10.2.0.1/24");
    side->link_add(sys, "other0");
    side->addr_add(sys, "other0", &theirs);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_addr_add(sys, link_of(sys, "other0").index, &ours, false, &error), 0);
    CHECK(sys_addr_list(sys, link_of(sys, "other0").index, &addrs, &error), 0);
    cr_assert(find(&addrs, &ours) && find(&addrs, &theirs));
    cr_expect_eq(find(&addrs, &ours)->protocol, SYS_OWNER);
    cr_expect_eq(find(&addrs, &theirs)->protocol, 0);
    CHECK(sys_addr_list(sys, link_of(sys, "pic0").index, &addrs, &error), 0);
    cr_expect_eq(addrs.count, 0U, "an interface has its own addresses only");
    sys_addrs_clear(&addrs);
}

ON_BOTH_SIDES(addr, ip6_with_another_length_must_go_first)
{
    struct sys_addrs addrs = {0};
    struct prefix longer = prefix_of("fd00::1/128"), shorter = prefix_of("fd00::1/64");
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    int index = link_of(sys, "pic0").index;
    CHECK(sys_addr_add(sys, index, &longer, false, &error), 0);
    CHECK(sys_addr_add(sys, index, &shorter, false, &error), 0);
    CHECK(sys_addr_delete(sys, index, &shorter, &error), 0);
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    cr_expect(find(&addrs, &longer) && !find(&addrs, &shorter));
    sys_addrs_clear(&addrs);
}

ON_BOTH_SIDES(addr, ip6_goes_when_the_interface_goes_down)
{
    struct sys_addrs addrs = {0};
    struct prefix v4 = prefix_of("10.0.0.1/24"), v6 = prefix_of("fd00::1/64");
    struct sys_link_change up = {.set_up = true, .up = true}, down = {.set_up = true};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    int index = link_of(sys, "pic0").index;
    CHECK(sys_addr_add(sys, index, &v4, false, &error), 0);
    CHECK(sys_addr_add(sys, index, &v6, false, &error), 0);
    CHECK(sys_link_set(sys, index, &up, &error), 0);
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    cr_expect(find(&addrs, &v4) && find(&addrs, &v6), "both survive going up");
    cr_expect_eq(addrs.count, 3U, "and the kernel adds a link-local one");
    CHECK(sys_link_set(sys, index, &down, &error), 0);
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    cr_expect(find(&addrs, &v4) && addrs.count == 1);
    sys_addrs_clear(&addrs);
}
