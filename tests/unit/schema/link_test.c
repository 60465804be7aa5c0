#include "schema/kinds/link.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/manifest.h"

static bool is_listed(void *context, uint16_t port)
{
    for (const uint16_t *taken = context; *taken; taken++)
        if (*taken == port)
            return true;
    return false;
}

/* The hash is the same in every release: an invite of an older one names a port that still counts.
 */
Test(link, port)
{
    static const struct {
        const char *name;
        struct port_range range;
        uint16_t cells, taken[4], port;
    } rows[] = {
        {"beta", {51821, 51899}, 51820, {0}, 51821},
        {"gamma", {51821, 51899}, 51820, {0}, 51851},
        {"gamma", {51821, 51899}, 51820, {51851}, 51852},
        {"gamma", {51821, 51899}, 51851, {0}, 51852},
        {"gamma", {51821, 51899}, 51820, {51851, 51852, 51854}, 51853},
        {"beta", {7, 7}, 51820, {0}, 7},
        {"beta", {7, 7}, 7, {0}, 0},
        {"beta", {7, 9}, 51820, {7, 8, 9}, 0},
        {"delta", {7, 9}, 51820, {8, 9}, 7},
        {"alpha", {7, 9}, 51820, {8, 9}, 7},
        {"gamma", {65534, 65535}, 51820, {65534}, 65535},
        {"delta", {65534, 65535}, 51820, {65535}, 65534},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct cell_spec cell = {.listen_port = rows[i].cells, .link_ports = rows[i].range};
        uint16_t port = link_port(rows[i].name, &cell, is_listed, (void *)rows[i].taken);
        cr_expect_eq(port, rows[i].port, "row %zu: %u", i, port);
    }
    struct cell_spec cell = {.listen_port = 51820, .link_ports = {51821, 51899}};
    cr_expect_eq(link_port("beta", &cell, NULL, NULL), rows[0].port);
}

/* A Link with fields of its own in line 8 and below, and every finding; "" none. */
static const struct {
    const char *fields, *findings;
} rows[] = {
    {"", ""},
    {"  endpoint: beta.example.org:51821\n", ""},
    {"  endpoint: 198.51.100.7:51821\n", ""},
    {"  endpoint: '[2001:db8::1]:51820'\n", ""},
    {"  endpoint: '[fe80::1%lo]:51820'\n", ""},
    {"  endpoint: '[fe80::1%no-such-if]:51820'\n",
     "f.yaml:8:13: error: Link/beta: endpoint: \"[fe80::1%no-such-if]:51820\" is not right: "
     "expected host or host:port, an IPv6 address in brackets: [2001:db8::1]:51820 (the scope "
     "after % is not an interface of this system)\n"},
    {"  endpoint: '2001:db8::1:51820'\n",
     "f.yaml:8:13: error: Link/beta: endpoint: \"2001:db8::1:51820\" is not right: expected host "
     "or host:port, an IPv6 address in brackets: [2001:db8::1]:51820 (an IPv6 address needs "
     "brackets: [address]:port)\n"},
    {"  endpoint: '2001:db8::1:5182'\n",
     "f.yaml:8:13: error: Link/beta: endpoint: the port is missing: write "
     "[2001:db8::1:5182]:51821\n"},
    {"  endpoint: beta.example.org:0\n",
     "f.yaml:8:13: error: Link/beta: endpoint: \"beta.example.org:0\" is not right: expected host "
     "or host:port, an IPv6 address in brackets: [2001:db8::1]:51820 (the port is not a number "
     "from 1 to 65535)\n"},
    {"  endpoint: beta.example.org:70000\n",
     "f.yaml:8:13: error: Link/beta: endpoint: \"beta.example.org:70000\" is not right: expected "
     "host or host:port, an IPv6 address in brackets: [2001:db8::1]:51820 (the port is not a "
     "number from 1 to 65535)\n"},
    {"  endpoint: beta.example.org\n",
     "f.yaml:8:13: error: Link/beta: endpoint: the port is missing: write "
     "beta.example.org:51821\n"},
    {"  endpoint: 198.51.100.7\n",
     "f.yaml:8:13: error: Link/beta: endpoint: the port is missing: write 198.51.100.7:51821\n"},
    {"  advertise: alpha.example.org:51821\n", ""},
    {"  advertise: alpha.example.org\n",
     "f.yaml:8:14: error: Link/beta: advertise: the port is missing: write "
     "alpha.example.org:51821\n"},
    {"  endpoint: 10.20.0.1:51821\n",
     "f.yaml:8:13: error: Link/beta: endpoint: 10.20.0.1 lies in vpn 10.20.0.0/24: the encrypted "
     "packets would go into the tunnel itself\n"},
    {"  endpoint: '[fd00:20::1]:51821'\n  vpn6: fd00:20::/64\n",
     "f.yaml:8:13: error: Link/beta: endpoint: fd00:20::1 lies in vpn6 fd00:20::/64: the encrypted "
     "packets would go into the tunnel itself\n"},
    {"  endpoint: 198.51.100.7:51821\n  networks: [192.168.7.0/24, 198.51.100.0/24]\n",
     "f.yaml:8:13: error: Link/beta: endpoint: 198.51.100.7 lies in networks 198.51.100.0/24: the "
     "encrypted packets would go into the tunnel itself\n"},
    {"  vpn6: 2001:db8::/64\n",
     "f.yaml:8:9: error: Link/beta: vpn6: \"2001:db8::/64\" is not right: expected a unique local "
     "prefix inside fd00::/8\n"},
    {"  dns: 10.20.0.53\n", ""},
    {"  dns: 192.168.7.53\n  networks: [192.168.7.0/24]\n", ""},
    {"  dns: 192.168.8.53\n  networks: [192.168.7.0/24]\n",
     "f.yaml:8:8: warning: Link/beta: dns: 192.168.8.53 lies neither in vpn nor in networks: it is "
     "not asked through this link\n"},
    {"  networks: [192.168.7.0/24, 203.0.113.0/24, fd00:7::/48, 2001:db8::/32, 10.0.0.0/9]\n",
     "f.yaml:8:13: warning: Link/beta: networks: 10.0.0.0/9 overlaps the other cell's "
     "10.20.0.0/24, which is routed anyway\n"},
    {"  vpn6: fd00:20::/64\n  networks: ['fd00:20::8:0/112']\n",
     "f.yaml:9:13: warning: Link/beta: networks: fd00:20::8:0/112 overlaps the other cell's "
     "fd00:20::/64, which is routed anyway\n"},
    {"  networks: [192.168.7.0/24, 192.168.8.0/24, 192.168.7.9/24]\n",
     "f.yaml:8:46: warning: Link/beta: networks: 192.168.7.9/24 has host bits: taken as "
     "192.168.7.0/24\n"
     "f.yaml:8:13: warning: Link/beta: networks: 192.168.7.0/24 stands there twice\n"},
    {"  networks: ['::/0']\n",
     "f.yaml:8:13: error: Link/beta: networks: ::/0 is no network but the internet: that goes "
     "through a link by routeVia, peer by peer\n"},
    {"  networks: [128.0.0.0/1]\n",
     "f.yaml:8:13: error: Link/beta: networks: 128.0.0.0/1 is no network but the internet: that "
     "goes through a link by routeVia, peer by peer\n"},
    {"  networks: [169.254.7.0/24]\n",
     "f.yaml:8:13: error: Link/beta: networks: 169.254.7.0/24 is loopback, link-local or "
     "multicast: it cannot be routed\n"},
    {"  networks: ['::1/128']\n",
     "f.yaml:8:13: error: Link/beta: networks: ::1/128 is loopback, link-local or multicast: it "
     "cannot be routed\n"},
    {"  share: {networks: [192.168.1.0/24, 10.9.0.0/16]}\n", ""},
    {"  share: {networks: [192.168.1.0/24, 0.0.0.0/0]}\n",
     "f.yaml:8:21: error: Link/beta: share.networks: 0.0.0.0/0 is no network but the internet: "
     "that goes through a link by routeVia, peer by peer\n"},
    {"  identity: [sha256:0]\n",
     "f.yaml:8:14: error: Link/beta: identity: \"sha256:0\" is not right: expected sha256: and 64 "
     "hexadecimal digits in lower case\n"},
    {"  enabled: false\n  suspend: true\n  reconcile: observe\n", ""},
};

