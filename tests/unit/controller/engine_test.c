/*
 * A whole cell over the fake system: what the engine, the model and the reconciler make of a
 * change.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "tests/harness/world.h"

static void put_cell(struct world *w)
{
    world_put(w, "cell.yaml", world_cell);
}

static void put_peer(struct world *w, const char *name, unsigned n, const char *extra)
{
    MEM_AUTO char *text = world_peer(name, n, extra);
    MEM_AUTO char *path = mem_printf("%s.yaml", name);
    world_put(w, path, text);
}

static void commit(struct world *w)
{
    free(world_commit(w));
}

static struct world *world_with(const char *name, const char *extra)
{
    struct world *w = world_new(NULL, NULL);
    put_cell(w);
    put_peer(w, name, 1, extra);
    commit(w);
    return w;
}

static const struct model_peer *peer(const struct world *w, const char *name)
{
    const struct model_peer *p = model_peer_by_name(w->model, name);
    cr_assert_not_null(p, "%s", name);
    return p;
}

static struct ip address(const struct world *w, const char *name)
{
    return peer(w, name)->address;
}

static bool on_device(struct world *w, unsigned n)
{
    json_t *status = json_object();
    struct wgkey k = world_key(n);
    const struct model_peer *p = model_peer_by_key(w->model, &k);
    if (p)
        engine_status(w->engine, p->resource, status);
    bool on = json_is_true(json_object_get(status, "onDevice"));
    json_decref(status);
    return on;
}

/* An address that nobody wrote follows from the name alone: whatever came before, and when all is
 * lost. */
Test(model, given_addresses_are_stable)
{
    struct world *a = world_with("laptop", ""), *b = world_new(NULL, NULL);
    put_cell(b);
    put_peer(b, "phone", 2, "");
    put_peer(b, "laptop", 1, "");
    commit(b);
    struct ip first = address(a, "laptop"), second = address(b, "laptop");
    cr_expect(ip_equal(&first, &second));
    cr_expect(peer(a, "laptop")->address_given);
    world_free(a);
    world_free(b);
}

