/*
 * What becomes of rules, routes and settings, as plans word for word: tests/golden/routes.
 * PIC_REGENERATE=1 writes them anew.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/routes/routes.h"
#include "reconcilers/sys/fake.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "tests/harness/house.h"

#define RESOURCE(kind, name, spec)                                                                 \
    "---\napiVersion: pic/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec:\n" spec
#define CELL_WITH(network)                                                                         \
    RESOURCE("Cell", "alpha", "  domain: alpha.cell\n  network: {" network "}\n")
#define CELL CELL_WITH("vpn: 10.10.0.0/24, vpn6: 'fd10:a1fa:ce11::/64'")
#define PEER(name, n, extra)                                                                       \
    RESOURCE("Peer", name,                                                                         \
             "  publicKey: A" n "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n  address: "          \
             "10.10.0.3" extra "\n")
#define LAPTOP PEER("laptop", "Q", "4")
#define ROUTED PEER("laptop", "Q", "4\n  routeVia: beta")
#define PHONE PEER("phone", "g", "5\n  subnets: [192.168.9.0/24]")
#define PHONE_ALONE PEER("phone", "g", "5")
#define BETA_WITH(extra)                                                                           \
    RESOURCE("Link", "beta",                                                                       \
             "  publicKey: BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n"                         \
             "  endpoint: 203.0.113.9:51821\n  vpn: 10.20.0.0/24\n"                                \
             "  vpn6: 'fd20::/64'\n  domain: beta.cell\n" extra)
#define BETA BETA_WITH("  networks: [192.168.40.0/24]\n")

static struct prefix prefix(const char *text)
{
    struct prefix p;
    cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
    return p;
}

/* ---- the house ---- */

static void give_address(struct sys *sys, const char *interface, const char *address)
{
    struct prefix p = prefix(address);
    sys_fake_addr_add(sys, interface, &p, SYS_OWNER);
}

static void add_interface(struct sys *sys, const char *name, const char *address,
                          const char *address6)
{
    sys_fake_link_add(sys, name, "wireguard", SYS_OWNER, "");
    sys_fake_link_up(sys, name, true);
    give_address(sys, name, address);
    give_address(sys, name, address6);
}

/* A peer that leaves through beta, one with a network behind it; both tunnels are there. */
static struct house *new_house(struct sys *sys)
{
    struct house *h = house_new(sys, &reconciler_routes);
    add_interface(sys, "pic0", "10.10.0.1/24", "fd10:a1fa:ce11::1/64");
    add_interface(sys, "pl-beta", "10.10.0.1/32", "fd10:a1fa:ce11::1/128");
    house_interface(h, "uplink0", true, NULL, "198.51.100.0/24");
    house_put(h, CELL ROUTED PHONE BETA);
    house_hears(h, "beta", true, true, false);
    return h;
}

/* ---- somebody's hands ---- */

static uint32_t exit_table(const struct house *h)
{
    const struct model_link *link = model_link_by_name(h->model, "beta");
    cr_assert(link && link->number);
    return TABLE_BLOCKED + link->number;
}

static struct sys_rule exit_rule(const struct house *h)
{
    return (struct sys_rule){.family = AF_INET,
                             .priority = 88,
                             .table = exit_table(h),
                             .mark = (exit_table(h) - TABLE_BLOCKED) << MARK_SHIFT,
                             .mask = MARK_MASK,
                             .protocol = SYS_OWNER};
}

static struct sys_rule blocked_rule(void)
{
    return (struct sys_rule){.family = AF_INET,
                             .priority = 89,
                             .table = TABLE_BLOCKED,
                             .mask = MARK_MASK,
                             .invert = true,
                             .protocol = SYS_OWNER};
}

static struct sys_route route(const char *destination, const char *interface, uint32_t table)
{
    struct sys_route r = {.destination = prefix(destination), .table = table};
    snprintf(r.interface, sizeof(r.interface), "%s", interface);
    return r;
}

static void remove_exit_rule(struct house *h)
{
    struct sys_rule rule = exit_rule(h);
    sys_fake_rule_remove(h->sys, &rule);
}

static void flush_rules(struct house *h)
{
    struct sys_rules rules = {0};
    ERROR_AUTO error = NULL;
    sys_rule_list(h->sys, &rules, &error);
    for (size_t i = 0; i < rules.count; i++)
        if (rules.list[i].protocol == SYS_OWNER)
            sys_fake_rule_remove(h->sys, &rules.list[i]);
    sys_rules_clear(&rules);
}

static void copy_rules(struct house *h)
{
    struct sys_rule rule = exit_rule(h), ours = {.family = AF_INET,
                                                 .priority = 86,
                                                 .table = TABLE_OURS,
                                                 .protocol = SYS_OWNER};
    sys_fake_rule_add(h->sys, &rule);
    sys_fake_rule_add(h->sys, &ours);
    sys_fake_rule_add(h->sys, &ours);
}

