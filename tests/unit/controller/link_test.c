/*
 * Interfaces of links over the fake system: each fails, heals and goes by itself.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/wireguard/wireguard.h"
#include "schema/base/mem.h"
#include "tests/harness/world.h"

enum { KEY_BETA = 18, KEY_GAMMA = 19 };

static void put_link(struct world *w, const char *name, unsigned n, const char *extra)
{
    struct wgkey key = world_key(n);
    char text[WGKEY_TEXT_LEN + 1];
    MEM_AUTO char *manifest =
        mem_printf("apiVersion: pic/v1\nkind: Link\nmetadata: {name: %s}\nspec:\n  publicKey: %s\n"
                   "  vpn: 10.%u.0.0/24\n  domain: %s.cell\n  endpoint: 203.0.113.9:5182%u\n%s",
                   name, wgkey_format(&key, text), n, name, n % 10, extra);
    MEM_AUTO char *path = mem_printf("%s.yaml", name);
    world_put(w, path, manifest);
}

static void put_cell(struct world *w, const char *extra)
{
    MEM_AUTO char *text = mem_printf("%s%s", world_cell, extra);
    world_put(w, "cell.yaml", text);
}

static struct world *world_with_beta(void)
{
    struct world *w = world_new(NULL, NULL);
    put_cell(w, "");
    put_link(w, "beta", KEY_BETA, "");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    strbuf_reset(&w->steps);
    return w;
}

static bool exists(struct world *w, const char *name)
{
    struct sys_link link;
    ERROR_AUTO error = NULL;
    return sys_link_get(w->sys, name, &link, &error) == 0;
}

static json_t *status_of(struct world *w, const char *link)
{
    json_t *status = json_object();
    engine_status(w->engine, model_link_by_name(w->model, link)->resource, status);
    return status;
}

static const char *trouble_of(struct world *w, const char *link)
{
    char interface[IFNAMSIZ], key[MODEL_KEY_MAX];
    return engine_trouble(w->engine, model_link_key(model_link_interface(link, interface), key));
}

static void expect_endpoint(struct world *w, const char *text, const char *source)
{
    json_t *status = status_of(w, "beta");
    cr_expect_str_eq(json_string_value(json_object_get(status, "endpoint")), text);
    cr_expect_str_eq(json_string_value(json_object_get(status, "endpointSource")), source);
    json_decref(status);
}

static void roam(struct world *w)
{
    struct wgkey key = world_key(KEY_BETA);
    struct ip ip;
    ip_parse("203.0.113.7", &ip);
    sys_fake_wg_roam(w->sys, "pl-beta", &key, &ip, 1234);
    cr_assert_eq(world_second_pass(w), 0, "%s", w->steps.text);
}

Test(link, status)
{
    struct world *w = world_with_beta();
    json_t *status = status_of(w, "beta");
    cr_expect_str_eq(json_string_value(json_object_get(status, "interface")), "pl-beta");
    cr_expect_eq(json_integer_value(json_object_get(status, "listenPort")),
                 model_link_by_name(w->model, "beta")->listen_port);
    cr_expect_eq(json_integer_value(json_object_get(status, "mtu")), 1420);
    cr_expect(json_is_true(json_object_get(status, "up")));
    cr_expect(json_is_true(json_object_get(status, "onDevice")));
    cr_expect_null(json_object_get(status, "lastHandshake"));
    json_decref(status);
    expect_endpoint(w, "203.0.113.9:51828", "manifest");
    world_free(w);
}

/* Another change of the Link does not call a peer back that has roamed; its endpoint's does. */
Test(link, roaming_peer_keeps_its_endpoint)
{
    struct world *w = world_with_beta();
    roam(w);
    expect_endpoint(w, "203.0.113.7:1234", "roamed");
    put_link(w, "beta", KEY_BETA, "  keepalive: 0\n");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect(strstr(w->steps.text, "keepalive"), "%s", w->steps.text);
    expect_endpoint(w, "203.0.113.7:1234", "roamed");
    world_put(w, "beta.yaml",
              "apiVersion: pic/v1\nkind: Link\nmetadata: {name: beta}\nspec:\n"
              "  publicKey: EgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n"
              "  vpn: 10.18.0.0/24\n  domain: beta.cell\n  endpoint: 203.0.113.10:1000\n");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    expect_endpoint(w, "203.0.113.10:1000", "manifest");
    world_free(w);
}

/* A new process does not call it back either: the manifest is as it was carried out. */
Test(link, roaming_peer_survives_a_restart)
{
    struct world *w = world_with_beta();
    struct sys *sys;
    char *directory;
    roam(w);
    world_kill(w, &sys, &directory);
    w = world_new(sys, directory);
    put_cell(w, "");
    put_link(w, "beta", KEY_BETA, "");
    free(world_commit(w));
    uint64_t writes = world_writes(w);
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_eq(world_writes(w), writes, "%s", w->steps.text);
    world_free(w);
}

