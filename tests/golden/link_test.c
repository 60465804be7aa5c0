/* What becomes of the interfaces of links. */
#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/golden/golden.h"

#define LINK(name, key, vpn, extra)                                                                \
    "---\napiVersion: pic/v1\nkind: Link\nmetadata: {name: " name "}\nspec:\n  publicKey: " key    \
    "\n  vpn: " vpn "\n  domain: " name ".cell\n" extra
#define KEY_BETA "EgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_OTHER "EwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define BETA_VPN "10.20.0.0/24"
#define BETA LINK("beta", KEY_BETA, BETA_VPN, "  endpoint: 203.0.113.9:51821\n")

static void roam_beta(struct world *w)
{
    struct wgkey key = world_key(0x12);
    struct ip ip;
    ip_parse("203.0.113.7", &ip);
    sys_fake_wg_roam(w->sys, "pl-beta", &key, &ip, 1234);
}

static void change_beta(struct world *w)
{
    struct prefix p = golden_prefix("0.0.0.0/0");
    struct sys_wg_peer_change changes[] = {
        {.public_key = world_key(0x12), .set_keepalive = true},
        {.public_key = world_key(7), .create = true, .allowed_add = &p, .allowed_add_count = 1},
    };
    sys_fake_wg_set(w->sys, "pl-beta", NULL, changes, ARRAY_SIZE(changes));
}

static void remove_beta(struct world *w)
{
    sys_fake_link_remove(w->sys, "pl-beta");
}

static void add_stray(struct world *w)
{
    MEM_AUTO char *alias = mem_printf("pic:%s", w->inputs.identity.cell_id);
    sys_fake_link_add(w->sys, "pl-old", "tun", SYS_OWNER, alias);
    sys_fake_link_add(w->sys, "pl-older", "tun", SYS_OWNER, "");
}

/* Their name, their group, their kind: only their alias says whose they are. */
static void add_foreign(struct world *w)
{
    sys_fake_link_add(w->sys, "pl-gamma", "tun", SYS_OWNER, "pic:00000000000000000000000000000000");
    sys_fake_link_add(w->sys, "pl-delta", "tun", 0, "");
    sys_fake_link_add(w->sys, "pl-veth", "veth", SYS_OWNER, "");
}

static void take_name(struct world *w)
{
    sys_fake_link_add(w->sys, "pl-beta", "veth", 0, "");
}

/* The other cell offers its exit, and all that a routed peer needs is enforced here. */
static int offer(void *context, const char *link, struct sync_document *ret, struct error **reterr)
{
    const struct inputs *inputs = context;
    (void)link, (void)reterr;
    *ret = (struct sync_document){
        .cell = "beta",
        .domain = "beta.cell",
        .public_key = world_key(0x12),
        .valid_for = 3600,
        .vpn = golden_prefix(BETA_VPN),
        .exit = {.offered = true, .ready = true},
        .received = inputs->model.now,
    };
    return 0;
}

static struct world *new_world(void)
{
    struct world *w = world_new(NULL, NULL);
    w->model->enforcers = UINT64_MAX;
    w->inputs.model.document = offer;
    return w;
}

static void tear_down(struct world *w)
{
    w->model->teardown = true;
}

static const struct golden cases[] = {
    {"link-fresh", NULL, LAPTOP BETA, NULL},
    {"link-added", LAPTOP, LAPTOP BETA, NULL},
    {"link-converged", LAPTOP BETA, NULL, NULL},
    {"link-removed", LAPTOP BETA, LAPTOP, NULL},
    {"link-disabled", BETA,
     LINK("beta", KEY_BETA, BETA_VPN, "  endpoint: 203.0.113.9:51821\n  enabled: false\n"), NULL},
    {"link-endpoint", BETA, LINK("beta", KEY_BETA, BETA_VPN, "  endpoint: 203.0.113.10:51821\n"),
     NULL},
    {"link-endpoint-unknown", LAPTOP,
     LAPTOP LINK("beta", KEY_BETA, BETA_VPN, "  endpoint: beta.example:51821\n"), NULL},
    {"link-rekeyed", BETA, LINK("beta", KEY_OTHER, BETA_VPN, "  endpoint: 203.0.113.9:51821\n"),
     NULL},
    {"link-networks", BETA,
     LINK("beta", KEY_BETA, BETA_VPN,
          "  endpoint: 203.0.113.9:51821\n  networks: [10.30.0.0/16]\n"),
     NULL},
    {"link-networks-given-back",
     LINK("beta", KEY_BETA, BETA_VPN,
          "  endpoint: 203.0.113.9:51821\n  networks: [10.30.0.0/16]\n"),
     BETA, NULL},
    {"link-roaming-is-no-drift", BETA, NULL, roam_beta},
    {"link-drift", LAPTOP BETA, NULL, change_beta},
    {"link-drift-interface-gone", LAPTOP BETA, NULL, remove_beta},
    {"link-stray", LAPTOP BETA, NULL, add_stray},
    {"link-foreign", LAPTOP BETA, NULL, add_foreign},
    {"link-exit-taken", LAPTOP BETA,
     PEER("laptop", KEY_1, "  address: 10.10.0.34\n  routeVia: beta\n") BETA, NULL},
    {"link-exit-given-back",
     PEER("laptop", KEY_1, "  address: 10.10.0.34\n  routeVia: beta\n") BETA, LAPTOP BETA, NULL},
    {"link-teardown", LAPTOP BETA, NULL, tear_down},
};

Test(golden, links)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        golden_plan(new_world(), &cases[i]);
}

Test(golden, links_converge)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        golden_converges(new_world(), &cases[i]);
}

/* A foreign interface of the name that a link needs stops this link alone. */
Test(golden, link_name_taken)
{
    static const struct golden taken = {
        "link-name-taken", LAPTOP, LAPTOP PHONE BETA LINK("gamma", KEY_OTHER, "10.21.0.0/24", ""),
        take_name};
    golden_plan(new_world(), &taken);

    struct world *w = new_world();
    PLAN_AUTO plan;
    golden_begin(w, &taken);
    cr_expect_not(world_run(w, 60));
    cr_expect(strstr(w->trouble.text, "\"pl-beta\" exists and is not ours"), "%s", w->trouble.text);
    world_plan(w, &plan);
    cr_expect_eq(plan.count, 1, "%zu", plan.count);
    cr_expect_eq(world_second_pass(w), 0);
    sys_fake_link_remove(w->sys, "pl-beta");
    engine_look(w->engine, &(struct sys_event){SYS_EVENT_LINK, .interface = "pl-beta"});
    cr_expect(world_run(w, 10), "%s", w->trouble.text);
    world_free(w);
}
