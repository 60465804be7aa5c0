#include <linux/rtnetlink.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/routes.h"

/* ---- what goes by itself --------------------------------------------------------------------- */

ON_BOTH_SIDES(route, lost_without_a_word)
{
    struct prefix address = prefix_of("10.7.0.1/24"), second = prefix_of("10.8.0.1/24");
    struct sys_route four = route_to("10.1.0.0/16", 7101, 50, "other0"),
                     from = route_to("10.4.0.0/16", 7101, 50, "other0"),
                     six = route_to("fd01::/64", 7101, 50, "other0"),
                     twin4 = route_to("10.1.0.0/16", 7101, UNREACHABLE_METRIC, NULL),
                     twin6 = route_to("fd01::/64", 7101, UNREACHABLE_METRIC, NULL);
    struct sys_route *all[] = {&four, &from, &six, &twin4, &twin6};
    bring_up(side, sys, "other0");
    side->addr_add(sys, "other0", &address);
    side->addr_add(sys, "other0", &second);
    from.source = address.ip;
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        CHECK(sys_route_set(sys, all[i], &error), 0);

    side->addr_remove(sys, "other0", &address);
    cr_expect(routes_like(sys, &four) == 1 && routes_like(sys, &from) == 1,
              "the source is not looked at");
    side->addr_remove(sys, "other0", &second);
    cr_expect(routes_like(sys, &four) == 0 && routes_like(sys, &from) == 0,
              "with the last address");
    cr_expect(routes_like(sys, &six) == 1 && routes_like(sys, &twin4) == 1 &&
              routes_like(sys, &twin6) == 1);

    CHECK(sys_route_set(sys, &four, &error), 0);
    side->link_up(sys, "other0", false);
    cr_expect(routes_like(sys, &four) == 0 && routes_like(sys, &six) == 0, "with the interface");
    cr_expect(routes_like(sys, &twin4) == 1 && routes_like(sys, &twin6) == 1);
    side->link_up(sys, "other0", true);
    cr_expect_eq(routes_in(sys, 7101, 0), 2U, "and come back for nobody");

    CHECK(sys_route_set(sys, &four, &error), 0);
    CHECK(sys_route_set(sys, &six, &error), 0);
    side->link_remove(sys, "other0");
    cr_expect_eq(routes_in(sys, 7101, 0), 2U);
}

ON_BOTH_SIDES(route, sources_that_go)
{
    struct prefix ip4 = prefix_of("10.7.0.1/32"), ip6 = prefix_of("fd07::1/128"),
                  stays = prefix_of("10.8.0.1/32");
    struct sys_route four = route_to("10.1.0.0/16", 254, 50, "other0"),
                     six = route_to("fd01::/64", 7101, 50, "other0");
    bring_up(side, sys, "other0");
    int index = link_of(sys, "other0").index;
    CHECK(sys_addr_add(sys, index, &ip4, false, &error), 0);
    CHECK(sys_addr_add(sys, index, &stays, false, &error), 0);
    CHECK(sys_addr_add(sys, index, &ip6, false, &error), 0);
    four.source = ip4.ip;
    six.source = ip6.ip;
    CHECK(sys_route_set(sys, &four, &error), 0);
    CHECK(sys_route_set(sys, &six, &error), 0);
    CHECK(sys_addr_delete(sys, index, &ip4, &error), 0);
    CHECK(sys_addr_delete(sys, index, &ip6, &error), 0);
    cr_expect_eq(routes_in(sys, 254, SYS_OWNER), 0U, "IPv4: the route in main goes");
    six.source = (struct ip){0};
    cr_expect_eq(routes_like(sys, &six), 1U, "IPv6: only its source");
}

/* ---- the kernel's routes of addresses -------------------------------------------------------- */

static struct sys_route connected(const char *destination, const char *source)
{
    bool ip4 = strchr(source, '.');
    struct sys_route route = route_to(destination, SYS_TABLE_MAIN, ip4 ? 0 : 256, "other0");
    route.protocol = RTPROT_KERNEL;
    if (ip4)
        route.source = ip_of(source);
    return route;
}

static const struct {
    const char *address, *network, *source;
} networks[] = {
    {"10.7.0.1/24", "10.7.0.0/24", "10.7.0.1"},
    {"fd07::1/64", "fd07::/64", "fd07::1"},
};

