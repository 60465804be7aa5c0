/*
 * Whole behaviours: manifests before, somebody's hands, manifests after → the plan, word for word.
 * The expected plans lie in tests/golden/plans; PIC_REGENERATE=1 writes them anew.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/io.h"
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

static struct prefix prefix(const char *text)
{
    struct prefix p;
    cr_assert_eq(prefix_parse(text, &p), 0);
    return p;
}

static void change_peer(struct world *w, struct sys_wg_peer_change change, unsigned n)
{
    change.public_key = world_key(n);
    sys_fake_wg_set(w->sys, "pic0", NULL, &change, 1);
}

static void remove_laptop(struct world *w)
{
    change_peer(w, (struct sys_wg_peer_change){.remove = true}, 1);
}

static void add_stranger(struct world *w)
{
    struct prefix p = prefix("10.10.0.99/32");
    change_peer(
        w, (struct sys_wg_peer_change){.create = true, .allowed_add = &p, .allowed_add_count = 1},
        7);
}

static void steal_address(struct world *w)
{
    struct prefix p = prefix("10.10.0.34/32");
    change_peer(
        w, (struct sys_wg_peer_change){.create = true, .allowed_add = &p, .allowed_add_count = 1},
        2);
}

static void change_laptop(struct world *w)
{
    change_peer(w,
                (struct sys_wg_peer_change){.set_keepalive = true,
                                            .keepalive = 10,
                                            .set_preshared_key = true,
                                            .preshared_key = world_key(9)},
                1);
}

static void roam(struct world *w)
{
    struct wgkey key = world_key(1);
    struct ip ip;
    ip_parse("203.0.113.7", &ip);
    sys_fake_wg_roam(w->sys, "pic0", &key, &ip, 1234);
}

static void change_device(struct world *w)
{
    struct sys_wg_device_change change = {.set_listen_port = true,
                                          .listen_port = 4000,
                                          .set_fwmark = true,
                                          .fwmark = 5,
                                          .set_private_key = true,
                                          .private_key = world_key(8)};
    sys_fake_wg_set(w->sys, "pic0", &change, NULL, 0);
}

static void change_addresses(struct world *w)
{
    struct prefix own = prefix("10.10.0.1/24"), alien = prefix("192.168.7.1/24");
    sys_fake_addr_remove(w->sys, "pic0", &own);
    sys_fake_addr_add(w->sys, "pic0", &alien, 0);
}

static void change_link(struct world *w)
{
    struct sys_link link;
    ERROR_AUTO error = NULL;
    sys_link_get(w->sys, "pic0", &link, &error);
    struct sys_link_change change = {
        .set_mtu = true, .mtu = 1300, .set_up = true, .set_alias = true, .alias = "mine"};
    sys_link_set(w->sys, link.index, &change, &error);
}

static void remove_link(struct world *w)
{
    sys_fake_link_remove(w->sys, "pic0");
}

static void tear_down(struct world *w)
{
    w->model->teardown = true;
}

static const struct {
    const char *name, *before, *after; /* NULL: nothing; after NULL: as before */
    void (*hands)(struct world *world);
} cases[] = {
    {"fresh", NULL, LAPTOP PHONE, NULL},
    {"converged", LAPTOP PHONE, NULL, NULL},
    {"peer-added", LAPTOP, LAPTOP PHONE, NULL},
    {"peer-removed", LAPTOP PHONE, LAPTOP, NULL},
    {"peer-address", LAPTOP, PEER("laptop", KEY_1, "  address: 10.10.0.36\n"), NULL},
    {"peer-rekeyed", LAPTOP, PEER("laptop", KEY_3, "  address: 10.10.0.34\n"), NULL},
    {"peers-exchange-addresses", LAPTOP PHONE,
     PEER("laptop", KEY_1, "  address: 10.10.0.35\n")
         PEER("phone", KEY_2, "  address: 10.10.0.34\n"),
     NULL},
    {"peer-disabled", LAPTOP PHONE,
     LAPTOP PEER("phone", KEY_2, "  address: 10.10.0.35\n  enabled: false\n"), NULL},
    {"peer-subnets", LAPTOP,
     PEER("laptop", KEY_1, "  address: 10.10.0.34\n  subnets: [10.9.0.0/24]\n"), NULL},
    {"peer-unconfined", LAPTOP, LAPTOP PEER("guest", KEY_3, "  access: {peers: []}\n"), NULL},
    {"peer-expired", LAPTOP, LAPTOP PEER("guest", KEY_3, "  expires: 2020-01-01T00:00:00Z\n"),
     NULL},
    {"drift-peer-removed", LAPTOP PHONE, NULL, remove_laptop},
    {"drift-stranger", LAPTOP, NULL, add_stranger},
    {"drift-address-stolen", LAPTOP PHONE, NULL, steal_address},
    {"drift-peer-changed", LAPTOP, NULL, change_laptop},
    {"roaming-is-no-drift", LAPTOP, NULL, roam},
    {"drift-device", LAPTOP, NULL, change_device},
    {"drift-addresses", LAPTOP, NULL, change_addresses},
    {"drift-link", LAPTOP, NULL, change_link},
    {"drift-interface-gone", LAPTOP PHONE, NULL, remove_link},
    {"drift-and-pending", LAPTOP PHONE,
     LAPTOP PHONE PEER("tablet", KEY_3, "  address: 10.10.0.36\n"), remove_laptop},
    {"teardown", LAPTOP, NULL, tear_down},
};

