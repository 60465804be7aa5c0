/*
 * Who is in which set, by what the manifests say. Pure: no system is touched.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "reconcilers/firewall/firewall.h"
#include "reconcilers/sys/fake.h"
#include "schema/base/mem.h"
#include "tests/harness/house.h"

#define RESOURCE(kind, name, spec)                                                                 \
    "---\napiVersion: pic/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec:\n" spec
#define CELL                                                                                       \
    RESOURCE("Cell", "alpha",                                                                      \
             "  domain: alpha.cell\n"                                                              \
             "  network: {vpn: 10.10.0.0/24, vpn6: 'fd10:a1fa:ce11::/64'}\n")
#define KEY(n) "  publicKey: A" n "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n"
#define PHONE RESOURCE("Peer", "phone", KEY("gA") "  address: 10.10.0.35\n")
#define BETA                                                                                       \
    RESOURCE("Link", "beta",                                                                       \
             KEY("wA") "  endpoint: 203.0.113.9:51821\n  vpn: 10.20.0.0/24\n"                      \
                       "  vpn6: 'fd20::/64'\n  domain: beta.cell\n")

struct desk {
    struct sys *sys;
    struct house *house;
    struct arena arena;
};

static void desk_open(struct desk *d)
{
    d->sys = sys_fake_new();
    d->house = house_new(d->sys, &reconciler_firewall);
    house_interface(d->house, "eth0", true, NULL, NULL);
    arena_init(&d->arena, 4096);
}

static void desk_clear(struct desk *d)
{
    house_free(d->house);
    sys_close(d->sys);
    arena_clear(&d->arena);
}
#define DESK_AUTO __attribute__((cleanup(desk_clear))) struct desk

static const struct fw_desired *desire(struct desk *d)
{
    return fw_desired(d->house->model, &(struct keys){0}, &d->arena);
}

/* The names of the sets with an element that begins with this text, and what follows it there. */
static char *sets_of(const struct fw_desired *desired, const char *start)
{
    struct strbuf out = STRBUF_INIT;
    for (unsigned i = 0; i < FW_INSTANCES; i++) {
        const struct nft_set *set = &desired->sets[i];
        for (size_t j = 0; fw_owner_of(i) == FW_OF_PEER && j < set->count; j++) {
            STRBUF_AUTO text = STRBUF_INIT;
            fw_element_text(set, nft_set_at(set, j), &text);
            size_t len = strlen(start);
            if (strncmp(text.text, start, len) == 0 && strchr(" ", text.text[len]))
                strbuf_printf(&out, "%s%s%s", out.len ? ", " : "", set->name, text.text + len);
        }
    }
    return strbuf_steal(&out);
}

static char *elements_of(const struct fw_desired *desired, enum fw_set kind, bool ipv6, bool net)
{
    const struct nft_set *set = &desired->sets[fw_instance(kind, ipv6, net)];
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < set->count; i++) {
        strbuf_puts(&out, i ? ", " : "");
        fw_element_text(set, nft_set_at(set, i), &out);
    }
    return strbuf_steal(&out);
}