/* Who wrote an address gets it; who was given it gets another, and both are on the device. */
Test(model, written_goes_before_given)
{
    struct world *w = world_with("laptop", "");
    struct ip was = address(w, "laptop");
    char text[ADDR_TEXT_MAX];
    cr_assert(world_run(w, 10));
    MEM_AUTO char *extra = mem_printf("  address: %s\n", ip_format(&was, text));
    put_peer(w, "phone", 2, extra);
    commit(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    struct ip now = address(w, "laptop"), phone = address(w, "phone");
    cr_expect(ip_equal(&phone, &was));
    cr_expect_not(ip_equal(&now, &was));
    PLAN_AUTO plan;
    world_plan(w, &plan);
    cr_expect_eq(plan.count, 0);
    world_free(w);
}

/* The same for IPv6, which follows from the IPv4 address when it is not written. */
Test(model, written_goes_before_derived)
{
    struct world *w = world_with("laptop", "  address: 10.10.0.34\n");
    cr_assert(world_run(w, 10));
    put_peer(w, "phone", 2, "  address: 10.10.0.35\n  address6: 'fd10:a1fa:ce11::22'\n");
    commit(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_not(ip_equal(&peer(w, "laptop")->address6, &peer(w, "phone")->address6));
    cr_expect_eq(peer(w, "laptop")->allowed_count, 2);
    PLAN_AUTO plan;
    world_plan(w, &plan);
    cr_expect_eq(plan.count, 0);
    world_free(w);
}

/* Renamed with the same key, an unwritten address goes along: it is remembered by key as well. */
Test(model, remembered_by_key)
{
    struct world *w = world_with("laptop", "");
    struct ip was = address(w, "laptop");
    allocations_follow(&w->inputs.allocations, w->model);
    world_gone(w, "laptop.yaml");
    put_peer(w, "notebook", 1, "");
    commit(w);
    struct ip now = address(w, "notebook");
    cr_expect(ip_equal(&was, &now));
    world_free(w);
}

Test(model, a_full_prefix_says_so)
{
    struct world *w = world_new(NULL, NULL);
    world_put(w, "cell.yaml",
              "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: alpha}\nspec:\n"
              "  domain: alpha.cell\n  network: {vpn: 10.10.0.0/29}\n");
    /* Eight addresses: network, cell, broadcast (which is also the services' eighth): five are
     * left. */
    for (unsigned i = 0; i < 6; i++) {
        MEM_AUTO char *name = mem_printf("p%u", i);
        put_peer(w, name, i + 1, "");
    }
    commit(w);
    size_t off = 0;
    for (unsigned i = 0; i < 6; i++) {
        MEM_AUTO char *name = mem_printf("p%u", i);
        off += peer(w, name)->off == PEER_NO_ADDRESS;
    }
    cr_expect_eq(off, 1, "%zu", off);
    cr_expect(world_run(w, 10));
    world_free(w);
}

static const struct {
    const char *extra;
    enum model_off off;
    const char *why;
} reasons[] = {
    {"", PEER_ON, ""},
    {"  enabled: false\n", PEER_DISABLED, "disabled in its manifest"},
    {"  expires: 2020-01-01T00:00:00Z\n", PEER_EXPIRED, "expired on 2020-01-01T00:00:00Z"},
    {"  internet: false\n", PEER_ON, ""},
    {"  access: {peers: [], lan: []}\n", PEER_ON, ""},
    {"  routeVia: beta\n", PEER_ON, ""},
    {"  access: {peers: ['*']}\n  internet: true\n", PEER_ON, ""},
};

Test(model, why_a_peer_is_off)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        struct world *w = world_with("laptop", reasons[i].extra);
        STRBUF_AUTO why = STRBUF_INIT;
        model_off_reason(w->model, peer(w, "laptop"), &why);
        cr_expect_eq(peer(w, "laptop")->off, reasons[i].off, "%s", reasons[i].extra);
        cr_expect_str_eq(why.text, reasons[i].why);
        cr_expect(world_run(w, 10), "%s: %s", reasons[i].extra, w->trouble.text);
        cr_expect_eq(on_device(w, 1), reasons[i].off == PEER_ON, "%s", reasons[i].extra);
        world_free(w);
    }
}

static void mark(void *context, const char *key)
{
    engine_mark(((struct world *)context)->engine, key);
}

/* At its time the peer leaves the device, but not by a clock that has lost its battery. */
Test(model, expiry)
{
    struct world *w = world_with("guest", "  expires: 2027-01-15T09:00:00Z\n");
    int64_t when;
    clock_parse_rfc3339("2027-01-15T09:00:00Z", &when);
    cr_assert(world_run(w, 10));
    cr_expect(on_device(w, 1));
    cr_expect_eq(w->model->next_expiry, when);
    w->realtime = SECONDS(when + 1);
    w->inputs.newest_manifest = when + 86400;
    inputs_refresh(&w->inputs);
    model_expire(w->model, &w->inputs.model, mark, w);
    cr_expect(peer(w, "guest")->off == PEER_ON, "the clock is behind the manifests: not believed");
    w->inputs.newest_manifest = 0;
    w->model->next_expiry = when;
    inputs_refresh(&w->inputs);
    model_expire(w->model, &w->inputs.model, mark, w);
    cr_assert(world_run(w, 10));
    cr_expect_not(on_device(w, 1));
    world_free(w);
}

/* Of all but the firewall, where what is behind peers is everybody's. */
/* Writes that can have touched an interface that is there already. */
static uint64_t interface_writes(const struct world *w)
{
    static const enum sys_call touching[] = {SYS_LINK_SET,    SYS_LINK_DELETE, SYS_ADDR_ADD,
                                             SYS_ADDR_DELETE, SYS_WG_CREATE,   SYS_WG_SET};
    uint64_t writes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(touching); i++)
        writes += sys_counters(w->sys)->calls[touching[i]];
    return writes;
}