/* A link that went from the manifests while nobody looked goes from the system too. */
Test(link, removed_while_picd_was_down)
{
    struct world *w = world_with_beta();
    struct sys *sys;
    char *directory;
    world_kill(w, &sys, &directory);
    w = world_new(sys, directory);
    put_cell(w, "");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_not(exists(w, "pl-beta"), "%s", w->steps.text);
    cr_expect(exists(w, "pic0"));
    world_free(w);
}

/* The uplink has another address: wireguard-go is told every peer's endpoint once more, the one
 * that it roamed to. */
Test(link, our_address_changed)
{
    struct world *w = world_with_beta();
    struct prefix former, next;
    prefix_parse("198.51.100.2/24", &former);
    prefix_parse("198.51.100.77/24", &next);
    MEM_AUTO char *peer = world_peer("laptop", 1, "");
    MEM_AUTO char *silent = world_peer("phone", 2, "");
    world_put(w, "laptop.yaml", peer);
    world_put(w, "phone.yaml", silent);
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    struct wgkey key = world_key(1);
    struct ip ip = next.ip;
    sys_fake_wg_roam(w->sys, "pic0", &key, &ip, 4242);
    roam(w);

    strbuf_reset(&w->steps);
    sys_fake_addr_add(w->sys, "uplink0", &next, 0);
    sys_fake_addr_remove(w->sys, "uplink0", &former); /* the last one would take the routes along */
    world_second_pass(w);
    cr_expect_str_eq(w->steps.text, "~ peer laptop                      drifted\n"
                                    "    our address: 198.51.100.77\n"
                                    "~ peer of pl-beta                  drifted\n"
                                    "    our address: 198.51.100.77\n");
    expect_endpoint(w, "203.0.113.7:1234", "roamed");
    cr_expect_eq(world_second_pass(w), 0, "once");
    world_free(w);
}

/* No way to the internet and then the first one: nobody talks from a former address. */
Test(link, our_address_came)
{
    struct world *w = world_with_beta();
    sys_fake_uplink_mtu(w->sys, 0);
    put_link(w, "gamma", KEY_GAMMA, "");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    sys_fake_uplink_mtu(w->sys, 1500);
    cr_expect_eq(world_second_pass(w), 0, "%s", w->steps.text);
    world_free(w);
}

static const struct step *step_of(const struct plan *plan, const char *object)
{
    size_t i = 0;
    while (i < plan->count && strcmp(plan->steps[i].object, object) != 0)
        i++;
    cr_assert_lt(i, plan->count, "no step \"%s\"", object);
    return &plan->steps[i];
}

static void put_peer(struct world *w, const char *name, unsigned n, const char *extra)
{
    MEM_AUTO char *text = world_peer(name, n, extra);
    MEM_AUTO char *path = mem_printf("%s.yaml", name);
    world_put(w, path, text);
}

static const struct {
    const char *object;
    bool last, guarded;
} waiting[] = {
    {"interface pl-gamma", false, false}, {"peer of pl-gamma", true, false},
    {"peer of pl-beta", false, false}, /* allowed less */
    {"peer laptop", true, false},      /* allowed more */
    {"peer phone", false, false},      /* goes */
    {"peer guest", true, true},        /* restricted */
};

/* What comes or may do more waits until the others have done their part; what goes does not. */
Test(link, what_waits)
{
    struct world *w = world_new(NULL, NULL);
    PLAN_AUTO plan;
    w->model->enforcers = UINT64_MAX;
    put_cell(w, "");
    put_link(w, "beta", KEY_BETA, "  networks: [10.30.0.0/16]\n");
    put_peer(w, "laptop", 1, "");
    put_peer(w, "phone", 2, "");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    put_link(w, "beta", KEY_BETA, "");
    put_link(w, "gamma", KEY_GAMMA, "");
    put_peer(w, "laptop", 1, "  subnets: [10.9.0.0/24]\n");
    put_peer(w, "phone", 2, "  enabled: false\n");
    put_peer(w, "guest", 3, "  internet: false\n");
    free(world_commit(w));
    world_plan_of(w, &reconciler_wireguard, &plan);
    for (size_t i = 0; i < ARRAY_SIZE(waiting); i++) {
        const struct step *step = step_of(&plan, waiting[i].object);
        cr_expect_eq(step->last, waiting[i].last, "%s", step->object);
        cr_expect_eq(step->guarded, waiting[i].guarded, "%s", step->object);
    }
    for (size_t i = 1; i < plan.count; i++)
        cr_expect(plan.steps[i].last >= plan.steps[i - 1].last, "%s", plan.steps[i].object);
    world_free(w);
}

