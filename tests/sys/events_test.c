#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/real_hands.h"

/* What one reading told: of interfaces, and of each type. */
struct told {
    unsigned pic0, other0, everything;
    unsigned types[SYS_EVENT_TYPE_COUNT];
    struct sys_event last[SYS_EVENT_TYPE_COUNT];
};

static void tell(const struct sys_event *event, void *context)
{
    struct told *told = context;
    const char *interface = event->interface;
    bool of_interface = event->type == SYS_EVENT_LINK || event->type == SYS_EVENT_ADDRESS;
    told->types[event->type]++;
    told->last[event->type] = *event;
    if (event->type == SYS_EVENT_LOST || (of_interface && !*interface))
        told->everything++;
    else if (strcmp(interface, "pic0") == 0)
        told->pic0++;
    else if (strcmp(interface, "other0") == 0)
        told->other0++;
}

static struct told read_events(struct sys *sys)
{
    struct told told = {0};
    sys_events_read(sys, tell, &told);
    return told;
}

static bool readable(struct sys *sys)
{
    struct pollfd wait = {.fd = sys_events_fd(sys), .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

/* Lets the others finish what they do by themselves after an interface was made or changed. */
static void settle(struct sys *sys)
{
    for (int quiet = 0; quiet < 20; quiet++) {
        if (readable(sys))
            quiet = 0;
        read_events(sys);
        usleep(5000);
    }
}

ON_BOTH_SIDES(events, what_others_do)
{
    struct prefix prefix = prefix_of("10.7.0.1/24"), prefix6 = prefix_of("fd07::1/64");
    cr_assert(sys_events_fd(sys) >= 0);
    cr_expect_eq(sys_events_fd(sys), sys_events_fd(sys));
    cr_expect(!readable(sys));

    side->link_add(sys, "other0");
    cr_expect(readable(sys));
    struct told told = read_events(sys);
    cr_expect(told.other0 > 0 && told.pic0 == 0 && told.everything == 0);

    settle(sys);
    side->addr_add(sys, "other0", &prefix);
    cr_expect(read_events(sys).other0 > 0);
    side->addr_add(sys, "other0", &prefix6);
    cr_expect(read_events(sys).other0 > 0);
    settle(sys);
    side->addr_remove(sys, "other0", &prefix);
    cr_expect(read_events(sys).other0 > 0);
    settle(sys);
    side->link_remove(sys, "other0");
    cr_expect(read_events(sys).other0 > 0);
    settle(sys);
    told = read_events(sys);
    cr_expect(told.other0 == 0 && told.everything == 0, "read once, it is gone");
}

ON_BOTH_SIDES(events, our_own_addresses_are_no_news)
{
    struct prefix prefix = prefix_of("10.7.0.1/24");
    cr_assert(sys_events_fd(sys) >= 0);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    int index = link_of(sys, "pic0").index;
    settle(sys);
    CHECK(sys_addr_add(sys, index, &prefix, false, &error), 0);
    CHECK(sys_addr_delete(sys, index, &prefix, &error), 0);
    struct told told = read_events(sys);
    cr_expect(told.pic0 == 0 && told.everything == 0);
    side->addr_add(sys, "pic0", &prefix);
    cr_expect(read_events(sys).pic0 > 0, "the same by others is");
}

/* ---- routes, rules, sysctls ------------------------------------------------------------------ */

static struct sys_route a_route(const char *destination, uint32_t table)
{
    struct sys_route route = {.destination = prefix_of(destination),
                              .table = table,
                              .metric = 50,
                              .protocol = RTPROT_STATIC,
                              .interface = "other0"};
    return route;
}

ON_BOTH_SIDES(events, routes_of_others)
{
    static const struct {
        const char *destination;
        uint32_t table;
    } rows[] = {{"10.1.0.0/16", 254}, {"10.1.0.0/16", 70000}, {"fd01::/64", 7101}};
    side->link_add(sys, "other0");
    side->link_up(sys, "other0", true);
    cr_assert(sys_events_fd(sys) >= 0);
    settle(sys);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct sys_route route = a_route(rows[i].destination, rows[i].table);
        for (int removed = 0; removed < 2; removed++) {
            (removed ? side->route_remove : side->route_add)(sys, &route);
            cr_expect(readable(sys));
            struct told told = read_events(sys);
            const struct sys_event *event = &told.last[SYS_EVENT_ROUTE];
            cr_expect_eq(told.types[SYS_EVENT_ROUTE], 1U, "row %zu", i);
            cr_expect_eq(event->table, rows[i].table);
            cr_expect_eq(event->protocol, RTPROT_STATIC);
            cr_expect_eq(told.everything, 0U);
        }
    }
}

/* The kernel makes and removes routes of its own with every address. */
ON_BOTH_SIDES(events, an_address_is_no_news_of_routes)
{
    struct prefix alone = prefix_of("10.7.0.1/32");
    side->link_add(sys, "other0");
    side->link_up(sys, "other0", true);
    cr_assert(sys_events_fd(sys) >= 0);
    settle(sys);
    side->addr_add(sys, "other0", &alone);
    side->addr_remove(sys, "other0", &alone);
    struct told told = read_events(sys);
    cr_expect(told.types[SYS_EVENT_ADDRESS] > 0);
    cr_expect_eq(told.types[SYS_EVENT_ROUTE], 0U);
}

ON_BOTH_SIDES(events, rules_of_others)
{
    static const uint8_t families[] = {AF_INET, AF_INET6};
    cr_assert(sys_events_fd(sys) >= 0);
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        struct sys_rule rule = {
            .family = families[i], .priority = 95, .table = 7101, .protocol = SYS_OWNER};
        for (int removed = 0; removed < 2; removed++) {
            (removed ? side->rule_remove : side->rule_add)(sys, &rule);
            cr_expect(readable(sys));
            struct told told = read_events(sys);
            cr_expect_eq(told.types[SYS_EVENT_RULE], 1U);
            cr_expect_eq(told.last[SYS_EVENT_RULE].priority, 95U);
            cr_expect_eq(told.last[SYS_EVENT_RULE].protocol, SYS_OWNER, "it only looks like ours");
        }
    }
}

