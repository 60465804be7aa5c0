#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/real_hands.h"
#include "tests/sys/routes.h"

/* ---- made, listed, deleted ------------------------------------------------------------------- */

static const struct {
    const char *destination;
    uint32_t table, metric;
    const char *interface, *source;
} rows[] = {
    {"10.1.0.0/16", 7101, 0, "other0", NULL},
    {"10.1.0.0/16", 7101, 20, "other0", "10.7.0.1"},
    {"10.1.0.0/16", 7101, UNREACHABLE_METRIC, NULL, NULL},
    {"10.1.0.0/16", 254, 0, "other0", NULL},
    {"10.1.2.3/32", 200, 0, "other0", NULL},
    {"0.0.0.0/0", 70000, 0, "other0", "10.7.0.1"},
    {"0.0.0.0/0", 70000, UNREACHABLE_METRIC, NULL, NULL},
    {"fd01::/64", 7101, 20, "other0", NULL},
    {"fd01::/64", 7101, 1024, "other0", "fd07::1"},
    {"fd01::/64", 7101, UNREACHABLE_METRIC, NULL, NULL},
    {"fd01::/64", 254, 20, "other0", NULL},
    {"fd01::1/128", 200, 20, "other0", NULL},
    {"::/0", 70000, 20, "other0", "fd07::1"},
    {"::/0", 70000, UNREACHABLE_METRIC, NULL, NULL},
};

static struct sys_route row_of(size_t i)
{
    struct sys_route route =
        route_to(rows[i].destination, rows[i].table, rows[i].metric, rows[i].interface);
    if (rows[i].source)
        route.source = ip_of(rows[i].source);
    return route;
}

ON_BOTH_SIDES(route, made_listed_deleted)
{
    struct prefix ip4 = prefix_of("10.7.0.1/32"), ip6 = prefix_of("fd07::1/128");
    bring_up(side, sys, "other0");
    side->addr_add(sys, "other0", &ip4);
    CHECK(sys_addr_add(sys, link_of(sys, "other0").index, &ip6, false, &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys_route route = row_of(i);
        route.protocol = 0; /* ours, whatever is asked */
        CHECK(sys_route_set(sys, &route, &error), 0);
        CHECK(sys_route_set(sys, &route, &error), 0);
    }
    cr_expect_eq(routes_in(sys, 0, SYS_OWNER), ARRAY_SIZE(rows), "none twice, none replaced");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys_route route = row_of(i);
        cr_expect_eq(routes_like(sys, &route), 1U, "row %zu", i);
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys_route route = row_of(i);
        CHECK(sys_route_delete(sys, &route, &error), 0);
        cr_expect_eq(routes_like(sys, &route), 0U, "row %zu", i);
        cr_expect_eq(routes_in(sys, 0, SYS_OWNER), ARRAY_SIZE(rows) - i - 1, "only that");
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys_route route = row_of(i);
        CHECK(sys_route_delete(sys, &route, &error), 0);
    }
}

ON_BOTH_SIDES(route, without_metric)
{
    struct sys_route four = route_to("10.1.0.0/16", 7101, 0, "other0"), four_other = four;
    struct sys_route six = route_to("fd01::/64", 7101, 0, "other0"), six_other = six;
    bring_up(side, sys, "other0");
    four_other.metric = six_other.metric = 50;
    CHECK(sys_route_set(sys, &four, &error), 0);
    CHECK(sys_route_set(sys, &four_other, &error), 0);
    CHECK(sys_route_set(sys, &six, &error), 0);
    CHECK(sys_route_set(sys, &six_other, &error), 0);
    cr_expect_eq(routes_like(sys, &four), 1U);
    cr_expect_eq(routes_like(sys, &six), 0U);
    six.metric = 1024;
    cr_expect_eq(routes_like(sys, &six), 1U, "so it is reported");

    six.metric = 0;
    CHECK(sys_route_delete(sys, &four, &error), 0);
    CHECK(sys_route_delete(sys, &six, &error), 0);
    CHECK(sys_route_delete(sys, &six, &error), 0);
    cr_expect_eq(routes_like(sys, &four_other), 1U);
    cr_expect_eq(routes_like(sys, &six_other), 1U);
    cr_expect_eq(routes_in(sys, 7101, 0), 2U);
    CHECK(sys_route_delete(sys, &four, &error), 0);
    cr_expect_eq(routes_like(sys, &four_other), 0U, "to IPv4 none is any");
}