/* It stands behind the one that we want, which the kernel therefore takes away for it. */
static void add_twin(struct house *h)
{
    struct sys_rule rule = blocked_rule();
    rule.invert = false;
    sys_fake_rule_add(h->sys, &rule);
}

static void replace_by_twin(struct house *h)
{
    struct sys_rule rule = blocked_rule();
    sys_fake_rule_remove(h->sys, &rule);
    add_twin(h);
}

static void add_rules(struct house *h)
{
    struct sys_rule old = {.family = AF_INET6,
                           .priority = 70,
                           .table = 77,
                           .iif = "pic0",
                           .protocol = SYS_OWNER},
                    foreign = {.family = AF_INET, .priority = 85, .table = 100, .protocol = 4};
    sys_fake_rule_add(h->sys, &old);
    sys_fake_rule_add(h->sys, &foreign);
}

/* By the uplink: a better one than ours, one in our place, one where nothing of ours is. */
static void add_alien_routes(struct house *h)
{
    struct sys_route alien = route("0.0.0.0/0", "uplink0", exit_table(h)),
                     ours = route("0.0.0.0/0", "pl-beta", exit_table(h)),
                     more = route("10.66.0.0/16", "uplink0", TABLE_OURS);
    ours.protocol = SYS_OWNER;
    alien.protocol = more.protocol = 4;
    sys_fake_route_remove(h->sys, &ours);
    sys_fake_route_add(h->sys, &alien);
    alien.destination = prefix("0.0.0.0/1");
    sys_fake_route_add(h->sys, &alien);
    sys_fake_route_add(h->sys, &more);
}

static void add_orphan_routes(struct house *h)
{
    struct sys_route orphan = route("10.66.0.0/16", "uplink0", SYS_TABLE_MAIN),
                     foreign = route("10.67.0.0/16", "uplink0", SYS_TABLE_MAIN);
    orphan.protocol = SYS_OWNER;
    foreign.protocol = 4;
    sys_fake_route_add(h->sys, &orphan);
    sys_fake_route_add(h->sys, &foreign);
}

static void flush_tables(struct house *h)
{
    struct sys_routes routes = {0};
    ERROR_AUTO error = NULL;
    sys_route_list(h->sys, 0, SYS_OWNER, &routes, &error);
    for (size_t i = 0; i < routes.count; i++)
        sys_fake_route_remove(h->sys, &routes.list[i]);
    sys_routes_clear(&routes);
}

static void reset_settings(struct house *h)
{
    sys_fake_sysctl_set(h->sys, "net/ipv4/ip_forward", 0);
    sys_fake_sysctl_set(h->sys, "net/ipv4/conf/pl-beta/rp_filter", 1);
    sys_fake_sysctl_set(h->sys, "net/ipv6/conf/pic0/force_forwarding", 0);
}

static void be_strict(struct house *h)
{
    sys_fake_sysctl_set(h->sys, "net/ipv4/conf/all/rp_filter", 1);
}

static void set_link_down(struct house *h)
{
    sys_fake_link_up(h->sys, "pl-beta", false);
}

/* ---- manifests and interfaces ---- */

static void clear(struct house *h)
{
    h->model->teardown = true;
    free(house_run(h, true));
    h->model->teardown = false;
    sys_fake_sysctl_set(h->sys, "net/ipv4/ip_forward", 0);
    h->model->cell.applied = false;
}

static void lose_interface(struct house *h)
{
    sys_fake_link_remove(h->sys, "pic0");
    clear(h);
}

static void add_beta(struct house *h)
{
    house_put(h, CELL LAPTOP PHONE);
    free(house_run(h, false));
    house_put(h, CELL LAPTOP PHONE BETA);
}

static void remove_beta(struct house *h)
{
    house_put(h, CELL LAPTOP PHONE);
}

/* Its interface goes first, and takes its routes along. */
static void remove_beta_and_interface(struct house *h)
{
    remove_beta(h);
    sys_fake_link_remove(h->sys, "pl-beta");
}

static void take_network(struct house *h)
{
    house_put(h, CELL ROUTED PHONE BETA_WITH(""));
}

static void leave_exit(struct house *h)
{
    house_put(h, CELL LAPTOP PHONE BETA);
}

static void return_to_exit(struct house *h)
{
    leave_exit(h);
    free(house_run(h, false));
    house_put(h, CELL ROUTED PHONE BETA);
}

static void withdraw_offer(struct house *h)
{
    house_hears(h, "beta", false, false, false);
}

static void take_subnet(struct house *h)
{
    house_put(h, CELL ROUTED PHONE_ALONE BETA);
}

static void give_subnet(struct house *h)
{
    take_subnet(h);
    free(house_run(h, false));
    house_put(h, CELL ROUTED PHONE BETA);
}

static void move_subnet(struct house *h)
{
    house_put(h,
              CELL ROUTED PHONE_ALONE BETA PEER("tablet", "w", "6\n  subnets: [192.168.9.0/24]"));
}

static void remove_phone(struct house *h)
{
    house_put(h, CELL ROUTED BETA);
}

