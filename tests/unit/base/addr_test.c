#include "schema/base/addr.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "schema/base/mem.h"

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    cr_assert_eq(ip_parse(text, &ip), 0, "\"%s\" is no address", text);
    return ip;
}

static struct prefix prefix_of(const char *text)
{
    struct prefix p = {0};
    cr_assert_eq(prefix_parse(text, &p), 0, "\"%s\" is no prefix", text);
    return p;
}

/* expect NULL: refused, and the result untouched. */
Test(addr, prefix_text)
{
    static const struct {
        const char *text, *expect;
    } rows[] = {
        {"10.0.0.1", "10.0.0.1/32"},
        {"10.0.0.1/8", "10.0.0.1/8"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"255.255.255.255/32", "255.255.255.255/32"},
        {"::", "::/128"},
        {"::/0", "::/0"},
        {"FD00:0:0::1/64", "fd00::1/64"},
        {"::ffff:1.2.3.4", "::ffff:1.2.3.4/128"},
        {"", NULL},
        {"/8", NULL},
        {"10.0.0.1/", NULL},
        {"10.0.0.1/33", NULL},
        {"10.0.0.1/-1", NULL},
        {"10.0.0.1/+8", NULL},
        {"10.0.0.1/08", NULL},
        {"10.0.0.1/8 ", NULL},
        {"10.0.0.1/8/8", NULL},
        {"10.0.0.1/4294967304", NULL},
        {"10.0.0", NULL},
        {"10.0.0.01", NULL},
        {"10.0.0.256", NULL},
        {"0x0a.0.0.1", NULL},
        {" 10.0.0.1", NULL},
        {"fd00::1/129", NULL},
        {"fd00::1::2", NULL},
        {"fd00:::1", NULL},
        {"1:2:3:4:5:6:7:8:9", NULL},
        {"fe80::1%lo", NULL},
        {"00000000000000000000000000000000000000000000000000000:1", NULL},
    };
    static const struct prefix untouched = {{77, {7}}, 7};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char buf[ADDR_TEXT_MAX];
        struct prefix p = untouched;
        int r = prefix_parse(rows[i].text, &p);
        if (rows[i].expect) {
            cr_expect(r == 0 && strcmp(prefix_format(&p, buf), rows[i].expect) == 0,
                      "\"%s\" gives %d", rows[i].text, r);
        } else {
            cr_expect_eq(r, -EINVAL, "\"%s\" was taken", rows[i].text);
            cr_expect_eq(memcmp(&p, &untouched, sizeof(p)), 0, "\"%s\"", rows[i].text);
        }
    }
}