static void put(struct world *w, const char *peers)
{
    MEM_AUTO char *text = mem_printf("%s%s", world_cell, peers ? peers : "");
    world_put(w, "all.yaml", text);
    free(world_commit(w));
}

/* The private key is made anew each time and is never in a plan; the id is the only thing that
 * varies. */
static void mask_id(const struct world *w, struct strbuf *text)
{
    char *at;
    while (*w->inputs.identity.cell_id && (at = strstr(text->text, w->inputs.identity.cell_id)))
        memset(at, 'x', 32);
}

static void check(const char *name, const struct strbuf *is)
{
    MEM_AUTO char *path = mem_printf("tests/golden/plans/%s.txt", name);
    STRBUF_AUTO expected = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    if (getenv("PIC_REGENERATE")) {
        struct io_write_options options = {.mode = 0644};
        io_write_atomic(path, is->text, is->len, &options, &error);
        return;
    }
    cr_assert_eq(io_read(path, 1 << 20, &expected, &error), 0, "%s", error ? error->message : "");
    cr_expect_str_eq(is->text, expected.text, "%s:\n%s", name, is->text);
}

Test(golden, plans)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world *w = world_new(NULL, NULL);
        PLAN_AUTO plan;
        STRBUF_AUTO text = STRBUF_INIT;
        if (cases[i].before) {
            put(w, cases[i].before);
            cr_assert(world_run(w, 10), "%s: %s", cases[i].name, w->trouble.text);
        }
        if (cases[i].hands)
            cases[i].hands(w);
        if (cases[i].after)
            put(w, cases[i].after);
        world_plan(w, &plan);
        plan_print(&plan, &text);
        mask_id(w, &text);
        check(cases[i].name, &text);
        world_free(w);
    }
}

/* Carrying out each of these plans leaves nothing to do, and a second pass writes nothing. */
Test(golden, plans_converge)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world *w = world_new(NULL, NULL);
        put(w, cases[i].before);
        world_run(w, 10);
        if (cases[i].hands)
            cases[i].hands(w);
        if (cases[i].after)
            put(w, cases[i].after);
        engine_look(w->engine, NULL);
        cr_expect(world_run(w, 60), "%s: %s", cases[i].name, w->trouble.text);
        PLAN_AUTO plan;
        world_plan(w, &plan);
        cr_expect_eq(plan.count, 0, "%s: %zu steps left", cases[i].name, plan.count);
        cr_expect_eq(world_second_pass(w), 0, "%s: writes in the second pass", cases[i].name);
        world_free(w);
    }
}
