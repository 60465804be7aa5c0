/*
 * What resources name: told while it is not there, or otherwise, and gone when it is right.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "controller/store/store.h"

#define CELL(name, vpn)                                                                            \
    "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: " name "}\nspec:\n  domain: " name ".cell\n" \
    "  network: {vpn: " vpn "}\n"
#define LINK(vpn)                                                                                  \
    "apiVersion: pic/v1\nkind: Link\nmetadata: {name: beta}\nspec:\n"                              \
    "  publicKey: AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n  vpn: " vpn                       \
    "\n  domain: beta.cell\n"
#define PEER                                                                                       \
    "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: laptop}\nspec:\n"                            \
    "  publicKey: AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\n  routeVia: beta\n"                \
    "  access: {links: [beta]}\n"

static void put(struct store *store, const char *path, const char *text)
{
    struct changes changes = {0};
    store_put(store, manifest_parse(path, text, strlen(text)));
    store_commit(store, true, &changes);
    changes_clear(&changes);
}

static void expect(const struct store *store, const char *findings)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    STRBUF_AUTO text = STRBUF_INIT;
    store_diags(store, &diags);
    for (size_t i = 0; i < diags.count; i++)
        diag_print(&diags.list[i], &text);
    cr_expect_str_eq(text.text ? text.text : "", findings, "%s", text.text);
}

Test(reference, link_of_a_peer)
{
    struct store *store = store_new(NULL);
    struct changes changes = {0};
    put(store, "cell.yaml", CELL("alpha", "10.10.0.0/24"));
    put(store, "peer.yaml", PEER);
    expect(store, "peer.yaml:6:13: warning: Peer/laptop: routeVia: no Link \"beta\" is in force: "
                  "the peer's internet traffic is refused until there is one\n"
                  "peer.yaml:7:19: warning: Peer/laptop: access.links: no Link \"beta\" is in "
                  "force\n");
    put(store, "link.yaml", LINK("10.20.0.0/24"));
    expect(store, "");
    store_gone(store, "link.yaml");
    store_commit(store, true, &changes);
    changes_clear(&changes);
    DIAGS_AUTO diags = DIAGS_INIT;
    store_diags(store, &diags);
    cr_expect_eq(diags.count, 2);
    store_free(store);
}

Test(reference, cell_of_a_link)
{
    struct store *store = store_new("alpha");
    put(store, "a/cell.yaml", CELL("alpha", "10.10.0.0/24"));
    put(store, "a/link.yaml", LINK("10.21.0.0/24"));
    expect(store, "");
    put(store, "b/cell.yaml", CELL("beta", "10.20.0.0/24"));
    expect(store, "a/link.yaml:6:8: error: Link/beta: vpn: is 10.21.0.0/24, and Cell/beta has "
                  "10.20.0.0/24: write that here\n");
    put(store, "a/link.yaml", LINK("10.20.0.0/24"));
    expect(store, "");
    store_free(store);
}