ON_BOTH_SIDES(route, host_bits_do_not_count)
{
    static const char *const given[] = {"10.1.2.3/16", "fd01::5/64"};
    static const char *const meant[] = {"10.1.0.0/16", "fd01::/64"};
    bring_up(side, sys, "other0");
    for (size_t i = 0; i < ARRAY_SIZE(given); i++) {
        struct sys_route route = route_to(given[i], 7101, 9, "other0");
        struct sys_route stored = route_to(meant[i], 7101, 9, "other0");
        CHECK(sys_route_set(sys, &route, &error), 0);
        cr_expect_eq(routes_like(sys, &stored), 1U, "%s", meant[i]);
        CHECK(sys_route_delete(sys, &route, &error), 0);
        cr_expect_eq(routes_like(sys, &stored), 0U, "%s", meant[i]);
    }
}

ON_BOTH_SIDES(route, replaces_the_one_of_the_same_metric)
{
    static const char *const destinations[] = {"10.1.0.0/16", "0.0.0.0/0", "fd01::/64", "::/0"};
    bring_up(side, sys, "other0");
    bring_up(side, sys, "other1");
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route one = route_to(destinations[i], 7101, 20, "other0");
        struct sys_route before = route_to(destinations[i], 7101, 10, "other0");
        struct sys_route behind = route_to(destinations[i], 7101, 30, "other0");
        struct sys_route elsewhere = route_to(destinations[i], 7102, 20, "other0");
        struct sys_route other = route_to(destinations[i], 7101, 20, "other1");
        struct sys_route unreachable = route_to(destinations[i], 7101, 20, NULL);
        struct sys_route *all[] = {&behind, &one, &before, &elsewhere};
        for (size_t j = 0; j < ARRAY_SIZE(all); j++)
            CHECK(sys_route_set(sys, all[j], &error), 0);
        CHECK(sys_route_set(sys, &other, &error), 0);
        cr_expect(routes_like(sys, &other) == 1 && routes_like(sys, &one) == 0, "%s",
                  destinations[i]);
        CHECK(sys_route_set(sys, &unreachable, &error), 0);
        cr_expect(routes_like(sys, &unreachable) == 1 && routes_like(sys, &other) == 0, "%s",
                  destinations[i]);
        CHECK(sys_route_set(sys, &one, &error), 0);
        cr_expect(routes_like(sys, &one) == 1 && routes_like(sys, &unreachable) == 0, "%s",
                  destinations[i]);
        for (size_t j = 0; j < ARRAY_SIZE(all); j++)
            cr_expect_eq(routes_like(sys, all[j]), 1U, "%s: %zu is left alone", destinations[i], j);
    }
}

/* ---- what cannot be made --------------------------------------------------------------------- */

ON_BOTH_SIDES(route, by_an_interface_that_is_not_there_or_down)
{
    static const char *const destinations[] = {"10.1.0.0/16", "fd01::/64"};
    side->link_add(sys, "down0");
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route missing = route_to(destinations[i], 7101, 5, "other0");
        struct sys_route down = route_to(destinations[i], 7101, 5, "down0");
        CHECK(sys_route_set(sys, &missing, &error), -ENODEV);
        CHECK(sys_route_set(sys, &down, &error), -ENETDOWN);
        CHECK(sys_route_delete(sys, &missing, &error), 0);
        CHECK(sys_route_delete(sys, &down, &error), 0);
    }
    cr_expect_eq(routes_in(sys, 7101, 0), 0U);
}