ON_BOTH_SIDES(route, of_the_prefix_of_an_address)
{
    bring_up(side, sys, "other0");
    int index = link_of(sys, "other0").index;
    for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
        struct prefix address = prefix_of(networks[i].address);
        struct sys_route route = connected(networks[i].network, networks[i].source);
        CHECK(sys_addr_add(sys, index, &address, false, &error), 0);
        cr_expect_eq(routes_like(sys, &route), 0U, "%s", networks[i].network);
        CHECK(sys_addr_delete(sys, index, &address, &error), 0);
        CHECK(sys_addr_add(sys, index, &address, true, &error), 0);
        cr_expect_eq(routes_like(sys, &route), 1U, "%s", networks[i].network);
        CHECK(sys_addr_delete(sys, index, &address, &error), 0);
        cr_expect_eq(routes_like(sys, &route), 0U, "%s", networks[i].network);
    }
    struct prefix address = prefix_of("10.7.0.1/24");
    struct sys_route route = connected("10.7.0.0/24", "10.7.0.1");
    CHECK(sys_addr_add(sys, index, &address, true, &error), 0);
    side->link_up(sys, "other0", false);
    cr_expect_eq(routes_like(sys, &route), 0U);
    side->link_up(sys, "other0", true);
    cr_expect_eq(routes_like(sys, &route), 1U, "the kernel makes this one anew");
}

/* ---- the way out ----------------------------------------------------------------------------- */

static size_t defaults(struct sys *sys, uint8_t family, struct sys_route *ret)
{
    size_t found = 0;
    struct sys_routes routes = {0};
    CHECK(sys_route_list(sys, 0, 0, &routes, &error), 0);
    for (size_t i = 0; i < routes.count; i++) {
        const struct prefix *destination = &routes.list[i].destination;
        if (destination->len == 0 && destination->ip.family == family) {
            *ret = routes.list[i];
            found++;
        }
    }
    sys_routes_clear(&routes);
    return found;
}

ON_BOTH_SIDES(route, uplink)
{
    struct sys_path path;
    struct sys_route route = {0};
    struct ip there = ip_of("203.0.113.9"), source = ip_of("198.51.100.2");
    side->uplink(sys, 1400);
    cr_assert_eq(defaults(sys, AF_INET, &route), 1U);
    cr_expect_str_eq(route.interface, "uplink0");
    cr_expect_eq(route.table, (uint32_t)SYS_TABLE_MAIN);
    cr_expect_eq(route.protocol, RTPROT_BOOT);
    cr_expect(route.gateway && !route.source.family && !route.metric);
    CHECK(sys_path_mtu(sys, &there, &path, &error), 0);
    cr_expect_eq(path.mtu, 1400U);
    cr_expect_str_eq(path.interface, "uplink0");
    cr_expect(ip_equal(&path.source, &source));

    side->uplink(sys, 0);
    cr_expect_eq(defaults(sys, AF_INET, &route), 0U);
    CHECK(sys_path_mtu(sys, &there, &path, &error), SYS_ABSENT);
    there = ip_of("2001:db8:9::1");
    CHECK(sys_path_mtu(sys, &there, &path, &error), SYS_ABSENT);
}

ON_BOTH_SIDES(route, uplink_of_ip6)
{
    struct sys_path path;
    struct sys_route route = {0};
    struct ip there = ip_of("2001:db8:9::1"), source = ip_of("2001:db8:ffff::2");
    side->uplink(sys, 1400);
    cr_expect_eq(defaults(sys, AF_INET6, &route), 0U);
    CHECK(sys_path_mtu(sys, &there, &path, &error), SYS_ABSENT);
    side->uplink6(sys, true);
    cr_assert_eq(defaults(sys, AF_INET6, &route), 1U);
    cr_expect_str_eq(route.interface, "uplink0");
    cr_expect_eq(route.protocol, RTPROT_RA);
    cr_expect(route.gateway && route.metric == 1024);
    CHECK(sys_path_mtu(sys, &there, &path, &error), 0);
    cr_expect_eq(path.mtu, 1400U);
    cr_expect(ip_equal(&path.source, &source));
    side->uplink6(sys, false);
    cr_expect_eq(defaults(sys, AF_INET6, &route), 0U);
    CHECK(sys_path_mtu(sys, &there, &path, &error), SYS_ABSENT);
}
