/*
 * Rules, routes and settings over the fake system: that no step lets a packet out which was kept
 * in, that somebody's changes are repaired as soon as they are told of, and what is told.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/harness/world.h"

enum { KEY_BETA = 18, FOREIGN = 4 /* boot */ };

/* ---- a cell with an exit ---- */

static struct prefix prefix(const char *text)
{
    struct prefix p;
    cr_assert_eq(prefix_parse(text, &p), 0, "%s", text);
    return p;
}

static int offer(void *context, const char *link, struct sync_document *ret, struct error **reterr)
{
    const struct inputs *inputs = context;
    (void)link, (void)reterr;
    *ret = (struct sync_document){
        .cell = "beta",
        .domain = "beta.cell",
        .public_key = world_key(KEY_BETA),
        .valid_for = 3600,
        .vpn = prefix("10.20.0.0/24"),
        .exit = {.offered = true, .ready = true, .ipv6 = true},
        .received = inputs->model.now,
    };
    return 0;
}

static void put_peer(struct world *w, const char *name, unsigned n, const char *extra)
{
    MEM_AUTO char *text = world_peer(name, n, extra);
    MEM_AUTO char *path = mem_printf("%s.yaml", name);
    world_put(w, path, text);
}

static void put_beta(struct world *w)
{
    struct wgkey key = world_key(KEY_BETA);
    char text[WGKEY_TEXT_LEN + 1];
    MEM_AUTO char *manifest =
        mem_printf("apiVersion: pic/v1\nkind: Link\nmetadata: {name: beta}\nspec:\n"
                   "  publicKey: %s\n  vpn: 10.20.0.0/24\n  domain: beta.cell\n"
                   "  endpoint: 203.0.113.9:51821\n",
                   wgkey_format(&key, text));
    world_put(w, "beta.yaml", manifest);
}

static void commit(struct world *w)
{
    free(world_commit(w));
}

static struct world *new_world(void)
{
    struct world *w = world_new(NULL, NULL);
    w->model->enforcers = UINT64_MAX;
    w->inputs.model.document = offer;
    return w;
}

static void put_all(struct world *w)
{
    world_put(w, "cell.yaml", world_cell);
    put_beta(w);
    put_peer(w, "laptop", 1, "  address: 10.10.0.34\n  routeVia: beta\n");
    put_peer(w, "phone", 2, "  address: 10.10.0.35\n  subnets: [192.168.9.0/24]\n");
    commit(w);
}