static const struct {
    enum sys_event_type type;
    const char *interface;
    bool concerns;
} events[] = {
    {SYS_EVENT_LINK, "pic0", true},     {SYS_EVENT_ADDRESS, "pic0", true},
    {SYS_EVENT_LINK, "pl-beta", true},  {SYS_EVENT_ADDRESS, "pl-beta", true},
    {SYS_EVENT_LINK, "pl-other", true}, {SYS_EVENT_LINK, "", true},
    {SYS_EVENT_LINK, "eth0", false},    {SYS_EVENT_ADDRESS, "eth0", false},
    {SYS_EVENT_ROUTE, "", false},       {SYS_EVENT_LOST, "", true},
};

Test(link, events)
{
    struct world *w = world_with_beta();
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        struct sys_event event = {.type = events[i].type};
        snprintf(event.interface, sizeof(event.interface), "%s", events[i].interface);
        cr_expect_eq(reconciler_wireguard.concerned(w->model, &event), events[i].concerns, "%d %s",
                     events[i].type, events[i].interface);
    }
    world_free(w);
}

static const struct {
    const char *name, *extra;
    bool stays;
} cells[] = {
    {"another interface", "  wireguard: {interface: wg-home}\n", false},
    {"another port", "  wireguard: {listenPort: 4000}\n", true},
};

/* The Cell's interface under another name; links stay what they are. */
Test(link, cell_renamed_its_interface)
{
    for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
        struct world *w = world_with_beta();
        put_cell(w, cells[i].extra);
        free(world_commit(w));
        cr_assert(world_run(w, 10), "%s: %s", cells[i].name, w->trouble.text);
        cr_expect_eq(exists(w, "pic0"), cells[i].stays, "%s", cells[i].name);
        cr_expect_eq(exists(w, "wg-home"), !cells[i].stays, "%s", cells[i].name);
        cr_expect(exists(w, "pl-beta"), "%s", cells[i].name);
        cr_expect_null(strstr(w->steps.text, "pl-beta"), "%s", w->steps.text);
        cr_expect_eq(world_second_pass(w), 0, "%s", cells[i].name);
        world_free(w);
    }
}

static void take_port(struct world *w)
{
    sys_fake_port_taken(w->sys, 4000);
}

static void take_name(struct world *w)
{
    sys_fake_link_add(w->sys, "pl-gamma", "veth", 0, "");
}

static const struct {
    const char *name;
    void (*hands)(struct world *w);
    const char *words;
} mishaps[] = {
    {"port taken", take_port, "4000"},
    {"name taken", take_name, "exists and is not ours"},
};

/* What one link cannot have costs the others nothing: neither peers nor links. */
Test(link, fails_alone)
{
    for (size_t i = 0; i < ARRAY_SIZE(mishaps); i++) {
        struct world *w = world_with_beta();
        mishaps[i].hands(w);
        put_link(w, "gamma", KEY_GAMMA, "  listenPort: 4000\n");
        put_link(w, "delta", 20, "");
        MEM_AUTO char *peer = world_peer("laptop", 1, "");
        world_put(w, "laptop.yaml", peer);
        free(world_commit(w));
        cr_expect_not(world_run(w, 20), "%s", mishaps[i].name);
        const char *trouble = trouble_of(w, "gamma");
        cr_expect(trouble && strstr(trouble, mishaps[i].words), "%s: %s", mishaps[i].name, trouble);
        cr_expect_null(trouble_of(w, "delta"), "%s", mishaps[i].name);
        cr_expect(exists(w, "pl-delta"), "%s", mishaps[i].name);
        cr_expect(model_peer_by_name(w->model, "laptop")->applied, "%s", mishaps[i].name);
        cr_expect_not(model_link_by_name(w->model, "gamma")->applied, "%s", mishaps[i].name);
        world_free(w);
    }
}

/* The secret that a link misses: it stays as it is. Disabled: it goes. */
Test(link, off)
{
    struct world *w = world_with_beta();
    put_link(w, "beta", KEY_BETA, "  presharedKey: {file: beta.psk}\n");
    free(world_commit(w));
    uint64_t writes = world_writes(w);
    world_run(w, 10);
    cr_expect_eq(model_link_by_name(w->model, "beta")->off, LINK_NO_SECRET);
    cr_expect_eq(world_writes(w), writes, "%s", w->steps.text);
    cr_expect(exists(w, "pl-beta"));
    put_link(w, "beta", KEY_BETA, "  enabled: false\n");
    free(world_commit(w));
    cr_assert(world_run(w, 10), "%s", w->trouble.text);
    cr_expect_not(exists(w, "pl-beta"));
    world_free(w);
}
