#include "tools/picctl/wgconf.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"
#include "schema/manifest.h"

#define CELL_KEY "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define PEER_KEY "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define SHARED_KEY "AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM="

#define CELL(network, wireguard)                                                                   \
    "apiVersion: pic/v1\nkind: Cell\nmetadata: {name: alpha}\nspec:\n  domain: alpha.cell\n"       \
    "  network: {vpn: 10.10.0.0/24" network "}\n  wireguard: {" wireguard "}\n"
#define PEER(spec)                                                                                 \
    "---\napiVersion: pic/v1\nkind: Peer\nmetadata: {name: phone}\nspec: {publicKey: " PEER_KEY    \
    ", address: 10.10.0.34" spec "}\n"

/* The config of the one Peer of a text with one Cell. */
static char *conf_of(const char *text, const char *dns, const struct wgkey *private_key,
                     const struct wgkey *preshared_key)
{
    struct manifest *manifest = manifest_parse("test", text, strlen(text));
    cr_assert(manifest->count == 2 && !manifest->diags.errors, "%s",
              manifest->diags.errors ? manifest->diags.list[0].message : text);
    const struct resource *cell = manifest->entries[0].resource;
    const struct resource *peer = manifest->entries[1].resource;
    const struct cell_spec *spec = cell->spec;
    struct ip address = prefix_host(&spec->vpn, 34), address6 = {0};
    struct wgkey public_key;
    struct strbuf out = STRBUF_INIT;

    if (spec->vpn6.ip.family)
        address6 = prefix_host(&spec->vpn6, 34);
    cr_assert_eq(wgkey_parse(CELL_KEY, &public_key), 0);
    struct wgconf conf = wgconf_of(cell, peer, &address, &address6);
    conf.public_key = &public_key;
    conf.private_key = private_key;
    conf.preshared_key = preshared_key;
    if (dns)
        cr_assert_eq(ip_parse(dns, &conf.dns), 0);
    wgconf_print(&conf, &out);
    manifest_free(manifest);
    return strbuf_steal(&out);
}

#define TOP                                                                                        \
    "# phone, a device of the cell alpha\n[Interface]\n# PrivateKey = the device has it; nobody "  \
    "else does\n"
#define MIDDLE "\n[Peer]\nPublicKey = " CELL_KEY "\n"

Test(wgconf, rows)
{
    static const struct {
        const char *name, *text, *dns, *result;
    } rows[] = {
        {"full with IPv6", CELL(", vpn6: 'fd00:1::/64'", "endpoint: home.example") PEER(""), NULL,
         TOP "Address = 10.10.0.34/32, fd00:1::22/128\n" MIDDLE "Endpoint = home.example:51820\n"
             "AllowedIPs = 0.0.0.0/0, ::/0\nPersistentKeepalive = 25\n"},
        {"split with IPv6",
         CELL(", vpn6: 'fd00:1::/64'", "endpoint: home.example") PEER(", client: {tunnel: split}"),
         NULL,
         TOP "Address = 10.10.0.34/32, fd00:1::22/128\n" MIDDLE "Endpoint = home.example:51820\n"
             "AllowedIPs = 10.10.0.0/24, fd00:1::/64\nPersistentKeepalive = 25\n"},
        {"split without IPv6", CELL("", "endpoint: home.example") PEER(", internet: false"), NULL,
         TOP "Address = 10.10.0.34/32\n" MIDDLE "Endpoint = home.example:51820\n"
             "AllowedIPs = 10.10.0.0/24\nPersistentKeepalive = 25\n"},
        {"the endpoint's own port, another mtu and keepalive, a name server",
         CELL(", vpn6: 'fd00:1::/64'", "endpoint: '192.0.2.1:4444', mtu: 1380")
             PEER(", client: {keepalive: 0}"),
         "10.10.0.1",
         TOP "Address = 10.10.0.34/32, fd00:1::22/128\nDNS = 10.10.0.1\nMTU = 1380\n" MIDDLE
             "Endpoint = 192.0.2.1:4444\nAllowedIPs = 0.0.0.0/0, ::/0\n"},
        {"the client's mtu before the cell's, the cell's port, an IPv6 endpoint",
         CELL(", vpn6: 'fd00:1::/64'",
              "endpoint: '[2001:db8::1]:51821', mtu: 1380, listenPort: 5000")
             PEER(", client: {mtu: 1300}"),
         NULL,
         TOP "Address = 10.10.0.34/32, fd00:1::22/128\nMTU = 1300\n" MIDDLE
             "Endpoint = [2001:db8::1]:51821\nAllowedIPs = 0.0.0.0/0, ::/0\n"
             "PersistentKeepalive = 25\n"},
        {"the cell's port where the endpoint has none",
         CELL(", vpn6: 'fd00:1::/64'", "endpoint: 192.0.2.1, listenPort: 5000") PEER(""), NULL,
         TOP "Address = 10.10.0.34/32, fd00:1::22/128\n" MIDDLE "Endpoint = 192.0.2.1:5000\n"
             "AllowedIPs = 0.0.0.0/0, ::/0\nPersistentKeepalive = 25\n"},
        {"routeVia is always full",
         CELL(", vpn6: 'fd00:1::/64'", "endpoint: h")
             PEER(", routeVia: beta, client: {tunnel: split}"),
         NULL,
         TOP "Address = 10.10.0.34/32, fd00:1::22/128\n" MIDDLE "Endpoint = h:51820\n"
             "AllowedIPs = 0.0.0.0/0, ::/0\nPersistentKeepalive = 25\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        MEM_AUTO char *conf = conf_of(rows[i].text, rows[i].dns, NULL, NULL);
        cr_expect_str_eq(conf, rows[i].result, "%s: %s", rows[i].name, conf);
    }
}

Test(wgconf, keys)
{
    struct wgkey private_key, preshared_key;
    cr_assert_eq(wgkey_parse(PEER_KEY, &private_key), 0);
    cr_assert_eq(wgkey_parse(SHARED_KEY, &preshared_key), 0);
    MEM_AUTO char *conf =
        conf_of(CELL("", "endpoint: h") PEER(""), NULL, &private_key, &preshared_key);
    cr_expect(strstr(conf, "[Interface]\nPrivateKey = " PEER_KEY "\nAddress"), "%s", conf);
    cr_expect(strstr(conf, "PublicKey = " CELL_KEY "\nPresharedKey = " SHARED_KEY "\nEndpoint"),
              "%s", conf);
}

/* Without network.vpn6 a full tunnel takes IPv6 all the same: an address in fd00::/8 and ::/0. */
Test(wgconf, ipv6_goes_nowhere)
{
    MEM_AUTO char *full = conf_of(CELL("", "endpoint: h") PEER(""), NULL, NULL, NULL);
    MEM_AUTO char *again = conf_of(CELL("", "endpoint: h") PEER(""), NULL, NULL, NULL);
    const char *address = strstr(full, "Address = 10.10.0.34/32, fd");
    cr_assert_not_null(address, "%s", full);
    cr_expect(strstr(address, "/128\n"), "%s", full);
    cr_expect(strstr(full, "AllowedIPs = 0.0.0.0/0, ::/0\n"), "%s", full);
    cr_expect_str_eq(full, again, "the address changes from time to time");
}
