#include "schema/emit/emit.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/manifest.h"

/* What readers of YAML 1.1 or 1.2 would take for something else is quoted. */
static const struct {
    const char *text, *yaml;
} texts[] = {
    {"laptop", "laptop"},
    {"10.10.0.34", "10.10.0.34"},
    {"no", "\"no\""},
    {"On", "\"On\""},
    {"null", "\"null\""},
    {"~", "\"~\""},
    {"0640", "\"0640\""},
    {"1.10", "\"1.10\""},
    {"20190612073634", "\"20190612073634\""},
    {"12:30", "\"12:30\""},
    {"2027-01-31", "\"2027-01-31\""},
    {"1e3", "\"1e3\""},
    {".inf", "\".inf\""},
    {"", "\"\""},
    {"*", "\"*\""},
    {"a: b", "\"a: b\""},
    {"a #b", "\"a #b\""},
    {"a\"b\\c\nd", "\"a\\\"b\\\\c\\nd\""},
    {"iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ=",
     "iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ="},
    {"fd00::1", "\"fd00::1\""},
};

Test(emit, texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct strbuf out = STRBUF_INIT;
        emit_yaml_text(texts[i].text, &out);
        cr_expect_str_eq(out.text, texts[i].yaml);
        strbuf_clear(&out);
    }
}

static const char *const manifests[] = {
    "apiVersion: pic/v1\nkind: Cell\nmetadata:\n  name: \"1.10\"\n  labels: {on: 'off', a: '~'}\n"
    "spec:\n  domain: alpha.cell\n  network: {vpn: 10.10.0.0/24, vpn6: 'fd00::/64', lan: "
    "[192.168.1.0/24]}\n  wireguard: {endpoint: '[2001:db8::1]:51820', mtu: 1400, linkPorts: "
    "51821-51830, privateKey: {file: key.txt}}\n  firewall: {hostAccess: [22/tcp, 53/udp]}\n"
    "  prune: {guard: {fraction: 10%, minimum: 2}}\n  api: {listen: ['loopback:3000', 'vpn:80']}\n",
    "apiVersion: pic/v1\nkind: Peer\nmetadata: {name: 'no', annotations: {x: \"a\\nb: #\"}}\n"
    "spec:\n  publicKey: iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ=\n  presharedKey: {file: p}\n"
    "  address: 10.10.0.5\n  address6: 'fd00::5'\n  internet: false\n  subnets: [10.9.0.0/24]\n"
    "  access: {services: [calendar], peers: [], links: ['*'], host: true}\n"
    "  client: {tunnel: split, keepalive: 0}\n  expires: 2027-01-31T18:00:00Z\n",
};

/* Written and read again it is the same resource, with or without defaults written out. */
Test(emit, round_trip)
{
    for (size_t i = 0; i < ARRAY_SIZE(manifests); i++) {
        struct manifest *m = manifest_parse("f.yaml", manifests[i], strlen(manifests[i]));
        cr_assert_eq(m->diags.errors, 0, "%s", m->diags.count ? m->diags.list[0].message : "");
        for (int what = EMIT_WRITTEN; what <= EMIT_ALL; what++) {
            struct strbuf out = STRBUF_INIT;
            emit_yaml(m->entries[0].resource, (enum emit_what)what, &out);
            struct manifest *again = manifest_parse("g.yaml", out.text, out.len);
            cr_assert_eq(again->diags.count, 0, "%s\n%s", again->diags.list[0].message, out.text);
            cr_expect_eq(again->entries[0].resource->hash, m->entries[0].resource->hash, "%s",
                         out.text);
            if (what == EMIT_WRITTEN)
                cr_expect_eq(again->entries[0].resource->present, m->entries[0].resource->present);
            manifest_free(again);
            strbuf_clear(&out);
        }
        manifest_free(m);
    }
}