Test(addr, longest_texts_fit)
{
    char buf[ADDR_TEXT_MAX];
    const char *longest = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    struct prefix p = prefix_of(longest);
    cr_expect_str_eq(prefix_format(&p, buf), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
    cr_expect_str_eq(ip_port_format(&p.ip, 65535, buf),
                     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535");
    struct ip four = ip_of("255.255.255.255");
    cr_expect_str_eq(ip_port_format(&four, 1, buf), "255.255.255.255:1");
    struct ip none = {0};
    cr_expect_str_eq(ip_format(&none, buf), "");
}

Test(addr, network)
{
    static const struct {
        const char *prefix, *network;
        bool host_bits, private;
        uint32_t size;
    } rows[] = {
        {"10.1.2.3/8", "10.0.0.0/8", true, true, 1u << 24},
        {"10.0.0.0/8", "10.0.0.0/8", false, true, 1u << 24},
        {"10.0.0.0/7", "10.0.0.0/7", false, false, 1u << 25},
        {"172.31.255.255/12", "172.16.0.0/12", true, true, 1u << 20},
        {"172.32.0.0/24", "172.32.0.0/24", false, false, 256},
        {"192.168.7.9/30", "192.168.7.8/30", true, true, 4},
        {"192.169.0.1/31", "192.169.0.0/31", true, false, 2},
        {"1.2.3.4/32", "1.2.3.4/32", false, false, 1},
        {"1.2.3.4/0", "0.0.0.0/0", true, false, UINT32_MAX},
        {"128.0.0.0/1", "128.0.0.0/1", false, false, 1u << 31},
        {"fd12:3456::1/64", "fd12:3456::/64", true, true, UINT32_MAX},
        {"fc00::/7", "fc00::/7", false, true, UINT32_MAX},
        {"fc00::/6", "fc00::/6", false, false, UINT32_MAX},
        {"fe80::1/128", "fe80::1/128", false, false, 1},
        {"2001:db8::ffff/113", "2001:db8::8000/113", true, false, 1u << 15},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char buf[ADDR_TEXT_MAX];
        struct prefix p = prefix_of(rows[i].prefix), network = prefix_normalise(&p);
        cr_expect_str_eq(prefix_format(&network, buf), rows[i].network, "%s: %s", rows[i].prefix,
                         buf);
        cr_expect_eq(prefix_has_host_bits(&p), rows[i].host_bits, "%s", rows[i].prefix);
        cr_expect_eq(prefix_is_private(&p), rows[i].private, "%s", rows[i].prefix);
        cr_expect_eq(prefix_size(&p), rows[i].size, "%s: %u", rows[i].prefix, prefix_size(&p));
    }
}

Test(addr, overlap)
{
    static const struct {
        const char *a, *b;
        bool a_has_b, overlap; /* a_has_b: a contains the address of b */
    } rows[] = {
        {"10.0.0.0/8", "10.9.9.9/32", true, true},    {"10.0.0.0/9", "10.128.0.0/9", false, false},
        {"10.128.0.0/9", "10.0.0.0/8", false, true},  {"0.0.0.0/0", "255.0.0.1/32", true, true},
        {"0.0.0.0/0", "::/0", false, false},          {"10.0.0.7/29", "10.0.0.1/29", true, true},
        {"10.0.0.8/29", "10.0.0.1/29", false, false}, {"::/0", "fd00::1/128", true, true},
        {"fd00::/127", "fd00::1/128", true, true},    {"fd00::/127", "fd00::2/128", false, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct prefix a = prefix_of(rows[i].a), b = prefix_of(rows[i].b);
        cr_expect_eq(prefix_contains(&a, &b.ip), rows[i].a_has_b, "row %zu", i);
        cr_expect_eq(prefix_overlaps(&a, &b), rows[i].overlap, "row %zu", i);
        cr_expect_eq(prefix_overlaps(&b, &a), rows[i].overlap, "row %zu turned round", i);
    }
}

Test(addr, host_numbers)
{
    static const struct {
        const char *prefix;
        uint32_t n;
        const char *host;
    } rows[] = {
        {"10.0.0.0/24", 0, "10.0.0.0"},
        {"10.0.0.99/24", 1, "10.0.0.1"},
        {"10.0.0.0/16", 257, "10.0.1.1"},
        {"10.0.0.0/8", 0xffffff, "10.255.255.255"},
        {"0.0.0.0/0", UINT32_MAX, "255.255.255.255"},
        {"10.0.0.16/28", 5, "10.0.0.21"},
        {"10.0.0.5/32", 0, "10.0.0.5"},
        {"fd00::/64", 1, "fd00::1"},
        {"fd00::/64", UINT32_MAX, "fd00::ffff:ffff"},
        {"fd00::ff00/120", 0xff, "fd00::ffff"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char buf[ADDR_TEXT_MAX];
        struct prefix p = prefix_of(rows[i].prefix);
        struct ip host = prefix_host(&p, rows[i].n);
        cr_expect_str_eq(ip_format(&host, buf), rows[i].host, "row %zu: %s", i, buf);
        cr_expect_eq(prefix_host_number(&p, &host), rows[i].n, "row %zu", i);
    }
}

Test(addr, order)
{
    static const char *const sorted[] = {
        "1.2.3.4/24", "1.2.3.4/32", "9.0.0.0/8", "10.0.0.0/8", "200.0.0.0/8",
        "::/0",       "::1/128",    "fd00::/8",  "fd00::/9",
    };
    for (size_t i = 0; i < ARRAY_SIZE(sorted); i++) {
        for (size_t j = 0; j < ARRAY_SIZE(sorted); j++) {
            struct prefix a = prefix_of(sorted[i]), b = prefix_of(sorted[j]);
            int order = prefix_compare(&a, &b);
            cr_expect_eq((order > 0) - (order < 0), (i > j) - (i < j), "%s against %s", sorted[i],
                         sorted[j]);
        }
    }
    struct ip a = ip_of("10.0.0.1"), b = ip_of("::a00:1");
    struct prefix host = prefix_of_host(&b);
    cr_expect_not(ip_equal(&a, &b));
    cr_expect(ip_equal(&b, &host.ip));
    cr_expect_eq(host.len, 128);
}

/* host NULL: refused, with a reason that contains `ip`. */
Test(addr, endpoint)
{
    static const struct {
        const char *text, *host, *ip;
        uint16_t port;
        bool scoped;
    } rows[] = {
        {"192.0.2.1:51820", "192.0.2.1", "192.0.2.1", 51820, false},
        {"[2001:db8::1]:1", "2001:db8::1", "2001:db8::1", 1, false},
        {"[fe80::1%lo]:65535", "fe80::1%lo", "fe80::1", 65535, true},
        {"[fe80::1%1]:2", "fe80::1%1", "fe80::1", 2, true},
        {"vpn.example.org:51820", "vpn.example.org", "", 51820, false},
        {"a_b-c.example.:3", "a_b-c.example.", "", 3, false},
        {"3com.example2:4", "3com.example2", "", 4, false},
        {"", NULL, "port is missing", 0, false},
        {"host", NULL, "port is missing", 0, false},
        {"[::1]", NULL, "port is missing", 0, false},
        {"host:", NULL, "1 to 65535", 0, false},
        {"host:0", NULL, "1 to 65535", 0, false},
        {"host:65536", NULL, "1 to 65535", 0, false},
        {"host:-1", NULL, "1 to 65535", 0, false},
        {"host: 5", NULL, "1 to 65535", 0, false},
        {"host:5x", NULL, "1 to 65535", 0, false},
        {"host:99999999999999999999", NULL, "1 to 65535", 0, false},
        {":5", NULL, "host is missing", 0, false},
        {"::1:5", NULL, "needs brackets", 0, false},
        {"[::1:5", NULL, "not closed", 0, false},
        {"[:5", NULL, "not closed", 0, false},
        {"[]:5", NULL, "not an IPv6", 0, false},
        {"[1.2.3.4]:5", NULL, "not an IPv6", 0, false},
        {"[fe80::1%nosuch0]:5", NULL, "scope", 0, false},
        {"[fe80::1%]:5", NULL, "scope", 0, false},
        {"[fe80::1%0]:5", NULL, "scope", 0, false},
        {"10.0.0.256:5", NULL, "not a valid IPv4", 0, false},
        {"1:5", NULL, "not a valid IPv4", 0, false},
        {"a..b:5", NULL, "neither", 0, false},
        {".a:5", NULL, "neither", 0, false},
        {"-a:5", NULL, "neither", 0, false},
        {"a b:5", NULL, "characters", 0, false},
        {"b\xc3\xbc.example:5", NULL, "characters", 0, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char storage[128], buf[ADDR_TEXT_MAX];
        struct endpoint e = {.port = 7};
        const char *why = "";
        int r = endpoint_parse(rows[i].text, storage, &e, &why);
        if (!rows[i].host) {
            cr_expect(r == -EINVAL && strstr(why, rows[i].ip), "\"%s\" gives %d, \"%s\"",
                      rows[i].text, r, why);
            cr_expect_eq(e.port, 7, "\"%s\" touched the result", rows[i].text);
            continue;
        }
        cr_assert_eq(r, 0, "\"%s\" is refused: %s", rows[i].text, why);
        cr_expect_str_eq(e.host, rows[i].host, "\"%s\"", rows[i].text);
        cr_expect_str_eq(ip_format(&e.ip, buf), rows[i].ip, "\"%s\"", rows[i].text);
        cr_expect_eq(e.port, rows[i].port, "\"%s\"", rows[i].text);
        cr_expect_eq(e.scope, rows[i].scoped ? if_nametoindex("lo") : 0, "\"%s\"", rows[i].text);
    }
}