#define LINK_HEAD                                                                                  \
    "apiVersion: pic/v1\nkind: Link\nmetadata: {name: beta}\nspec:\n"                              \
    "  publicKey: iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ=\n"                                  \
    "  vpn: 10.20.0.0/24\n  domain: beta.cell\n"

Test(link, checks)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO text = STRBUF_INIT, is = STRBUF_INIT;
        strbuf_printf(&text, "%s%s", LINK_HEAD, rows[i].fields);
        struct manifest *m = manifest_parse("f.yaml", text.text, text.len);
        for (size_t k = 0; k < m->diags.count; k++)
            diag_print(&m->diags.list[k], &is);
        cr_expect_str_eq(is.text, rows[i].findings, "%s%s", rows[i].fields, is.text);
        cr_expect_eq(!m->entries[0].resource, m->diags.errors > 0, "%s", rows[i].fields);
        manifest_free(m);
    }
}

/* The defaults that the other fields say. */
Test(link, other_cells_addresses)
{
    static const char text[] = LINK_HEAD "  vpn6: fd00:20::/64\n";
    char is[ADDR_TEXT_MAX];
    struct manifest *m = manifest_parse("f.yaml", text, strlen(text));
    cr_assert_not_null(m->entries[0].resource);
    struct link_spec link = *(const struct link_spec *)m->entries[0].resource->spec;
    struct ip ip = link_address(&link);
    cr_expect_str_eq(ip_format(&ip, is), "10.20.0.1");
    ip = link_address6(&link);
    cr_expect_str_eq(ip_format(&ip, is), "fd00:20::1");
    ip = link_dns(&link);
    cr_expect_str_eq(ip_format(&ip, is), "10.20.0.1");
    cr_assert_eq(ip_parse("10.20.0.53", &link.dns), 0);
    ip = link_dns(&link);
    cr_expect_str_eq(ip_format(&ip, is), "10.20.0.53");
    link.vpn6 = (struct prefix){0};
    cr_expect_eq(link_address6(&link).family, 0);
    cr_expect_eq(link.keepalive, 25);
    cr_expect_not(link.exit_offer, "nobody is a relay who does not say so");
    cr_expect_not(link.share_services.any, "nothing is shared unless it is written");
    cr_expect_eq(link.share_services.count + link.share_networks.count, 0);
    manifest_free(m);
}
