/*
 * Fail the Nth call: every scenario, every call of it through the boundary, every error. Afterwards
 * it always converges, a second pass writes nothing, and what is not ours is as it was. Then the
 * same with a kill instead of an error: a fresh process wakes up beside what the dead one left.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/harness/world.h"

#define PEER(name, key, extra)                                                                     \
    "---\napiVersion: pic/v1\nkind: Peer\nmetadata: {name: " name "}\nspec:\n  publicKey: " key    \
    "\n" extra
#define KEY_1 "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_2 "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_3 "AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define LAPTOP PEER("laptop", KEY_1, "  address: 10.10.0.34\n")
#define PHONE PEER("phone", KEY_2, "  address: 10.10.0.35\n")
#define LINK(networks)                                                                             \
    "---\napiVersion: pic/v1\nkind: Link\nmetadata: {name: beta}\nspec:\n  publicKey: "            \
    "EgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n  vpn: 10.20.0.0/24\n  domain: beta.cell\n"     \
    "  endpoint: 203.0.113.9:51821\n  networks: [" networks "]\n"

static void remove_link(struct world *w)
{
    sys_fake_link_remove(w->sys, "pic0");
}

static void meddle(struct world *w)
{
    struct prefix alien;
    struct sys_wg_peer_change change = {.public_key = world_key(1), .remove = true};
    struct sys_wg_device_change device = {.set_listen_port = true, .listen_port = 4000};
    prefix_parse("192.168.7.1/24", &alien);
    sys_fake_addr_add(w->sys, "pic0", &alien, 0);
    sys_fake_wg_set(w->sys, "pic0", &device, &change, 1);
}

static void tear_down(struct world *w)
{
    w->model->teardown = true;
    engine_mark(w->engine, MODEL_KEY_CELL);
}

static const struct scenario {
    const char *name, *before, *after;
    void (*hands)(struct world *world);
} scenarios[] = {
    {"a fresh start", NULL, LAPTOP PHONE, NULL},
    {"a peer more", LAPTOP, LAPTOP PHONE, NULL},
    {"a peer less", LAPTOP PHONE, LAPTOP, NULL},
    {"addresses exchanged", LAPTOP PHONE,
     PEER("laptop", KEY_1, "  address: 10.10.0.35\n")
         PEER("phone", KEY_2, "  address: 10.10.0.34\n"),
     NULL},
    {"a new key", LAPTOP, PEER("laptop", KEY_3, "  address: 10.10.0.34\n"), NULL},
    {"the interface gone", LAPTOP PHONE, NULL, remove_link},
    {"somebody's hands", LAPTOP PHONE, NULL, meddle},
    {"a link more", LAPTOP, LAPTOP LINK(""), NULL},
    {"a link less", LAPTOP LINK(""), LAPTOP, NULL},
    {"a link's networks", LINK("10.30.0.0/16"), LINK("10.31.0.0/16"), NULL},
    {"teardown", LAPTOP PHONE LINK(""), NULL, tear_down},
};

static const int errors[] = {EINTR,   EBUSY, EEXIST, ENOENT,   ENODEV,
                             ENOBUFS, EPERM, ENOSPC, ETIMEDOUT};
static const enum sys_fault_kind kinds_of_fault[] = {SYS_FAULT_BEFORE, SYS_FAULT_AFTER,
                                                     SYS_FAULT_SHORT};

static void put(struct world *w, const char *peers)
{
    MEM_AUTO char *text = mem_printf("%s%s", world_cell, peers ? peers : "");
    world_put(w, "all.yaml", text);
    free(world_commit(w));
}

static struct world *prepare(const struct scenario *s)
{
    struct world *w = world_new(NULL, NULL);
    struct prefix foreign;
    prefix_parse("198.51.100.2/24", &foreign);
    sys_fake_link_add(w->sys, "eth9", "veth", 0, "");
    sys_fake_addr_add(w->sys, "eth9", &foreign, 0);
    if (s->before) {
        put(w, s->before);
        cr_assert(world_run(w, 10), "%s: %s", s->name, w->trouble.text);
    }
    return w;
}

static void begin(struct world *w, const struct scenario *s)
{
    if (s->hands)
        s->hands(w);
    if (s->after)
        put(w, s->after);
    engine_look_at_all(w->engine);
}

static void check_foreign(struct world *w, const char *what)
{
    struct sys_link link;
    struct sys_addrs addrs = {0};
    ERROR_AUTO error = NULL;
    cr_assert_eq(sys_link_get(w->sys, "eth9", &link, &error), 0, "%s: foreign link gone", what);
    cr_expect_eq(link.group, 0, "%s: foreign link changed", what);
    cr_assert_eq(sys_addr_list(w->sys, link.index, &addrs, &error), 0);
    cr_expect_eq(addrs.count, 1, "%s: foreign addresses changed", what);
    sys_addrs_clear(&addrs);
}

static void check_end(struct world *w, const char *what)
{
    PLAN_AUTO plan;
    STRBUF_AUTO text = STRBUF_INIT;
    cr_assert(world_run(w, 300), "%s: does not converge: %s", what, w->trouble.text);
    world_plan(w, &plan);
    plan_print(&plan, &text);
    cr_expect_eq(plan.count, 0, "%s: left to do: %s", what, text.text);
    cr_expect_eq(world_second_pass(w), 0, "%s: the second pass writes", what);
    check_foreign(w, what);
}

/* One run with one failure; false: the scenario makes fewer calls than n. */
static bool fail_nth(const struct scenario *s, unsigned n, int errnum, enum sys_fault_kind kind)
{
    struct world *w = prepare(s);
    MEM_AUTO char *what =
        mem_printf("%s, call %u, %s, kind %d", s->name, n, strerror(errnum), kind);
    uint64_t before = sys_counters(w->sys)->failures;

    begin(w, s);
    sys_fault(w->sys, n, errnum, kind);
    world_run(w, 300);
    bool reached = sys_counters(w->sys)->failures > before;
    sys_fault(w->sys, 0, 0, SYS_FAULT_BEFORE);
    check_end(w, what);
    world_free(w);
    return reached;
}