static uint64_t other_writes(const struct world *w)
{
    return world_writes(w) - sys_counters(w->sys)->calls[SYS_NFT_COMMIT];
}

static void remove_by_hand(struct world *w, unsigned n)
{
    struct sys_wg_peer_change change = {.public_key = world_key(n), .remove = true};
    sys_fake_wg_set(w->sys, "pic0", NULL, &change, 1);
    w->monotonic += SECONDS(2);
}

static const struct {
    const char *name, *before, *after;
    bool drift_repaired, change_applied;
} modes[] = {
    {"correct", "", "  subnets: [10.9.0.0/24]\n", true, true},
    {"observe", "  reconcile: observe\n", "  reconcile: observe\n  subnets: [10.9.0.0/24]\n", false,
     true},
    {"suspend", "", "  suspend: true\n  subnets: [10.9.0.0/24]\n", false, false},
};

Test(engine, suspend_and_observe)
{
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        struct world *w = world_with("laptop", modes[i].before);
        char key[MODEL_KEY_MAX];
        struct wgkey k = world_key(1);
        cr_assert(world_run(w, 10), "%s", modes[i].name);
        uint64_t writes = other_writes(w);
        put_peer(w, "laptop", 1, modes[i].after);
        commit(w);
        world_run(w, 3);
        cr_expect_eq(other_writes(w) > writes, modes[i].change_applied, "%s", modes[i].name);
        remove_by_hand(w, 1);
        world_run(w, 3);
        w->monotonic += SECONDS(3);
        engine_turn(w->engine);
        world_run(w, 3);
        cr_expect_eq(on_device(w, 1), modes[i].drift_repaired, "%s", modes[i].name);
        const char *trouble = engine_trouble(w->engine, model_peer_key(&k, key));
        cr_expect_eq(trouble == NULL, modes[i].drift_repaired, "%s: %s", modes[i].name,
                     trouble ? trouble : "");
        world_free(w);
    }
}

/* An interface of our name that is not ours is not touched; when it goes, ours comes. */
Test(engine, foreign_interface)
{
    struct world *w = world_with("laptop", "");
    sys_fake_link_add(w->sys, "pic0", "veth", 0, "");
    cr_expect_not(world_run(w, 120));
    cr_expect(strstr(w->trouble.text, "exists and is not ours"), "%s", w->trouble.text);
    cr_expect_eq(interface_writes(w), 0);
    sys_fake_link_remove(w->sys, "pic0");
    engine_look(w->engine, &(struct sys_event){SYS_EVENT_LINK, .interface = "pic0"});
    cr_expect(world_run(w, 120), "%s", w->trouble.text);
    world_free(w);
}

/* Another Cell takes the place of the first, with the same interface: it is taken over, not made
 * again. */