static struct world *world_with_exit(void)
{
    struct world *w = new_world();
    put_all(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    strbuf_reset(&w->steps);
    return w;
}

static uint32_t exit_number(const struct world *w)
{
    return model_link_by_name(w->model, "beta")->number;
}

static void expect_right(struct world *w)
{
    PLAN_AUTO plan;
    world_plan(w, &plan);
    cr_expect_eq(plan.count, 0, "%s", plan.count ? plan.steps[0].object : "");
    cr_expect_eq(w->trouble.len, 0, "%s", w->trouble.text);
}

/* ---- where a packet would go ---- */

struct packet {
    const char *iif;
    uint32_t mark;
    struct ip destination;
};

static bool matches(const struct sys_rule *rule, const struct packet *packet)
{
    if (*rule->iif && strcmp(rule->iif, packet->iif) != 0)
        return false;
    return ((packet->mark & rule->mask) == rule->mark) != rule->invert;
}

static const struct sys_route *look_up(const struct sys_routes *routes, uint32_t table,
                                       const struct ip *destination)
{
    const struct sys_route *best = NULL;
    for (size_t i = 0; i < routes->count; i++) {
        const struct sys_route *r = &routes->list[i];
        if (r->table != table || !prefix_contains(&r->destination, destination))
            continue;
        if (!best || r->destination.len > best->destination.len ||
            (r->destination.len == best->destination.len && r->metric < best->metric))
            best = r;
    }
    return best;
}

static bool leaves_by_uplink(struct sys *sys, const struct packet *packet)
{
    struct sys_rules rules = {0};
    struct sys_routes routes = {0};
    ERROR_AUTO error = NULL;
    const struct sys_route *route = NULL;
    sys_rule_list(sys, &rules, &error);
    sys_route_list(sys, 0, 0, &routes, &error);
    for (size_t i = 0; !route && i < rules.count; i++)
        if (rules.list[i].family == packet->destination.family && matches(&rules.list[i], packet))
            route = look_up(&routes, rules.list[i].table, &packet->destination);
    bool leaves = route && strcmp(route->interface, "uplink0") == 0;
    sys_rules_clear(&rules);
    sys_routes_clear(&routes);
    return leaves;
}

/* Unmarked out of a tunnel, of the exit, blocked: to the internet, both families. */
enum { PACKETS = 6 };

struct watch {
    struct sys *sys;
    uint32_t number;
    bool out[PACKETS]; /* at the last look */
    bool busy;
    unsigned looks, let_out;
};

static struct packet packet_of(const struct watch *watch, size_t i)
{
    const uint32_t marks[] = {0, watch->number << MARK_SHIFT, MARK_BLOCKED};
    struct packet packet = {.iif = "pic0", .mark = marks[i / 2]};
    ip_parse(i % 2 ? "2001:db8:1::80" : "203.0.113.80", &packet.destination);
    return packet;
}

static void look(struct watch *watch)
{
    watch->busy = true;
    for (size_t i = 0; i < PACKETS; i++) {
        struct packet packet = packet_of(watch, i);
        bool out = leaves_by_uplink(watch->sys, &packet);
        watch->let_out += out && !watch->out[i];
        watch->out[i] = out;
    }
    watch->looks++;
    watch->busy = false;
}

static void before_write(enum sys_call call, void *context)
{
    struct watch *watch = context;
    (void)call;
    if (!watch->busy)
        look(watch);
}

static void start_watching(struct watch *watch, struct world *w, uint32_t number)
{
    *watch = (struct watch){.sys = w->sys, .number = number};
    for (size_t i = 0; i < PACKETS; i++) {
        struct packet packet = packet_of(watch, i);
        watch->out[i] = leaves_by_uplink(w->sys, &packet);
    }
    sys_set_hook(w->sys, before_write, watch);
}

static void remove_where(struct world *w, bool rules, bool routes)
{
    struct sys_rules rule_list = {0};
    struct sys_routes route_list = {0};
    ERROR_AUTO error = NULL;
    sys_rule_list(w->sys, &rule_list, &error);
    sys_route_list(w->sys, 0, SYS_OWNER, &route_list, &error);
    for (size_t i = 0; rules && i < rule_list.count; i++)
        if (rule_list.list[i].protocol == SYS_OWNER)
            sys_fake_rule_remove(w->sys, &rule_list.list[i]);
    for (size_t i = 0; routes && i < route_list.count; i++)
        sys_fake_route_remove(w->sys, &route_list.list[i]);
    sys_rules_clear(&rule_list);
    sys_routes_clear(&route_list);
}

static void flush_both(struct world *w)
{
    remove_where(w, true, true);
}

static void route_laptop_directly(struct world *w)
{
    put_peer(w, "laptop", 1, "  address: 10.10.0.34\n");
    commit(w);
}

static void remove_beta(struct world *w)
{
    world_gone(w, "beta.yaml");
    commit(w);
}

/* Whatever happens, each write leaves the packets of a routed peer kept in that were kept in
 * before it; and in the end all are. */
Test(routes, no_step_lets_out)
{
    void (*const cases[])(struct world * w) = {put_all, flush_both, route_laptop_directly,
                                               remove_beta};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world *w = cases[i] == put_all ? new_world() : world_with_exit();
        struct watch watch;
        sys_fake_uplink6(w->sys, true);
        uint32_t number = cases[i] == put_all ? 0 : exit_number(w);
        cases[i](w);
        start_watching(&watch, w, number ? number : exit_number(w));
        engine_look_at_all(w->engine);
        cr_expect(world_run(w, 10), "%zu: %s", i, w->trouble.text);
        look(&watch);
        cr_expect_gt(watch.looks, 2, "%zu", i);
        cr_expect_eq(watch.let_out, 0, "case %zu: %u times", i, watch.let_out);
        for (size_t j = 0; j < PACKETS; j++)
            cr_expect_not(watch.out[j], "case %zu, packet %zu", i, j);
        sys_set_hook(w->sys, NULL, NULL);
        world_free(w);
    }
}