ON_BOTH_SIDES(events, sysctls)
{
    static const char *const names[] = {"net/ipv4/conf/other0/rp_filter",
                                        "net/ipv4/conf/other0/forwarding",
                                        "net/ipv6/conf/other0/forwarding"};
    side->link_add(sys, "other0");
    cr_assert(sys_events_fd(sys) >= 0);
    settle(sys);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        side->sysctl_set(sys, names[i], 1);
        cr_expect(readable(sys));
        struct told told = read_events(sys);
        cr_expect_eq(told.types[SYS_EVENT_NETCONF], 1U, "%s", names[i]);
        cr_expect_str_eq(told.last[SYS_EVENT_NETCONF].interface, "other0", "%s", names[i]);
    }
    side->sysctl_set(sys, "net/ipv4/conf/all/rp_filter", 1);
    struct told told = read_events(sys);
    cr_expect_eq(told.types[SYS_EVENT_NETCONF], 1U);
    cr_expect_str_eq(told.last[SYS_EVENT_NETCONF].interface, "");
    side->sysctl_set(sys, "net/ipv4/conf/other0/src_valid_mark", 1);
    cr_expect(!readable(sys), "the kernel does not tell of this one");
}

ON_BOTH_SIDES(events, our_own_routes_and_rules_are_no_news)
{
    static const char *const destinations[] = {"10.1.0.0/16", "fd01::/64"};
    side->link_add(sys, "other0");
    side->link_up(sys, "other0", true);
    cr_assert(sys_events_fd(sys) >= 0);
    settle(sys);
    for (size_t i = 0; i < ARRAY_SIZE(destinations); i++) {
        struct sys_route route = a_route(destinations[i], 7101);
        struct sys_rule rule = {.family = route.destination.ip.family,
                                .priority = 95,
                                .table = 7101,
                                .protocol = SYS_OWNER};
        route.protocol = SYS_OWNER;
        CHECK(sys_route_set(sys, &route, &error), 0);
        CHECK(sys_rule_add(sys, &rule, &error), 0);
        CHECK(sys_rule_delete(sys, &rule, &error), 0);
        CHECK(sys_route_delete(sys, &route, &error), 0);
    }
    struct told told = read_events(sys);
    cr_expect_eq(told.types[SYS_EVENT_ROUTE], 0U);
    cr_expect_eq(told.types[SYS_EVENT_RULE], 0U);
    cr_expect_eq(told.types[SYS_EVENT_LOST], 0U);
}