Test(firewall_members, a_peer_is_where_its_access_says)
{
    static const struct {
        const char *spec, *sets, *sets6;
    } rows[] = {
        {"", "peer_all4, peer_internet4", "peer_all6, peer_internet6"},
        {"  access: {peers: []}\n", "peer_links4, peer_lan4, peer_internet4",
         "peer_links6, peer_lan6, peer_internet6"},
        {"  access: {links: []}\n", "peer_peers4, peer_lan4, peer_internet4",
         "peer_peers6, peer_lan6, peer_internet6"},
        {"  access: {lan: []}\n", "peer_peers4, peer_links4, peer_internet4",
         "peer_peers6, peer_links6, peer_internet6"},
        {"  access: {peers: [], links: [], lan: []}\n", "peer_internet4", "peer_internet6"},
        {"  access: {peers: [], links: [], lan: []}\n  internet: false\n", "", ""},
        {"  internet: false\n", "peer_all4", "peer_all6"},
        {"  access: {host: true}\n", "peer_all4, peer_internet4, peer_host4",
         "peer_all6, peer_internet6, peer_host6"},
        {"  access: {peers: [phone, nobody], links: [], lan: []}\n",
         "peer_internet4, peer_pair4 . 10.10.0.35",
         "peer_internet6, peer_pair6 . fd10:a1fa:ce11::23"},
        {"  access: {peers: [], links: [beta, nobody], lan: []}\n",
         "peer_internet4, peer_link4 . pl-beta", "peer_internet6, peer_link6 . pl-beta"},
        {"  access: {peers: [], links: [], lan: [lan0, eth0]}\n",
         "peer_internet4, peer_lan_if4 . eth0, peer_lan_if4 . lan0",
         "peer_internet6, peer_lan_if6 . eth0, peer_lan_if6 . lan0"},
        {"  routeVia: beta\n", "peer_all4, exit_50_4", "peer_all6, blocked6"},
        {"  routeVia: nobody\n", "peer_all4, blocked4", "peer_all6, blocked6"},
        {"  enabled: false\n", "", ""},
        {"  expires: 2020-01-01T00:00:00Z\n", "", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        DESK_AUTO d;
        desk_open(&d);
        MEM_AUTO char *peers = mem_printf(
            CELL PHONE BETA RESOURCE("Peer", "laptop", KEY("QA") "  address: 10.10.0.34\n%s"),
            rows[i].spec);
        house_put(d.house, peers);
        house_hears(d.house, "beta", true, false, false);
        const struct fw_desired *desired = desire(&d);
        MEM_AUTO char *sets = sets_of(desired, "10.10.0.34");
        MEM_AUTO char *sets6 = sets_of(desired, "fd10:a1fa:ce11::22");
        cr_expect_str_eq(sets, rows[i].sets, "%s: %s", rows[i].spec, sets);
        cr_expect_str_eq(sets6, rows[i].sets6, "%s: %s", rows[i].spec, sets6);
    }
}

Test(firewall_members, a_link_that_is_off_is_nowhere)
{
    static const char *const specs[] = {"  enabled: false\n", ""};
    static const char *const links[] = {"", "pl-beta"};
    for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
        DESK_AUTO d;
        desk_open(&d);
        MEM_AUTO char *text = mem_printf(CELL BETA "%s", specs[i]);
        house_put(d.house, text);
        const struct fw_desired *desired = desire(&d);
        MEM_AUTO char *found = elements_of(desired, FW_LINKS, false, false);
        MEM_AUTO char *exits = elements_of(desired, FW_EXIT_OUT, false, false);
        cr_expect_str_eq(found, links[i]);
        cr_expect_eq(strlen(exits) > 0, i == 1, "%s", exits);
        cr_expect_eq(desired->shape.exits != 0, i == 1);
    }
}

Test(firewall_members, prefixes_that_overlap_or_touch_become_one)
{
    DESK_AUTO d;
    desk_open(&d);
    house_put(d.house, CELL BETA "  networks: [10.21.0.0/16, 10.21.5.0/24, 10.22.0.0/24]\n"
                                 "  share: {networks: [192.168.0.0/24, 192.168.1.0/24]}\n");
    const struct fw_desired *desired = desire(&d);
    MEM_AUTO char *net = elements_of(desired, FW_LINK_NET, false, false);
    MEM_AUTO char *share = elements_of(desired, FW_LINK_SHARE, false, false);
    MEM_AUTO char *tunnel = elements_of(desired, FW_TUNNEL, false, false);
    cr_expect_str_eq(net, "pl-beta . 10.20.0.0/24, pl-beta . 10.21.0.0-10.22.0.255");
    cr_expect_str_eq(share, "pl-beta . 192.168.0.0/23");
    cr_expect_str_eq(tunnel, "10.10.0.0/24, 10.20.0.0/24, 10.21.0.0-10.22.0.255");
}

/* The first peer may reach everything, the second nothing here; the subnets of the second lie in
 * those of the first. */