/* Only rules, or only tables: the other lock holds, so nothing is out at any time. */
Test(routes, each_lock_holds_alone)
{
    for (int rules = 0; rules < 2; rules++) {
        struct world *w = world_with_exit();
        struct watch watch = {.sys = w->sys, .number = exit_number(w)};
        sys_fake_uplink6(w->sys, true);
        struct sys_route sink = {.destination = prefix("0.0.0.0/0"),
                                 .table = TABLE_BLOCKED + watch.number,
                                 .protocol = SYS_OWNER};
        struct sys_rule rule = {.family = AF_INET,
                                .priority = 88,
                                .table = sink.table,
                                .mark = watch.number << MARK_SHIFT,
                                .mask = MARK_MASK,
                                .protocol = SYS_OWNER};
        memcpy(sink.interface, "pl-beta", sizeof("pl-beta"));
        if (rules)
            sys_fake_rule_remove(w->sys, &rule);
        else
            sys_fake_route_remove(w->sys, &sink);
        look(&watch);
        cr_expect_eq(watch.let_out, 0);
        world_free(w);
    }
}

/* ---- drift, as the kernel tells of it ---- */

static void pass_on(const struct sys_event *event, void *context)
{
    struct world *w = context;
    engine_look(w->engine, event);
}

static void hear(struct world *w)
{
    sys_events_read(w->sys, pass_on, w);
}

static void set_down(struct world *w)
{
    sys_fake_link_up(w->sys, "pl-beta", false);
}

static void flush_rules(struct world *w)
{
    remove_where(w, true, false);
}

static void flush_tables(struct world *w)
{
    remove_where(w, false, true);
}

static void switch_off(struct world *w)
{
    sys_fake_sysctl_set(w->sys, "net/ipv4/ip_forward", 0);
}

static void filter(struct world *w)
{
    sys_fake_sysctl_set(w->sys, "net/ipv4/conf/pl-beta/rp_filter", 1);
}

static void be_strict(struct world *w)
{
    sys_fake_sysctl_set(w->sys, "net/ipv4/conf/all/rp_filter", 1);
}

static void add_alien(struct world *w)
{
    struct sys_route alien = {.destination = prefix("203.0.113.0/24"),
                              .table = TABLE_BLOCKED + exit_number(w),
                              .protocol = FOREIGN};
    memcpy(alien.interface, "uplink0", sizeof("uplink0"));
    sys_fake_route_add(w->sys, &alien);
}

static void add_rule(struct world *w)
{
    sys_fake_rule_add(w->sys, &(struct sys_rule){.family = AF_INET,
                                                 .priority = 60,
                                                 .table = SYS_TABLE_MAIN,
                                                 .protocol = SYS_OWNER});
}

Test(routes, events_bring_repair)
{
    void (*const hands[])(struct world * w) = {set_down, flush_rules, flush_tables, switch_off,
                                               filter,   be_strict,   add_alien,    add_rule};
    for (size_t i = 0; i < ARRAY_SIZE(hands); i++) {
        struct world *w = world_with_exit();
        sys_events_fd(w->sys);
        hear(w);
        hands[i](w);
        hear(w);
        cr_expect(world_run(w, 2), "%zu: %s", i, w->trouble.text);
        cr_expect_gt(w->steps.len, 0, "%zu", i);
        expect_right(w);
        cr_expect_eq(world_second_pass(w), 0, "%zu", i);
        world_free(w);
    }
}