ON_BOTH_SIDES(route, impossible)
{
    struct sys_route gateway = route_to("10.1.0.0/16", 7101, 5, "other0"), throw = gateway,
                     nowhere = gateway, no_table = gateway, foreign_source = gateway;
    bring_up(side, sys, "other0");
    gateway.gateway = true;
    throw.type = SYS_ROUTE_OTHER;
    nowhere.interface[0] = '\0';
    no_table.table = 0;
    foreign_source.source = ip_of("10.3.3.3");
    CHECK(sys_route_set(sys, &gateway, &error), -EINVAL);
    CHECK(sys_route_set(sys, &throw, &error), -EINVAL);
    CHECK(sys_route_set(sys, &nowhere, &error), -EINVAL);
    CHECK(sys_route_set(sys, &no_table, &error), -EINVAL);
    CHECK(sys_route_set(sys, &foreign_source, &error), -EINVAL);
    struct sys_route leading = route_to("10.1.0.0/16", 7101, 5, NULL);
    memcpy(leading.interface, "other0", 7);
    CHECK(sys_route_set(sys, &leading, &error), -EINVAL);
    cr_expect_eq(routes_in(sys, 0, SYS_OWNER), 0U);
}

/* ---- twins and others' ----------------------------------------------------------------------- */

/* The kernel, asked to delete an IPv6 route, does not look at its type. */
ON_BOTH_SIDES(route, unreachable_twin)
{
    static const char *const destinations[] = {"10.1.0.0/16", "0.0.0.0/0", "fd01::/64", "::/0"};
    bring_up(side, sys, "other0");
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route leading = route_to(destinations[i], 7101, 50, "other0");
        struct sys_route twin = route_to(destinations[i], 7101, UNREACHABLE_METRIC, NULL);
        CHECK(sys_route_set(sys, &twin, &error), 0);
        CHECK(sys_route_set(sys, &leading, &error), 0);
        CHECK(sys_route_delete(sys, &leading, &error), 0);
        CHECK(sys_route_delete(sys, &leading, &error), 0);
        cr_expect_eq(routes_like(sys, &twin), 1U, "%s", destinations[i]);
        CHECK(sys_route_set(sys, &leading, &error), 0);
        CHECK(sys_route_delete(sys, &twin, &error), 0);
        CHECK(sys_route_delete(sys, &twin, &error), 0);
        cr_expect_eq(routes_like(sys, &leading), 1U, "%s", destinations[i]);
        leading.type = SYS_ROUTE_UNREACHABLE;
        leading.interface[0] = '\0';
        CHECK(sys_route_delete(sys, &leading, &error), 0);
        leading = route_to(destinations[i], 7101, 50, "other0");
        cr_expect_eq(routes_like(sys, &leading), 1U, "%s: of another type", destinations[i]);
    }
}

ON_BOTH_SIDES(route, of_others_stay)
{
    static const char *const destinations[] = {"10.1.0.0/16", "fd01::/64"};
    bring_up(side, sys, "other0");
    bring_up(side, sys, "other1");
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route ours = route_to(destinations[i], 7101, 50, "other0"), theirs = ours;
        struct sys_route elsewhere = route_to(destinations[i], 7101, 50, "other1");
        theirs.protocol = RTPROT_STATIC;
        side->route_add(sys, &theirs);
        CHECK(sys_route_delete(sys, &ours, &error), 0);
        cr_expect_eq(routes_like(sys, &theirs), 1U, "%s", destinations[i]);
        elsewhere.protocol = RTPROT_STATIC;
        CHECK(sys_route_delete(sys, &elsewhere, &error), 0);
        cr_expect_eq(routes_like(sys, &theirs), 1U, "%s: by another interface", destinations[i]);
        CHECK(sys_route_delete(sys, &theirs, &error), 0);
        cr_expect_eq(routes_like(sys, &theirs), 0U, "%s: as listed", destinations[i]);
    }
}

