#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "schema/base/mem.h"
#include "tests/sys/side.h"

#define ROUTER "net/ipv4/ip_forward"

static long value_of(struct sys *sys, const char *name)
{
    long value = -1;
    CHECK(sys_sysctl_get(sys, name, &value, &error), 0);
    return value;
}

static void set(struct sys *sys, const char *name, long value)
{
    CHECK(sys_sysctl_set(sys, name, value, &error), 0);
    cr_expect_eq(value_of(sys, name), value, "%s", name);
}

/* Those of one interface, and what they are at first. */
static const struct {
    const char *family, *name;
    long first;
} settings[] = {
    {"ipv4", "rp_filter", 0},  {"ipv4", "forwarding", 0},   {"ipv4", "src_valid_mark", 0},
    {"ipv6", "forwarding", 0}, {"ipv6", "disable_ipv6", 0}, {"ipv6", "accept_ra", 1},
};

static const char *name_of(size_t i, const char *scope, char buf[static 128])
{
    snprintf(buf, 128, "net/%s/conf/%s/%s", settings[i].family, scope, settings[i].name);
    return buf;
}

ON_BOTH_SIDES(sysctl, of_an_interface)
{
    char name[128];
    long value = 4711;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        CHECK(sys_sysctl_get(sys, name_of(i, "a.b-c0", name), &value, &error), SYS_ABSENT);
        CHECK(sys_sysctl_set(sys, name_of(i, "a.b-c0", name), 1, &error), SYS_ABSENT);
        cr_expect_eq(value_of(sys, name_of(i, "all", name)), settings[i].first, "%s", name);
        cr_expect_eq(value_of(sys, name_of(i, "default", name)), settings[i].first, "%s", name);
    }
    cr_expect_eq(value, 4711, "untouched");
    side->link_add(sys, "a.b-c0");
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        cr_expect_eq(value_of(sys, name_of(i, "a.b-c0", name)), settings[i].first, "%s", name);
        set(sys, name_of(i, "a.b-c0", name), 1);
        set(sys, name_of(i, "a.b-c0", name), 0);
        cr_expect_eq(value_of(sys, name_of(i, "all", name)), settings[i].first, "%s", name);
    }
    side->link_remove(sys, "a.b-c0");
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        CHECK(sys_sysctl_get(sys, name_of(i, "a.b-c0", name), &value, &error), SYS_ABSENT);
}

ON_BOTH_SIDES(sysctl, forwarding_is_of_all)
{
    side->link_add(sys, "other0");
    set(sys, ROUTER, 1);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/all/forwarding"), 1);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/default/forwarding"), 1);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other0/forwarding"), 1);
    set(sys, "net/ipv4/conf/other0/forwarding", 0);
    set(sys, ROUTER, 1);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other0/forwarding"), 0, "no change, none follows");
    side->link_add(sys, "other1");
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other1/forwarding"), 1);
    set(sys, "net/ipv4/conf/all/forwarding", 0);
    cr_expect_eq(value_of(sys, ROUTER), 0);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other1/forwarding"), 0);

    set(sys, "net/ipv6/conf/all/forwarding", 1);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/other0/forwarding"), 1);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/default/forwarding"), 1);
    cr_expect_eq(value_of(sys, ROUTER), 0, "a thing of its own");
    set(sys, "net/ipv6/conf/other0/forwarding", 0);
    set(sys, "net/ipv6/conf/all/forwarding", 1);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/other0/forwarding"), 1, "here it follows always");
}

ON_BOTH_SIDES(sysctl, of_all_or_of_those_to_come)
{
    side->link_add(sys, "other0");
    side->link_add(sys, "chosen0");
    set(sys, "net/ipv4/conf/chosen0/rp_filter", 0);
    set(sys, "net/ipv4/conf/all/rp_filter", 2);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other0/rp_filter"), 0);
    set(sys, "net/ipv4/conf/default/rp_filter", 1);
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other0/rp_filter"), 1, "nobody chose one here");
    cr_expect_eq(value_of(sys, "net/ipv4/conf/chosen0/rp_filter"), 0);
    side->link_add(sys, "other1");
    cr_expect_eq(value_of(sys, "net/ipv4/conf/other1/rp_filter"), 1);
    set(sys, "net/ipv6/conf/all/accept_ra", 2);
    set(sys, "net/ipv6/conf/default/accept_ra", 0);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/other0/accept_ra"), 1);
}

/* Linux 6.17 has it, older ones do not. */
ON_BOTH_SIDES(sysctl, force_forwarding)
{
    long value;
    ERROR_AUTO why = NULL;
    if (sys_sysctl_get(sys, "net/ipv6/conf/all/force_forwarding", &value, &why) == SYS_ABSENT)
        cr_skip_test("this kernel has no force_forwarding");
    side->link_add(sys, "other0");
    set(sys, "net/ipv6/conf/other0/force_forwarding", 1);
    CHECK(sys_sysctl_set(sys, "net/ipv6/conf/other0/force_forwarding", 2, &error), -EINVAL);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/other0/force_forwarding"), 1);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/all/force_forwarding"), 0);
    set(sys, "net/ipv6/conf/other0/force_forwarding", 0);
    set(sys, "net/ipv6/conf/all/force_forwarding", 1);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/other0/force_forwarding"), 1);
    cr_expect_eq(value_of(sys, "net/ipv6/conf/default/force_forwarding"), 0);
    side->link_add(sys, "other1");
    cr_expect_eq(value_of(sys, "net/ipv6/conf/other1/force_forwarding"), 0);
}

ON_BOTH_SIDES(sysctl, refused)
{
    long value = 4711;
    CHECK(sys_sysctl_set(sys, ROUTER, LONG_MAX, &error), -EINVAL);
    CHECK(sys_sysctl_set(sys, ROUTER, LONG_MIN, &error), -EINVAL);
    cr_expect_eq(value_of(sys, ROUTER), 0);
    static const char *const names[] = {"kernel/hostname", "net/../kernel/pid_max", "",
                                        "/net/ipv4/ip_forward", "net//ipv4/ip_forward"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        CHECK(sys_sysctl_get(sys, names[i], &value, &error), -EINVAL);
        CHECK(sys_sysctl_set(sys, names[i], 1, &error), -EINVAL);
    }
    CHECK(sys_sysctl_get(sys, "net/ipv4/no_such_thing", &value, &error), SYS_ABSENT);
    CHECK(sys_sysctl_set(sys, "net/ipv4/no_such_thing", 1, &error), SYS_ABSENT);
    cr_expect_eq(value, 4711);
}

ON_REAL_SIDE(sysctl, only_plain_numbers)
{
    long value = 4711;
    CHECK(sys_sysctl_get(sys, "net/ipv4/tcp_congestion_control", &value, &error), -EINVAL);
    CHECK(sys_sysctl_get(sys, "net/ipv4/ip_local_port_range", &value, &error), -EINVAL);
    CHECK(sys_sysctl_get(sys, "net/ipv4", &value, &error), -EISDIR);
    CHECK(sys_sysctl_set(sys, "net/ipv4", 1, &error), -EISDIR);
    cr_expect_eq(value, 4711);
    CHECK(sys_sysctl_get(sys, "net/ipv4/icmp_ratemask", &value, &error), 0);
    cr_expect_eq(value, 6168);

    ERROR_AUTO why = NULL;
    sys_sysctl_set(sys, ROUTER, LONG_MAX, &why);
    cr_assert(why);
    cr_expect_str_eq(why->message, "cannot set \"net/ipv4/ip_forward\" to 9223372036854775807: "
                                   "Invalid argument");
}
