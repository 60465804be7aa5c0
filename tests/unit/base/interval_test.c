#include "schema/base/interval.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

/* Prefixes with spaces between them, in any order. */
static struct intervals intervals_of(const char *text)
{
    struct intervals intervals = {0};
    while (*text) {
        char one[ADDR_TEXT_MAX];
        struct prefix prefix;
        size_t len = strcspn(text, " ");
        cr_assert_lt(len, sizeof(one));
        memcpy(one, text, len);
        one[len] = '\0';
        cr_assert_eq(prefix_parse(one, &prefix), 0, "\"%s\" is no prefix", one);
        intervals_add(&intervals, &prefix);
        text += len;
        text += strspn(text, " ");
    }
    intervals_normalise(&intervals);
    return intervals;
}

static void expect(const struct intervals *intervals, const char *wanted, size_t row)
{
    STRBUF_AUTO text = STRBUF_INIT;
    for (size_t i = 0; i < intervals->count; i++) {
        char first[ADDR_TEXT_MAX], last[ADDR_TEXT_MAX];
        strbuf_printf(&text, "%s%s-%s", i ? " " : "", ip_format(&intervals->list[i].first, first),
                      ip_format(&intervals->list[i].last, last));
    }
    cr_expect_str_eq(text.text, wanted, "row %zu: %s", row, text.text);
}

Test(interval, normalise)
{
    static const struct {
        const char *prefixes, *intervals;
    } rows[] = {
        {"", ""},
        {"10.0.0.1", "10.0.0.1-10.0.0.1"},
        {"10.9.9.9/8", "10.0.0.0-10.255.255.255"},
        {"10.0.0.0/8 10.1.0.0/16 10.1.0.5 10.1.0.0/16", "10.0.0.0-10.255.255.255"},
        {"10.1.0.5 10.1.0.0/16 10.0.0.0/8", "10.0.0.0-10.255.255.255"},
        {"10.0.1.0/24 10.0.0.0/24", "10.0.0.0-10.0.1.255"},
        {"10.0.0.0/24 10.0.2.0/24", "10.0.0.0-10.0.0.255 10.0.2.0-10.0.2.255"},
        {"10.0.0.3 10.0.0.1 10.0.0.2", "10.0.0.1-10.0.0.3"},
        {"10.0.0.255 10.0.1.0", "10.0.0.255-10.0.1.0"},
        {"0.0.0.0/0", "0.0.0.0-255.255.255.255"},
        {"255.255.255.255 0.0.0.0", "0.0.0.0-0.0.0.0 255.255.255.255-255.255.255.255"},
        {"255.255.255.255 ::", "255.255.255.255-255.255.255.255 ::-::"},
        {"0.0.0.0/0 ::/0 10.0.0.0/8 fd00::/8",
         "0.0.0.0-255.255.255.255 ::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"fd00::/65 fd00:0:0:0:8000::/65", "fd00::-fd00::ffff:ffff:ffff:ffff"},
        {"fd00::1 10.0.0.1", "10.0.0.1-10.0.0.1 fd00::1-fd00::1"},
        {"128.0.0.0/1 0.0.0.0/1 255.255.255.255", "0.0.0.0-255.255.255.255"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        INTERVALS_AUTO intervals = intervals_of(rows[i].prefixes);
        expect(&intervals, rows[i].intervals, i);
    }
}

Test(interval, subtract)
{
    static const struct {
        const char *from, *what, *rest;
    } rows[] = {
        {"10.0.0.0/24", "", "10.0.0.0-10.0.0.255"},
        {"", "10.0.0.0/24", ""},
        {"10.0.0.0/24", "10.0.0.0/24", ""},
        {"10.0.0.0/24", "10.0.0.0/8", ""},
        {"10.0.0.0/24", "10.0.1.0/24 9.0.0.0/8", "10.0.0.0-10.0.0.255"},
        {"10.0.0.0/24", "10.0.0.0/25", "10.0.0.128-10.0.0.255"},
        {"10.0.0.0/24", "10.0.0.128/25", "10.0.0.0-10.0.0.127"},
        {"10.0.0.0/24", "10.0.0.7", "10.0.0.0-10.0.0.6 10.0.0.8-10.0.0.255"},
        {"10.0.0.0/24", "10.0.0.0 10.0.0.7 10.0.0.255", "10.0.0.1-10.0.0.6 10.0.0.8-10.0.0.254"},
        {"10.0.0.0/24 10.0.2.0/24 10.0.4.0/24", "10.0.0.128/25 10.0.2.0/23 10.0.4.0/25",
         "10.0.0.0-10.0.0.127 10.0.4.128-10.0.4.255"},
        {"10.0.0.0/24 10.0.2.0/24 10.0.4.0/24", "10.0.0.0/21", ""},
        {"0.0.0.0/0", "10.0.0.0/8", "0.0.0.0-9.255.255.255 11.0.0.0-255.255.255.255"},
        {"0.0.0.0/0", "0.0.0.0 255.255.255.255", "0.0.0.1-255.255.255.254"},
        {"0.0.0.0/0 ::/0", "::/1 0.0.0.0/1",
         "128.0.0.0-255.255.255.255 8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {"10.0.0.0/8", "::/0", "10.0.0.0-10.255.255.255"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        INTERVALS_AUTO from = intervals_of(rows[i].from);
        INTERVALS_AUTO what = intervals_of(rows[i].what);
        intervals_subtract(&from, &what);
        expect(&from, rows[i].rest, i);
    }
}

Test(interval, contain)
{
    static const struct {
        const char *ip;
        bool contained;
    } rows[] = {
        {"9.255.255.255", false},   {"10.0.0.0", true},
        {"10.0.0.255", true},       {"10.0.1.0", false},
        {"10.0.2.0", true},         {"10.0.2.1", false},
        {"0.0.0.0", false},         {"192.0.2.9", true},
        {"255.255.255.255", false}, {"::", false},
        {"fd00::", true},           {"fd00::ffff:ffff:ffff:ffff", true},
        {"fd00:0:0:1::", false},    {"::a00:0", false},
    };
    INTERVALS_AUTO intervals = intervals_of("192.0.2.0/24 fd00::/64 10.0.2.0 10.0.0.0/24");
    INTERVALS_AUTO none = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct ip ip;
        cr_assert_eq(ip_parse(rows[i].ip, &ip), 0);
        cr_expect_eq(intervals_contain(&intervals, &ip), rows[i].contained, "%s", rows[i].ip);
        cr_expect_not(intervals_contain(&none, &ip));
    }
}