/* The kernel does not say which routes go with an interface, or with its last address. */
ON_BOTH_SIDES(events, what_takes_routes_along)
{
    struct prefix address = prefix_of("10.7.0.1/24");
    struct sys_route route = a_route("10.1.0.0/16", 7101);
    side->link_add(sys, "other0");
    side->link_up(sys, "other0", true);
    side->addr_add(sys, "other0", &address);
    cr_assert(sys_events_fd(sys) >= 0);
    CHECK(sys_route_set(sys, &route, &error), 0);
    settle(sys);
    side->addr_remove(sys, "other0", &address);
    struct told told = read_events(sys);
    cr_expect(told.types[SYS_EVENT_ADDRESS] > 0 && told.other0 > 0);
    CHECK(sys_route_set(sys, &route, &error), 0);
    settle(sys);
    side->link_up(sys, "other0", false);
    told = read_events(sys);
    cr_expect(told.types[SYS_EVENT_LINK] > 0 && told.other0 > 0);
}

/* ---- nftables -------------------------------------------------------------------------------- */

enum { ELEMENTS = 50000 }; /* told one by one, they would overflow the queue */

ON_REAL_SIDE(events, commits_of_others_to_nftables)
{
    cr_assert(sys_events_fd(sys) >= 0);
    run((const char *[]){"nft", "add", "table", "inet", "others", NULL});
    cr_expect(readable(sys));
    struct told told = read_events(sys);
    cr_assert_eq(told.types[SYS_EVENT_NFT], 1U);
    int pid = 0;
    cr_expect_eq(sscanf(told.last[SYS_EVENT_NFT].process, "nft[%d]", &pid), 1, "%s",
                 told.last[SYS_EVENT_NFT].process);
    cr_expect(pid > 1);
    cr_expect(!readable(sys));

    FILE *file = fopen("/run/elements", "we");
    cr_assert(file);
    fprintf(file, "add set inet others s { type ipv4_addr; }\nadd element inet others s {");
    for (unsigned i = 0; i < ELEMENTS; i++)
        fprintf(file, "%s 10.0.%u.%u", i ? "," : "", i >> 8, i & 255);
    fprintf(file, " }\n");
    cr_assert_eq(fclose(file), 0);
    run((const char *[]){"nft", "-f", "/run/elements", NULL});
    told = read_events(sys);
    cr_expect_eq(told.types[SYS_EVENT_NFT], 1U, "one commit, however much it changed");
    cr_expect_eq(told.types[SYS_EVENT_LOST], 0U);
}

/* ---- many ------------------------------------------------------------------------------------ */

ON_REAL_SIDE(events, too_many_mean_look_at_everything)
{
    struct prefix prefix = prefix_of("10.7.0.1/24");
    side->link_add(sys, "other0");
    int index = link_of(sys, "other0").index;
    struct sys *other = side->reopen(sys);
    cr_assert(sys_events_fd(sys) >= 0);
    for (int i = 0; i < 5000; i++) {
        CHECK(sys_addr_add(other, index, &prefix, false, &error), 0);
        CHECK(sys_addr_delete(other, index, &prefix, &error), 0);
    }
    side->reclose(other);
    struct told told = read_events(sys);
    cr_expect(told.everything > 0);
    settle(sys);
    side->link_remove(sys, "other0");
    cr_expect(read_events(sys).other0 > 0, "and then it goes on as before");
}

/* A routing daemon fills a table: nobody needs to hear of each route. */
ON_REAL_SIDE(events, equal_ones_are_told_once)
{
    side->link_add(sys, "other0");
    side->link_up(sys, "other0", true);
    struct sys *other = side->reopen(sys);
    cr_assert(sys_events_fd(sys) >= 0);
    settle(sys);
    struct sys_route route = a_route("10.0.0.0/32", 7101);
    for (unsigned i = 0; i < 600; i++) {
        route.destination.ip.bytes[2] = (uint8_t)(i >> 8);
        route.destination.ip.bytes[3] = (uint8_t)i;
        route.table = i < 400 ? 7101 : 7102;
        CHECK(sys_route_set(other, &route, &error), 0);
    }
    side->reclose(other);
    struct told told = read_events(sys);
    cr_expect_eq(told.types[SYS_EVENT_ROUTE], 2U);
    cr_expect_eq(told.types[SYS_EVENT_LOST], 0U);
}