Test(fault, every_call_fails_once, .timeout = 500)
{
    size_t cases = 0;
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
        for (size_t e = 0; e < ARRAY_SIZE(errors); e++)
            for (size_t k = 0; k < ARRAY_SIZE(kinds_of_fault); k++)
                for (unsigned n = 1; fail_nth(&scenarios[i], n, errors[e], kinds_of_fault[k]); n++)
                    cases++;
    printf("%zu failures injected\n", cases);
    cr_expect_gt(cases, 1000);
}

/* Turns until the fault has struck; the process is gone at that moment. */
static bool kill_at(const struct scenario *s, unsigned n, enum sys_fault_kind kind)
{
    struct world *w = prepare(s);
    uint64_t before = sys_counters(w->sys)->failures;
    struct sys *sys;
    char *directory;
    MEM_AUTO char *what = mem_printf("%s, killed at call %u, kind %d", s->name, n, kind);

    begin(w, s);
    sys_fault(w->sys, n, EIO, kind);
    for (int turn = 0; turn < 100 && sys_counters(w->sys)->failures == before; turn++)
        engine_turn(w->engine);
    bool reached = sys_counters(w->sys)->failures > before;
    bool teardown = w->model->teardown;
    sys_fault(w->sys, 0, 0, SYS_FAULT_BEFORE);
    world_kill(w, &sys, &directory);

    w = world_new(sys, directory);
    put(w, s->after ? s->after : s->before);
    w->model->teardown = teardown;
    check_end(w, what);
    world_free(w);
    return reached;
}

Test(fault, killed_at_every_call, .timeout = 300)
{
    size_t cases = 0;
    for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
        for (size_t k = 0; k < ARRAY_SIZE(kinds_of_fault); k++)
            for (unsigned n = 1; kill_at(&scenarios[i], n, kinds_of_fault[k]); n++)
                cases++;
    printf("%zu kills\n", cases);
    cr_expect_gt(cases, 100);
}