ON_BOTH_SIDES(route, list_by_table_and_protocol)
{
    struct sys_routes routes = {0};
    bring_up(side, sys, "other0");
    static const char *const destinations[] = {"fd01::/64", "10.1.0.0/16"};
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route ours = route_to(destinations[i], 7101, 50, "other0"), theirs = ours;
        struct sys_route far = route_to(destinations[i], 70000, 50, "other0");
        theirs.protocol = RTPROT_STATIC;
        theirs.metric = 51;
        CHECK(sys_route_set(sys, &ours, &error), 0);
        CHECK(sys_route_set(sys, &far, &error), 0);
        side->route_add(sys, &theirs);
    }
    cr_expect_eq(routes_in(sys, 7101, 0), 4U);
    cr_expect_eq(routes_in(sys, 7101, SYS_OWNER), 2U);
    cr_expect_eq(routes_in(sys, 7101, RTPROT_STATIC), 2U);
    cr_expect_eq(routes_in(sys, 70000, 0), 2U);
    cr_expect_eq(routes_in(sys, 70000, RTPROT_STATIC), 0U);
    cr_expect_eq(routes_in(sys, 7102, 0), 0U, "there is no such table");
    cr_expect_eq(routes_in(sys, 0, SYS_OWNER), 4U);

    CHECK(sys_route_list(sys, 0, 0, &routes, &error), 0);
    bool six = false;
    for (size_t i = 0; i < routes.count; i++) {
        cr_expect_neq(routes.list[i].table, (uint32_t)RT_TABLE_LOCAL);
        cr_expect(!six || routes.list[i].destination.ip.family == AF_INET6, "IPv4 comes first");
        six = routes.list[i].destination.ip.family == AF_INET6;
    }
    cr_expect(six);
    sys_routes_clear(&routes);
}

ON_BOTH_SIDES(route, of_other_types_are_seen)
{
    static const char *const destinations[] = {"10.1.0.0/16", "fd01::/64"};
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route hole = route_to(destinations[i], 7101, 50, NULL);
        hole.type = SYS_ROUTE_OTHER;
        hole.protocol = RTPROT_STATIC;
        side->route_add(sys, &hole);
        cr_expect_eq(routes_like(sys, &hole), 1U, "%s", destinations[i]);
        side->route_remove(sys, &hole);
        cr_expect_eq(routes_in(sys, 7101, 0), 0U);
    }
}

ON_REAL_SIDE(route, several_hops_and_the_kernels_own)
{
    struct sys_routes routes = {0};
    side->uplink(sys, 1500);
    run((const char *[]){"ip", "route", "add", "table", "7101", "10.1.0.0/16", "nexthop", "via",
                         "198.51.100.1", "dev", "uplink0", "nexthop", "dev", "uplink0", NULL});
    run((const char *[]){"ip", "route", "add", "table", "7101", "10.2.0.0/16", "via", "inet6",
                         "fe80::1", "dev", "uplink0", NULL});
    static const char *const types[] = {"local", "broadcast", "multicast"};
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        run((const char *[]){"ip", "route", "add", types[i], "10.3.0.0/16", "dev", "uplink0",
                             "table", "7101", "metric", i ? i > 1 ? "2" : "1" : "3", NULL});
    CHECK(sys_route_list(sys, 7101, 0, &routes, &error), 0);
    cr_assert_eq(routes.count, 2U);
    for (size_t i = 0; i < routes.count; i++) {
        cr_expect(routes.list[i].gateway);
        cr_expect_eq(routes.list[i].type, SYS_ROUTE_UNICAST);
        cr_expect_str_eq(routes.list[i].interface, "uplink0");
    }
    sys_routes_clear(&routes);
}

/* ---- many ------------------------------------------------------------------------------------ */

enum { MANY = 5000 };

ON_BOTH_SIDES(route, thousands)
{
    struct sys_routes routes = {0};
    bring_up(side, sys, "other0");
    struct sys_route route = route_to("10.0.0.0/32", 7101, 0, "other0");
    for (unsigned i = 0; i < MANY; i++) {
        route.destination.ip.bytes[2] = (uint8_t)(i >> 8);
        route.destination.ip.bytes[3] = (uint8_t)i;
        CHECK(sys_route_set(sys, &route, &error), 0);
    }
    CHECK(sys_route_list(sys, 7101, SYS_OWNER, &routes, &error), 0);
    cr_assert_eq(routes.count, (size_t)MANY);
    for (size_t i = 0; i < routes.count; i++) {
        cr_assert_str_eq(routes.list[i].interface, "other0");
        CHECK(sys_route_delete(sys, &routes.list[i], &error), 0);
    }
    cr_expect_eq(routes_in(sys, 7101, 0), 0U);
    sys_routes_clear(&routes);
}
