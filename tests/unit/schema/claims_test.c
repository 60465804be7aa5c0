/*
 * What links, peers and the cell may not share: rows of two resources, and what the second is told.
 */
#include "schema/check/claims.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/check/cross.h"
#include "schema/manifest.h"

#define KEY_1 "iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ="
#define KEY_2 "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define HEAD(kind, name, key)                                                                      \
    "apiVersion: pic/v1\nkind: " kind "\nmetadata: {name: " name "}\nspec:\n  publicKey: " key "\n"
#define BETA(extra)                                                                                \
    HEAD("Link", "beta", KEY_1)                                                                    \
    "  vpn: 10.20.0.0/24\n  domain: beta.cell\n" extra
#define GAMMA(vpn, domain, extra)                                                                  \
    HEAD("Link", "gamma", KEY_2) "  vpn: " vpn "\n  domain: " domain "\n" extra
#define LAPTOP(key, extra) HEAD("Peer", "laptop", key) extra

static const struct {
    const char *first, *second, *what; /* NULL: they get along */
} rows[] = {
    {BETA(""), GAMMA("10.21.0.0/24", "gamma.cell", ""), NULL},
    {BETA(""), GAMMA("10.20.0.0/24", "gamma.cell", ""), "vpn 10.20.0.0/24"},
    {BETA(""), GAMMA("10.20.0.128/25", "gamma.cell", ""), "vpn 10.20.0.128/25"},
    {BETA(""), GAMMA("10.16.0.0/12", "gamma.cell", ""), "vpn 10.16.0.0/12"},
    {BETA("  vpn6: fd00:20::/64\n"), GAMMA("10.21.0.0/24", "g.cell", "  vpn6: fd00:20::/48\n"),
     "vpn6 fd00:20::/48"},
    {BETA("  networks: [192.168.7.0/24]\n"), GAMMA("192.168.7.0/28", "g.cell", ""),
     "vpn 192.168.7.0/28"},
    {BETA(""), GAMMA("10.21.0.0/24", "g.cell", "  networks: [10.20.0.7/32]\n"),
     "networks 10.20.0.7/32"},
    {BETA(""), GAMMA("10.21.0.0/24", "beta.cell", ""), "domain beta.cell"},
    {BETA(""), GAMMA("10.21.0.0/24", "home.beta.cell", ""), "domain home.beta.cell"},
    {BETA(""), GAMMA("10.21.0.0/24", "cell", ""), "domain cell"},
    {BETA(""), GAMMA("10.21.0.0/24", "notbeta.cell", ""), NULL},
    {BETA("  listenPort: 51830\n"), GAMMA("10.21.0.0/24", "g.cell", "  listenPort: 51830\n"),
     "listenPort 51830"},
    {BETA("  listenPort: 51830\n"), GAMMA("10.21.0.0/24", "g.cell", "  listenPort: 51831\n"), NULL},
    {BETA(""), LAPTOP(KEY_1, ""), "publicKey"},
    {BETA(""), LAPTOP(KEY_2, "  subnets: [192.168.9.0/24]\n"), NULL},
    {BETA(""), LAPTOP(KEY_2, "  subnets: [10.20.0.0/28]\n"), "subnets 10.20.0.0/28"},
    {BETA("  networks: [192.168.7.0/24]\n"), LAPTOP(KEY_2, "  subnets: [192.168.0.0/16]\n"),
     "subnets 192.168.0.0/16"},
    {LAPTOP(KEY_2, "  subnets: [10.20.0.0/28]\n"), BETA(""), "a prefix that overlaps 10.20.0.0/28"},
    {LAPTOP(KEY_2, "  subnets: [10.20.0.7/32]\n"), BETA(""), "a prefix that overlaps 10.20.0.7/32"},
    {LAPTOP(KEY_2, "  subnets: [10.21.0.7/32]\n"), BETA(""), NULL},
};

static struct manifest *parse(const char *text)
{
    struct manifest *m = manifest_parse("f.yaml", text, strlen(text));
    cr_assert_not_null(m->entries[0].resource, "%s", text);
    return m;
}

Test(claims, links_and_peers)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct manifest *first = parse(rows[i].first), *second = parse(rows[i].second);
        struct claims claims = {0};
        char what[96] = "";
        claims_take(&claims, first->entries[0].resource);
        cr_expect_null(claims_conflict(&claims, first->entries[0].resource, what));
        const struct resource *other = claims_conflict(&claims, second->entries[0].resource, what);
        cr_expect_eq(other, rows[i].what ? first->entries[0].resource : NULL, "row %zu: %s", i,
                     what);
        cr_expect_str_eq(what, rows[i].what ? rows[i].what : "", "row %zu: %s", i, what);
        claims_release(&claims, first->entries[0].resource);
        cr_expect_null(claims_conflict(&claims, second->entries[0].resource, what), "row %zu", i);
        claims_clear(&claims);
        manifest_free(first);
        manifest_free(second);
    }
}

/* A Link against the Cell that it is to be in force under. */
static const struct {
    const char *link, *finding; /* "": none */
} against_cell[] = {
    {BETA(""), ""},
    {HEAD("Link", "beta", KEY_1) "  vpn: 10.10.0.0/16\n  domain: beta.cell\n",
     "vpn: 10.10.0.0/16 overlaps network.vpn 10.10.0.0/24 of Cell/alpha"},
    {BETA("  vpn6: fd00:10::/64\n"),
     "vpn6: fd00:10::/64 overlaps network.vpn6 fd00:10::/64 of Cell/alpha"},
    {BETA("  networks: [172.20.3.0/24]\n"),
     "networks: 172.20.3.0/24 overlaps network.containers 172.20.0.0/16 of Cell/alpha"},
    {BETA("  networks: [192.168.1.0/25]\n"),
     "networks: 192.168.1.0/25 overlaps network.lan 192.168.1.0/24 of Cell/alpha"},
    {BETA("  listenPort: 51820\n"), "listenPort: 51820 is wireguard.listenPort of Cell/alpha"},
    {BETA("  listenPort: 4000\n"),
     "listenPort: 4000 lies outside wireguard.linkPorts 51821-51899 of Cell/alpha: forward it in "
     "the router by itself"},
    {HEAD("Link", "beta", KEY_2) "  vpn: 10.20.0.0/24\n  domain: beta.cell\n",
     "publicKey: is this cell's own key; it must be the other cell's"},
    {HEAD("Link", "beta", KEY_1) "  vpn: 10.20.0.0/24\n  domain: b.alpha.cell\n",
     "domain: b.alpha.cell and the domain alpha.cell of Cell/alpha contain one another"},
};

Test(cross, links)
{
    struct manifest *cell = parse(
        "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: alpha}\nspec:\n  domain: alpha.cell\n"
        "  network: {vpn: 10.10.0.0/24, vpn6: 'fd00:10::/64', lan: [192.168.1.0/24]}\n");
    struct wgkey own;
    cr_assert_eq(wgkey_parse(KEY_2, &own), 0);
    for (size_t i = 0; i < ARRAY_SIZE(against_cell); i++) {
        struct manifest *link = parse(against_cell[i].link);
        DIAGS_AUTO diags = DIAGS_INIT;
        cross_check(cell->entries[0].resource, &own, link->entries[0].resource, &diags);
        cr_expect_eq(diags.count, *against_cell[i].finding ? 1 : 0, "row %zu", i);
        if (diags.count)
            cr_expect_str_eq(diags.list[0].message, against_cell[i].finding, "row %zu: %s", i,
                             diags.list[0].message);
        manifest_free(link);
    }
    manifest_free(cell);
}