Test(engine, another_cell)
{
    struct world *w = world_with("laptop", "");
    cr_assert(world_run(w, 10));
    world_gone(w, "cell.yaml");
    commit(w);
    store_release(w->store);
    commit(w);
    world_run(w, 10);
    world_put(w, "cell.yaml",
              "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: beta}\nspec:\n"
              "  domain: beta.cell\n  network: {vpn: 10.20.0.0/24}\n");
    commit(w);
    cr_expect(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_eq(w->trouble.len, 0, "%s", w->trouble.text);
    cr_expect_eq(world_second_pass(w), 0);
    world_free(w);
}

/* What the kernel reports may be our own doing: it never makes what fails be tried all the time. */
Test(engine, events_do_not_defeat_the_back_off)
{
    struct world *w = world_with("laptop", "");
    sys_fake_link_add(w->sys, "pic0", "veth", 0, "");
    for (int i = 0; i < 1000; i++) {
        engine_look(w->engine, &(struct sys_event){SYS_EVENT_LINK, .interface = "pic0"});
        engine_turn(w->engine);
        w->monotonic += MILLISECONDS(10);
    }
    size_t tries = 0;
    for (const char *at = w->trouble.text; (at = strstr(at, "is not ours")); at++)
        tries++;
    cr_expect(tries > 0 && tries < 20, "%zu tries in ten seconds", tries);
    world_free(w);
}

/* A taken port costs nothing that works, and heals when it is free again. */
Test(engine, port_taken)
{
    struct world *w = world_with("laptop", "");
    cr_assert(world_run(w, 10));
    sys_fake_port_taken(w->sys, 4000);
    MEM_AUTO char *cell = mem_printf("%s  wireguard: {listenPort: 4000}\n", world_cell);
    world_put(w, "cell.yaml", cell);
    put_peer(w, "phone", 2, "");
    commit(w);
    cr_expect_not(world_run(w, 60));
    cr_expect(strstr(w->trouble.text, "4000"), "%s", w->trouble.text);
    cr_expect(on_device(w, 1), "who was there stays");
    world_free(w);
}

/* The private key's file lost while the interface lives: it is written back, and it is the same. */
Test(identity, written_back_from_the_live_device)
{
    struct world *w = world_with("laptop", "");
    cr_assert(world_run(w, 10));
    struct wgkey before = w->inputs.identity.private_key;
    MEM_AUTO char *file = io_join(w->config.secrets, "wireguard.key");
    MEM_AUTO char *id = io_join(w->config.secrets, "cell.id");
    char *cell_id = mem_strdup(w->inputs.identity.cell_id);
    remove(file);
    remove(id);
    inputs_identify(&w->inputs, store_cell(w->store), IDENTITY_KEEP, w->model);
    cr_expect_null(w->model->hold, "%s", w->model->hold);
    cr_expect(wgkey_equal(&before, &w->inputs.identity.private_key));
    cr_expect_str_eq(cell_id, w->inputs.identity.cell_id);
    cr_expect(io_exists(file) && io_exists(id));
    free(cell_id);
    world_free(w);
}

/* Lost altogether: no new one is made, nothing is changed, and the words say what to do. */
Test(identity, lost)
{
    struct world *w = world_with("laptop", "");
    cr_assert(world_run(w, 10));
    MEM_AUTO char *file = io_join(w->config.secrets, "wireguard.key");
    remove(file);
    sys_fake_link_remove(w->sys, "pic0");
    uint64_t writes = world_writes(w);
    inputs_identify(&w->inputs, store_cell(w->store), IDENTITY_KEEP, w->model);
    cr_assert_not_null(w->model->hold);
    cr_expect(strstr(w->model->hold, "restore the file from a backup"), "%s", w->model->hold);
    engine_look_at_all(w->engine);
    cr_expect_not(world_run(w, 10));
    cr_expect_eq(world_writes(w), writes);
    cr_expect_not(io_exists(file));
    world_free(w);
}

/* Another key in the file than before is not taken in silence. */
Test(identity, replaced)
{
    struct world *w = world_with("laptop", "");
    struct wgkey other;
    char text[WGKEY_TEXT_LEN + 1];
    ERROR_AUTO error = NULL;
    cr_assert(world_run(w, 10));
    wgkey_generate_private(&other);
    wgkey_format(&other, text);
    cr_assert_eq(io_write_secret(w->config.secrets, "wireguard.key", text, WGKEY_TEXT_LEN, &error),
                 0);
    inputs_identify(&w->inputs, store_cell(w->store), IDENTITY_KEEP, w->model);
    cr_assert_not_null(w->model->hold);
    cr_expect(strstr(w->model->hold, "is another than before"), "%s", w->model->hold);
    cr_expect_null(strstr(w->model->hold, text), "the key itself is never said");
    world_free(w);
}