static void change_vpn(struct house *h)
{
    house_put(h, CELL_WITH("vpn: 10.10.0.0/16, vpn6: 'fd10:a1fa:ce11::/64'") ROUTED PHONE BETA);
}

static void give_up_ipv6(struct house *h)
{
    house_put(h, CELL_WITH("vpn: 10.10.0.0/24") ROUTED PHONE BETA);
}

static void switch_ipv6_off(struct house *h)
{
    flush_tables(h);
    sys_fake_sysctl_set(h->sys, "net/ipv6/conf/pic0/disable_ipv6", 1);
}

static void be_older(struct house *h)
{
    sys_fake_sysctl_lacks(h->sys, "force_forwarding");
    sys_fake_uplink6(h->sys, true);
}

/* Somebody reads the router advertisements himself: the kernel is not to begin with it. */
static void read_advertisements(struct house *h)
{
    be_older(h);
    sys_fake_sysctl_set(h->sys, "net/ipv6/conf/uplink0/accept_ra", 0);
}

static void reset_older(struct house *h)
{
    be_older(h);
    free(house_run(h, true));
    sys_fake_sysctl_set(h->sys, "net/ipv6/conf/uplink0/accept_ra", 1);
}

static void tear_down(struct house *h)
{
    be_strict(h);
    free(house_run(h, true));
    h->model->teardown = true;
}

static const struct {
    const char *name;
    void (*happens)(struct house *house); /* to a house that has converged; NULL: nothing */
    bool look; /* at everything afterwards, not only at what was marked */
} cases[] = {
    {"converged", NULL, true},
    {"fresh", clear, true},
    {"fresh-without-interface", lose_interface, true},
    {"link-added", add_beta, false},
    {"link-removed", remove_beta, false},
    {"link-removed-with-interface", remove_beta_and_interface, true},
    {"link-networks", take_network, false},
    {"exit-taken", return_to_exit, false},
    {"exit-left", leave_exit, false},
    {"exit-withdrawn", withdraw_offer, false},
    {"subnet-taken", take_subnet, false},
    {"subnet-given", give_subnet, false},
    {"subnet-moved", move_subnet, false},
    {"peer-removed", remove_phone, false},
    {"vpn-changed", change_vpn, false},
    {"ipv6-given-up", give_up_ipv6, false},
    {"ipv6-off", switch_ipv6_off, true},
    {"older-kernel", be_older, true},
    {"older-kernel-other-reader", read_advertisements, true},
    {"drift-older-kernel", reset_older, true},
    {"drift-link-down", set_link_down, true},
    {"drift-rule", remove_exit_rule, true},
    {"drift-rules-flushed", flush_rules, true},
    {"drift-copies", copy_rules, true},
    {"drift-twin-instead", replace_by_twin, true},
    {"drift-rules-added", add_rules, true},
    {"drift-alien", add_alien_routes, true},
    {"drift-orphans", add_orphan_routes, true},
    {"drift-flushed", flush_tables, true},
    {"drift-settings", reset_settings, true},
    {"drift-strict", be_strict, true},
    {"teardown", tear_down, true},
};

static void compare(const char *name, const char *is)
{
    MEM_AUTO char *path = mem_printf("tests/golden/routes/%s.txt", name);
    STRBUF_AUTO expected = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    if (getenv("PIC_REGENERATE")) {
        struct io_write_options options = {.mode = 0644};
        io_write_atomic(path, is, strlen(is), &options, &error);
        return;
    }
    cr_assert_eq(io_read(path, 1 << 20, &expected, &error), 0, "%s", error ? error->message : "");
    cr_expect_str_eq(is, expected.text, "%s:\n%s", name, is);
}

/* Carrying out each of these plans leaves nothing to do, and a second pass writes nothing. */
Test(golden, routes)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sys *sys = sys_fake_new();
        struct house *h = new_house(sys);
        free(house_run(h, true));
        if (cases[i].happens)
            cases[i].happens(h);
        MEM_AUTO char *plan = house_run(h, cases[i].look);
        compare(cases[i].name, plan);

        uint64_t writes = sys_counters(sys)->writes;
        MEM_AUTO char *left = house_run(h, true);
        cr_expect_str_eq(left, "", "%s: left to do:\n%s", cases[i].name, left);
        cr_expect_eq(sys_counters(sys)->writes, writes, "%s", cases[i].name);
        house_free(h);
        sys_close(sys);
    }
}

/* The twin stands behind the rule that we want: the kernel, which does not tell them apart, takes
 * that one away. The next look makes it again. */
Test(golden, routes_twin)
{
    struct sys *sys = sys_fake_new();
    struct house *h = new_house(sys);
    free(house_run(h, true));
    add_twin(h);
    MEM_AUTO char *first = house_run(h, true);
    compare("drift-twin", first);
    MEM_AUTO char *second = house_run(h, true);
    compare("drift-twin-again", second);
    MEM_AUTO char *third = house_run(h, true);
    cr_expect_str_eq(third, "");
    house_free(h);
    sys_close(sys);
}