/* A setting that no event tells of is found by the sweep. */
Test(routes, sweep_finds_the_rest)
{
    struct world *w = world_with_exit();
    be_strict(w);
    cr_assert(world_run(w, 31));
    engine_look_at_all(w->engine);
    cr_assert(world_run(w, 2), "%s", w->trouble.text);
    sys_fake_sysctl_set(w->sys, "net/ipv4/conf/uplink0/src_valid_mark", 0);
    w->monotonic += SECONDS(31);
    cr_assert(world_run(w, 2), "%s", w->trouble.text);
    long value = 0;
    ERROR_AUTO error = NULL;
    sys_sysctl_get(w->sys, "net/ipv4/conf/uplink0/src_valid_mark", &value, &error);
    cr_expect_eq(value, 1);
    world_free(w);
}

/* ---- keys ---- */

static uint64_t calls(const struct world *w, enum sys_call call)
{
    return sys_counters(w->sys)->calls[call];
}

/* A peer's subnets cost no more than their routes, however many others there are. */
Test(routes, subnets_cost_what_changes)
{
    struct world *w = world_with_exit();
    uint64_t rules = calls(w, SYS_RULE_ADD), sets = calls(w, SYS_ROUTE_SET),
             deletes = calls(w, SYS_ROUTE_DELETE);
    put_peer(w, "phone", 2, "  address: 10.10.0.35\n  subnets: [192.168.8.0/24]\n");
    commit(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_eq(calls(w, SYS_ROUTE_SET) - sets, 2);
    cr_expect_eq(calls(w, SYS_ROUTE_DELETE) - deletes, 2);
    cr_expect_eq(calls(w, SYS_RULE_ADD), rules);
    expect_right(w);

    world_gone(w, "phone.yaml");
    commit(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_eq(calls(w, SYS_ROUTE_DELETE) - deletes, 4);
    expect_right(w);
    world_free(w);
}

/* A subnet that moves from one peer to another in one change is there all the time. */
Test(routes, subnet_moves)
{
    struct world *w = world_with_exit();
    uint64_t deletes = calls(w, SYS_ROUTE_DELETE);
    put_peer(w, "phone", 2, "  address: 10.10.0.35\n");
    put_peer(w, "laptop", 1,
             "  address: 10.10.0.34\n  routeVia: beta\n"
             "  subnets: [192.168.9.0/24]\n");
    commit(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_eq(calls(w, SYS_ROUTE_DELETE), deletes);
    expect_right(w);
    world_free(w);
}

/* ---- others ---- */

static size_t count_foreign(struct world *w)
{
    struct sys_rules rules = {0};
    struct sys_routes routes = {0};
    ERROR_AUTO error = NULL;
    size_t count = 0;
    sys_rule_list(w->sys, &rules, &error);
    sys_route_list(w->sys, 0, 0, &routes, &error);
    for (size_t i = 0; i < rules.count; i++)
        count += rules.list[i].protocol != SYS_OWNER;
    for (size_t i = 0; i < routes.count; i++)
        count += routes.list[i].protocol != SYS_OWNER;
    count += 1000 * (rules.count + routes.count);
    sys_rules_clear(&rules);
    sys_routes_clear(&routes);
    return count;
}

/* Everything of ours goes, and nothing of anybody else's. */
Test(routes, teardown_leaves_the_others)
{
    struct world *w = new_world();
    struct sys_rule other = {
        .family = AF_INET, .priority = 87, .table = 99, .protocol = SYS_OWNER, .other = true};
    sys_fake_rule_add(w->sys, &other);
    sys_fake_rule_add(
        w->sys, &(struct sys_rule){.family = AF_INET6, .priority = 88, .table = 99, .protocol = 3});
    size_t before = count_foreign(w);
    put_all(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_neq(count_foreign(w), before);
    w->model->teardown = true;
    engine_look_at_all(w->engine);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_eq(count_foreign(w), before);
    world_free(w);
}

/* ---- what is told ---- */

static json_t *status_of(const struct world *w, const struct resource *resource)
{
    json_t *status = json_object();
    engine_status(w->engine, resource, status);
    return status;
}

static json_t *routing(json_t *status, const char *what)
{
    return json_object_get(json_object_get(status, "routing"), what);
}

Test(routes, foreign_rules_are_told)
{
    static const struct {
        struct sys_rule rule;
        const char *told; /* NULL: not at all */
    } cases[] = {
        {{.family = AF_INET, .priority = 85, .table = 100, .protocol = FOREIGN},
         "rule 85 lookup 100 (ipv4), protocol 4"},
        {{.family = AF_INET6, .priority = 1, .table = 100, .other = true},
         "rule 1 ... lookup 100 (ipv6), protocol 0"},
        {{.family = AF_INET, .priority = 50, .table = 100, .iif = "pic0"},
         "rule 50 iif pic0 lookup 100 (ipv4), protocol 0"},
        {{.family = AF_INET,
          .priority = 50,
          .table = 100,
          .mask = 0xffff,
          .mark = 1,
          .invert = true},
         "rule 50 not fwmark 0x00000001/0x0000ffff lookup 100 (ipv4), protocol 0"},
        {{.family = AF_INET, .priority = 50, .table = 100, .mask = 0xffff, .mark = 1}, NULL},
        {{.family = AF_INET, .priority = 50, .table = 100, .iif = "eth7"}, NULL},
        {{.family = AF_INET, .priority = 50, .table = 255}, NULL},
        {{.family = AF_INET, .priority = 91, .table = 100}, NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world *w = world_with_exit();
        sys_fake_rule_add(w->sys, &cases[i].rule);
        engine_look_at_all(w->engine);
        cr_assert(world_run(w, 2));
        json_t *status = status_of(w, w->model->cell.resource);
        const char *told = json_string_value(json_array_get(routing(status, "foreignRules"), 0));
        cr_expect_eq(!told, !cases[i].told, "%zu: %s", i, told ? told : "nothing");
        if (told && cases[i].told)
            cr_expect_str_eq(told, cases[i].told);
        cr_expect_eq(json_array_size(routing(status, "problems")), told ? 1 : 0);
        json_decref(status);
        world_free(w);
    }
}

Test(routes, status)
{
    struct world *w = world_with_exit();
    json_t *cell = status_of(w, w->model->cell.resource);
    json_t *link = status_of(w, model_link_by_name(w->model, "beta")->resource);
    MEM_AUTO char *mark = mem_printf("0x%02x000000/0x3f000000", exit_number(w));
    /* 86, 87, 88, 89, and 90 twice, for both families */
    cr_expect_eq(json_integer_value(routing(cell, "rules")), 12);
    /* 870000: two; its own, beta's and phone's prefixes and twins: 4 for IPv4 each; the exit */
    cr_expect_eq(json_integer_value(routing(cell, "routes")), 4 + 2 * 4 + 2);
    cr_expect_eq(json_array_size(routing(cell, "foreignRules")), 0);
    cr_expect_str_eq(json_string_value(json_object_get(link, "exitMark")), mark);
    cr_expect_eq(json_integer_value(json_object_get(link, "exitTable")),
                 TABLE_BLOCKED + exit_number(w));
    json_decref(cell);
    json_decref(link);
    world_free(w);
}

Test(routes, problems_are_told)
{
    struct world *w = world_with_exit();
    sys_fake_uplink_mtu(w->sys, 0);
    sys_fake_sysctl_set(w->sys, "net/ipv6/conf/pic0/disable_ipv6", 1);
    engine_look_at_all(w->engine);
    cr_assert(world_run(w, 2), "%s", w->trouble.text);
    json_t *status = status_of(w, w->model->cell.resource);
    json_t *problems = routing(status, "problems");
    cr_assert_eq(json_array_size(problems), 2);
    cr_expect(strstr(json_string_value(json_array_get(problems, 0)), "no default route"));
    cr_expect(strstr(json_string_value(json_array_get(problems, 1)), "disable_ipv6"));
    json_decref(status);
    world_free(w);
}