Test(firewall_members, a_subnet_belongs_to_the_narrowest)
{
    static const struct {
        const char *outer, *inner;
        const char *open, *internet, *nat;
    } rows[] = {
        {"10.9.0.0/16", "10.9.1.0/24", "10.9.0.0/24, 10.9.2.0-10.9.255.255", "10.9.0.0/16",
         "10.9.0.0/24 : 10.10.0.34, 10.9.1.0/24 : 10.10.0.36, 10.9.2.0-10.9.255.255 : 10.10.0.34"},
        {"10.9.0.0/16", "10.9.0.0/24", "10.9.1.0-10.9.255.255", "10.9.0.0/16",
         "10.9.0.0/24 : 10.10.0.36, 10.9.1.0-10.9.255.255 : 10.10.0.34"},
        {"10.9.0.0/16", "10.9.255.0/24", "10.9.0.0-10.9.254.255", "10.9.0.0/16",
         "10.9.0.0-10.9.254.255 : 10.10.0.34, 10.9.255.0/24 : 10.10.0.36"},
        {"10.9.0.0/24, 10.9.2.0/24", "10.9.1.0/24", "10.9.0.0/24, 10.9.2.0/24",
         "10.9.0.0-10.9.2.255",
         "10.9.0.0/24 : 10.10.0.34, 10.9.1.0/24 : 10.10.0.36, 10.9.2.0/24 : 10.10.0.34"},
        {"10.9.0.5", "10.9.0.6", "10.9.0.5", "10.9.0.5-10.9.0.6",
         "10.9.0.5 : 10.10.0.34, 10.9.0.6 : 10.10.0.36"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        DESK_AUTO d;
        desk_open(&d);
        MEM_AUTO char *text = mem_printf(
            CELL RESOURCE("Peer", "laptop", KEY("QA") "  address: 10.10.0.34\n  subnets: [%s]\n")
                RESOURCE("Peer", "guest",
                         KEY("gA") "  address: 10.10.0.36\n"
                                   "  access: {peers: [], links: [], lan: []}\n  subnets: [%s]\n"),
            rows[i].outer, rows[i].inner);
        house_put(d.house, text);
        const struct fw_desired *desired = desire(&d);
        MEM_AUTO char *open = elements_of(desired, FW_PEER_ALL, false, true);
        MEM_AUTO char *internet = elements_of(desired, FW_PEER_INTERNET, false, true);
        MEM_AUTO char *nat = elements_of(desired, FW_SUBNET_NAT, false, true);
        cr_expect_str_eq(open, rows[i].open, "%s", open);
        cr_expect_str_eq(internet, rows[i].internet, "%s", internet);
        cr_expect_str_eq(nat, rows[i].nat, "%s", nat);
    }
}

Test(firewall_members, whoever_reaches_a_peer_reaches_what_is_behind_it)
{
    DESK_AUTO d;
    desk_open(&d);
    house_put(d.house, CELL RESOURCE("Peer", "laptop",
                                     KEY("QA") "  address: 10.10.0.34\n  subnets: [10.9.0.0/24]\n"
                                               "  access: {peers: [phone], links: [], lan: []}\n")
                           PHONE "  subnets: [10.8.0.0/24]\n");
    const struct fw_desired *desired = desire(&d);
    MEM_AUTO char *plain = elements_of(desired, FW_PEER_PAIR, false, false);
    MEM_AUTO char *net = elements_of(desired, FW_PEER_PAIR, false, true);
    cr_expect_str_eq(plain, "10.10.0.34 . 10.10.0.35");
    cr_expect_str_eq(net, "10.9.0.0/24 . 10.8.0.0/24, 10.9.0.0/24 . 10.10.0.35, "
                          "10.10.0.34 . 10.8.0.0/24");
}

/* The least that a peer's key is about, so that one change among thousands stays small. */
Test(firewall_members, a_peers_key_is_about_its_addresses_and_who_names_it)
{
    DESK_AUTO d;
    desk_open(&d);
    house_put(d.house,
              CELL PHONE BETA RESOURCE("Peer", "laptop", KEY("QA") "  address: 10.10.0.34\n")
                  RESOURCE("Peer", "guest",
                           KEY("hA") "  address: 10.10.0.36\n"
                                     "  access: {peers: [phone]}\n"));
    struct wgkey key =
        ((const struct model_peer *)model_peer_by_name(d.house->model, "phone"))->public_key;
    char text[MODEL_KEY_MAX];
    const char *keys[] = {model_peer_key(&key, text)};
    const struct fw_desired *desired =
        fw_desired(d.house->model, &(struct keys){keys, 1}, &d.arena);
    cr_expect(!desired->everything);
    cr_assert_eq(desired->address_count, 4);
    char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
    cr_expect_str_eq(ip_format(&desired->addresses[0], a), "10.10.0.35");
    cr_expect_str_eq(ip_format(&desired->addresses[1], b), "10.10.0.36");

    keys[0] = model_link_key("pl-beta", text);
    desired = fw_desired(d.house->model, &(struct keys){keys, 1}, &d.arena);
    cr_expect(desired->everything);
}
