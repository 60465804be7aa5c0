/* What becomes of the Cell's interface and of its peers. */
#include <criterion/criterion.h>

#include "schema/base/mem.h"
#include "tests/golden/golden.h"

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
    struct prefix p = golden_prefix("10.10.0.99/32");
    change_peer(
        w, (struct sys_wg_peer_change){.create = true, .allowed_add = &p, .allowed_add_count = 1},
        7);
}

static void steal_address(struct world *w)
{
    struct prefix p = golden_prefix("10.10.0.34/32");
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
    struct prefix own = golden_prefix("10.10.0.1/24"), alien = golden_prefix("192.168.7.1/24");
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

static const struct golden cases[] = {
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

Test(golden, plans)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        golden_plan(world_new(NULL, NULL), &cases[i]);
}

Test(golden, plans_converge)
{
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        golden_converges(world_new(NULL, NULL), &cases[i]);
}
