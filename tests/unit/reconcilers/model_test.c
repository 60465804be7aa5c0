/*
 * Which way a peer's internet traffic leaves, and why not; numbers, ports and prefixes of links.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "reconcilers/firewall/firewall.h"
#include "reconcilers/sys/fake.h"
#include "schema/base/mem.h"
#include "tests/harness/house.h"

#define CELL                                                                                       \
    "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: alpha}\nspec:\n  domain: alpha.cell\n"       \
    "  network: {vpn: 10.10.0.0/24, vpn6: 'fd00:10::/64'}\n---\n"
#define LINK(name, key, number, extra)                                                             \
    "apiVersion: pic/v1\nkind: Link\nmetadata: {name: " name "}\nspec:\n  publicKey: " key         \
    "\n  vpn: 10." number ".0.0/24\n  domain: " name ".cell\n" extra "---\n"
#define KEY_BETA "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_GAMMA "AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define BETA LINK("beta", KEY_BETA, "20", "")
#define LAPTOP(extra)                                                                              \
    "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: laptop}\nspec:\n"                            \
    "  publicKey: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n  address: 10.10.0.34\n" extra

static struct house *house(const char *manifests)
{
    struct house *h = house_new(sys_fake_new(), &reconciler_firewall);
    house_interface(h, "uplink0", true, NULL, NULL);
    house_put(h, manifests);
    return h;
}

static void leave(struct house *h)
{
    struct sys *sys = h->sys;
    house_free(h);
    sys_close(sys);
}

static const struct {
    const char *manifests;
    int says; /* 0: nothing; 1: no offer; 2: an offer; 3: an offer, IPv4 only */
    const char *way;
    enum model_way v4, v6;
    size_t allowed; /* of the link: 1 its vpn, +1 for each default route */
} ways[] = {
    {CELL BETA LAPTOP(""), 2, "direct", WAY_DIRECT, WAY_DIRECT, 1},
    {CELL BETA LAPTOP("  internet: false\n"), 2, "none", WAY_NONE, WAY_NONE, 1},
    {CELL BETA LAPTOP("  routeVia: beta\n"), 2, "via beta", WAY_EXIT, WAY_EXIT, 3},
    {CELL BETA LAPTOP("  routeVia: beta\n"), 3, "via beta", WAY_EXIT, WAY_BLOCKED, 2},
    {CELL BETA LAPTOP("  routeVia: beta\n"), 0, "blocked: beta has not answered yet", WAY_BLOCKED,
     WAY_BLOCKED, 1},
    {CELL BETA LAPTOP("  routeVia: beta\n"), 1, "blocked: beta does not offer an exit", WAY_BLOCKED,
     WAY_BLOCKED, 1},
    {CELL BETA LAPTOP("  routeVia: gamma\n"), 2, "blocked: no Link \"gamma\" is defined",
     WAY_BLOCKED, WAY_BLOCKED, 1},
    {CELL LINK("beta", KEY_BETA, "20", "  enabled: false\n") LAPTOP("  routeVia: beta\n"), 2,
     "blocked: ", WAY_BLOCKED, WAY_BLOCKED, 1},
};

Test(model, which_way_a_peer_leaves)
{
    for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
        struct house *h = house(ways[i].manifests);
        STRBUF_AUTO text = STRBUF_INIT;
        if (ways[i].says)
            house_hears(h, "beta", ways[i].says > 1, ways[i].says == 2, false);
        const struct model_peer *peer = model_peer_by_name(h->model, "laptop");
        const struct model_link *link = model_link_by_name(h->model, "beta");
        model_way_text(h->model, peer, &text);
        cr_expect(strncmp(text.text, ways[i].way, strlen(ways[i].way)) == 0, "row %zu: %s", i,
                  text.text);
        cr_expect_eq(peer->way, ways[i].v4, "row %zu", i);
        cr_expect_eq(peer->way6, ways[i].v6, "row %zu", i);
        cr_expect_eq(link->allowed_count, ways[i].allowed, "row %zu: %zu", i, link->allowed_count);
        cr_expect_eq(peer->confined, ways[i].v4 != WAY_DIRECT, "row %zu", i);
        leave(h);
    }
}

/* The exit is widened for the first of its peers and narrowed after the last; nobody else is
 * marked. */
Test(model, exit_in_use)
{
    struct house *h = house(CELL BETA LINK("gamma", KEY_GAMMA, "21", "") LAPTOP(""));
    house_hears(h, "beta", true, true, false);
    const struct model_link *beta = model_link_by_name(h->model, "beta");
    cr_expect_eq(beta->users, 0);
    house_put(h, CELL BETA LINK("gamma", KEY_GAMMA, "21", "") LAPTOP("  routeVia: beta\n"));
    beta = model_link_by_name(h->model, "beta");
    cr_expect_eq(beta->users, 1);
    cr_expect_eq(beta->allowed_count, 3);
    cr_expect_eq(model_link_by_name(h->model, "gamma")->allowed_count, 1);
    house_put(h, CELL BETA LINK("gamma", KEY_GAMMA, "21", "") LAPTOP("  routeVia: gamma\n"));
    beta = model_link_by_name(h->model, "beta");
    cr_expect_eq(beta->users, 0);
    cr_expect_eq(beta->allowed_count, 1);
    leave(h);
}

/* Numbers and ports are different, in their bounds, and stay when other links come and go. */
Test(model, numbers_and_ports_stay)
{
    struct strbuf text = STRBUF_INIT;
    enum { MANY = 59 };
    strbuf_puts(&text, CELL);
    struct house *h = house(CELL BETA LAPTOP(""));
    unsigned number = model_link_by_name(h->model, "beta")->number;
    uint16_t port = model_link_by_name(h->model, "beta")->listen_port;
    strbuf_puts(&text, BETA);
    for (unsigned i = 1; i < MANY; i++) {
        struct wgkey key = {.bytes = {[0] = (uint8_t)i, [1] = 7, [31] = 1}};
        char key_text[WGKEY_TEXT_LEN + 1];
        strbuf_printf(&text,
                      "apiVersion: pic/v1\nkind: Link\nmetadata: {name: l%u}\nspec:\n  publicKey: "
                      "%s\n  vpn: 10.%u.0.0/24\n  domain: l%u.cell\n---\n",
                      i, wgkey_format(&key, key_text), 100 + i, i);
    }
    house_put(h, text.text);
    uint64_t numbers = 0;
    struct map ports = MAP_INIT;
    size_t count;
    const struct model_link **links = model_links(h->model, &count);
    cr_assert_eq(count, MANY);
    for (size_t i = 0; i < count; i++) {
        unsigned n = links[i]->number;
        cr_expect(n >= 1 && n <= LINK_NUMBER_MAX && n != LINK_NUMBER_LEFT_OUT, "%u", n);
        cr_expect_not(numbers >> n & 1, "%u twice", n);
        numbers |= UINT64_C(1) << n;
        cr_expect_null(map_put(&ports, &links[i]->listen_port, 2, h), "%u", links[i]->listen_port);
        cr_expect(links[i]->listen_port >= 51821 && links[i]->listen_port <= 51899);
    }
    mem_freep(&links);
    map_clear(&ports);
    cr_expect_eq(model_link_by_name(h->model, "beta")->number, number);
    cr_expect_eq(model_link_by_name(h->model, "beta")->listen_port, port);
    strbuf_clear(&text);
    leave(h);
}

static const struct {
    const char *name, *interface;
} interfaces[] = {
    {"b", "pl-b"},
    {"twelve-chars", "pl-twelve-chars"},
    {"thirteen-char", NULL},
    {"a-cell-with-a-long-name-1", NULL},
    {"a-cell-with-a-long-name-2", NULL},
};

Test(model, names_of_interfaces)
{
    char names[ARRAY_SIZE(interfaces)][IFNAMSIZ];
    for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++) {
        model_link_interface(interfaces[i].name, names[i]);
        cr_expect(strncmp(names[i], "pl-", 3) == 0 && strlen(names[i]) < IFNAMSIZ, "%s", names[i]);
        if (interfaces[i].interface)
            cr_expect_str_eq(names[i], interfaces[i].interface);
        for (size_t j = 0; j < i; j++)
            cr_expect_str_neq(names[i], names[j]);
    }
}
