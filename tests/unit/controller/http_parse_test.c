/*
 * The parser of request heads, the decoding of targets and of Host headers: rows of input and
 * result. Every head is fed whole, byte by byte, and cut at random; the result must not differ.
 */
#include "controller/api/http_parse.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/http_host.h"
#include "controller/api/http_target.h"
#include "schema/base/mem.h"

/* Feeds text in pieces of at most `step` bytes (0: of random length). Returns the status; *ret_used
 * is how much of the text belongs to the head. */
static int feed(struct http_parser *p, const char *text, size_t len, size_t step, size_t *ret_used)
{
    int status = HTTP_MORE;
    size_t at = 0;
    http_parser_reset(p);
    while (status == HTTP_MORE && at < len) {
        size_t piece = step ? step : (size_t)rand() % 7 + 1, used;
        status = http_parse(p, text + at, piece < len - at ? piece : len - at, &used);
        at += used;
    }
    *ret_used = at;
    return status;
}

static const size_t steps[] = {100000, 1, 2, 0};

/* --- good heads ------------------------------------------------------------------------------- */

#define HOST "Host: cell.home\r\n"

static const struct {
    const char *text;
    enum http_method method;
    const char *path, *query, *host;
    bool keep_alive;
    uint64_t content_length;
} good[] = {
    {"GET / HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", "", "cell.home", true, 0},
    {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", "", "cell.home", true, 0},
    {"HEAD /v1/kinds HTTP/1.1\r\nhOST:cell.home:9\r\n\r\n", HTTP_HEAD, "/v1/kinds", "",
     "cell.home:9", true, 0},
    {"PUT /x HTTP/1.1\r\n" HOST "Content-Length: 12\r\n\r\n", HTTP_PUT, "/x", "", "cell.home", true,
     12},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 18446744073709551615\r\n\r\n", HTTP_GET, "/", "",
     "cell.home", true, UINT64_MAX},
    {"BREW /pot HTTP/1.1\r\n" HOST "\r\n", HTTP_OTHER, "/pot", "", "cell.home", true, 0},
    {"get / HTTP/1.1\r\n" HOST "\r\n", HTTP_OTHER, "/", "", "cell.home", true, 0},
    {"GET /a%20b%2fc?d=%2F&e HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/a b/c", "d=%2F&e", "cell.home",
     true, 0},
    {"GET /?a?b HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/", "a?b", "cell.home", true, 0},
    {"GET /...//x..y/..z HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/...//x..y/..z", "", "cell.home",
     true, 0},
    {"GET http://CELL.home/a?b HTTP/1.1\r\n" HOST "\r\n", HTTP_GET, "/a", "b", "cell.home", true,
     0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", HTTP_GET, "/", "", "cell.home", false,
     0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: upgrade, CLOSE ,x\r\n\r\n", HTTP_GET, "/", "",
     "cell.home", false, 0},
    {"GET / HTTP/1.1\r\n" HOST "Connection: closed\r\n\r\n", HTTP_GET, "/", "", "cell.home", true,
     0},
    {"GET / HTTP/1.0\r\n\r\n", HTTP_GET, "/", "", NULL, false, 0},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", HTTP_GET, "/", "", NULL, true, 0},
    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", HTTP_GET, "/", "",
     NULL, false, 0},
    {"GET / HTTP/1.9\r\n" HOST "\r\n", HTTP_GET, "/", "", "cell.home", true, 0},
    {"GET / HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n", HTTP_GET, "/", "", "[fd00::1]:80", true, 0},
    {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HTTP_GET, "/", "", "", true, 0},
    {"GET / HTTP/1.1\r\n" HOST "X: \xc3\xa9\ty \t\r\n\r\n", HTTP_GET, "/", "", "cell.home", true,
     0},
};

static void check_good(size_t row, size_t step)
{
    struct http_parser p;
    size_t len = strlen(good[row].text), used;
    MEM_AUTO char *text = mem_printf("%sGET /next", good[row].text);
    int status = feed(&p, text, strlen(text), step, &used);
    const struct http_head *head = &p.head;
    cr_assert_eq(status, 0, "row %zu: %d %s", row, status, p.fault);
    cr_expect_eq(used, len, "row %zu takes %zu bytes", row, used);
    cr_expect_eq(head->method, good[row].method, "row %zu", row);
    cr_expect_str_eq(head->path, good[row].path, "row %zu", row);
    cr_expect_str_eq(head->query, good[row].query, "row %zu", row);
    cr_expect_eq(head->host == NULL, good[row].host == NULL, "row %zu", row);
    if (head->host && good[row].host)
        cr_expect_str_eq(head->host, good[row].host, "row %zu", row);
    cr_expect_eq(head->keep_alive, good[row].keep_alive, "row %zu", row);
    cr_expect_eq(head->content_length, good[row].content_length, "row %zu", row);
}

Test(http_parse, good_heads)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        for (size_t s = 0; s < ARRAY_SIZE(steps); s++)
            check_good(i, steps[s]);
}

/* --- bad heads -------------------------------------------------------------------------------- */

#define REST " HTTP/1.1\r\n" HOST "\r\n"
#define GET "GET / HTTP/1.1\r\n" HOST

static const struct {
    const char *text;
    int status;
} bad[] = {
    {"GET / HTTP/1.1\n" HOST "\r\n", 400},            /* bare LF */
    {"GET / HTTP/1.1\r\nHost: a\n\r\n", 400},         /* bare LF in a header */
    {"GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},     /* CR inside */
    {"GET / HTTP/1.1\r\nHost: a\r\n\n", 400},         /* bare LF at the end */
    {"\r\n\r\nGET" REST, 400},                        /* two empty lines */
    {GET "X: a\r\n b\r\n\r\n", 400},                  /* folded */
    {GET "X: a\r\n\tb\r\n\r\n", 400},                 /* folded by a tab */
    {"GET / HTTP/1.1\r\n X: a\r\n" HOST "\r\n", 400}, /* folded into the request line */
    {GET "X : a\r\n\r\n", 400},                       /* space before the colon */
    {GET "X\t: a\r\n\r\n", 400},                      /* tab before the colon */
    {GET ": a\r\n\r\n", 400},                         /* no name */
    {GET "X\r\n\r\n", 400},                           /* no colon */
    {GET "X(y): a\r\n\r\n", 400},                     /* not a token */
    {GET "X: a\x01\r\n\r\n", 400},                    /* control character */
    {GET "X: a\x7f\r\n\r\n", 400},                    /* DEL */
    {GET HOST "\r\n", 400},                           /* second Host, the same */
    {GET "host: other\r\n\r\n", 400},                 /* second Host */
    {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},     /* not a host */
    {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},     /* not a host */
    {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},     /* not a host */
    {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400},    /* a list of hosts */
    {"GET / HTTP/1.1\r\n\r\n", 400},                  /* no Host in HTTP/1.1 */
    {GET "Transfer-Encoding: chunked\r\n\r\n", 501},  /* chunked */
    {GET "Transfer-Encoding: identity\r\n\r\n", 501}, /* any coding */
    {GET "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
    {GET "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
    {GET "Content-Length: 1, 1\r\n\r\n", 400},
    {GET "Content-Length: +1\r\n\r\n", 400},
    {GET "Content-Length: -1\r\n\r\n", 400},
    {GET "Content-Length: 0x1\r\n\r\n", 400},
    {GET "Content-Length:\r\n\r\n", 400},
    {GET "Content-Length: 18446744073709551616\r\n\r\n", 413},
    {GET "Content-Length: 99999999999999999999\r\n\r\n", 413},
    {GET "Expect: 200-ok\r\n\r\n", 417},
    {"GET /\r\n\r\n", 400},            /* HTTP/0.9 */
    {"GET  /" REST, 400},              /* two spaces */
    {"GET / x" REST, 400},             /* space in the target */
    {" GET /" REST, 400},              /* space first */
    {"GET\t/" REST, 400},              /* tab */
    {"G(T /" REST, 400},               /* method is not a token */
    {"SEVENTEENLETTERSX /" REST, 400}, /* method too long */
    {"GET / HTTP/2.0\r\n" HOST "\r\n", 505},
    {"GET / HTTP/1.x\r\n" HOST "\r\n", 505},
    {"GET / HTTP/1.10\r\n" HOST "\r\n", 400},
    {"GET / http/1.1\r\n" HOST "\r\n", 400},
    {"GET / HTTP/1.1 \r\n" HOST "\r\n", 400},
    {"PRI * HTTP/2.0\r\n\r\n", 505}, /* the preface of HTTP/2 */
    {"\x16\x03\x01\x02\r\n", 400},   /* a TLS client */
    {"OPTIONS *" REST, 400},         /* asterisk form */
    {"CONNECT a:443" REST, 400},     /* authority form */
    {"GET x" REST, 400},             /* not absolute */
    {"GET ?x" REST, 400},
    {"GET http://other/a" REST, 400},          /* another host than the header's */
    {"GET http://cell.home:8080/a" REST, 400}, /* another port than the header's */
    {"GET http://cell.home" REST, 400},        /* no path */
    {"GET http:///a" REST, 400},               /* no authority */
    {"GET http://u@cell.home/" REST, 400},     /* user information */
    {"GET ftp://cell.home/a" REST, 400},       /* another scheme */
    {"GET http://a/ HTTP/1.0\r\n\r\n", 400},   /* nothing to compare with */
    {"GET /%00" REST, 400},                    /* NUL */
    {"GET /a%0d%0ab" REST, 400},               /* CR LF in disguise */
    {"GET /%7f" REST, 400},                    /* DEL */
    {"GET /%c3%a9" REST, 400},                 /* not ASCII */
    {"GET /\xc3\xa9" REST, 400},               /* not ASCII, raw */
    {"GET /%" REST, 400},                      /* bad escapes */
    {"GET /%2" REST, 400},
    {"GET /%zz" REST, 400},
    {"GET /?%" REST, 400},
    {"GET /?a=%1" REST, 400},
    {"GET /?a=%00" REST, 400},
    {"GET /a#b" REST, 400}, /* fragment */
    {"GET /?a#b" REST, 400},
    {"GET /.." REST, 400}, /* dots */
    {"GET /../etc/passwd" REST, 400},
    {"GET /a/../b" REST, 400},
    {"GET /a/./b" REST, 400},
    {"GET /a/." REST, 400},
    {"GET /%2e%2E/x" REST, 400},
    {"GET /a%2f..%2fb" REST, 400},
    {"GET /.%2e" REST, 400},
};

Test(http_parse, bad_heads)
{
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
            struct http_parser p;
            size_t used;
            int status = feed(&p, bad[i].text, strlen(bad[i].text), steps[s], &used);
            cr_expect_eq(status, bad[i].status, "row %zu: %d", i, status);
            cr_expect(status < 400 || p.fault, "row %zu has no reason", i);
        }
}

/* A byte that is a NUL ends nothing. */
Test(http_parse, nul_in_the_head)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n";
    struct http_parser p;
    size_t used;
    cr_expect_eq(feed(&p, text, sizeof(text) - 1, 1, &used), 400);
}

/* --- limits ----------------------------------------------------------------------------------- */

static char *repeat(char c, size_t count)
{
    char *text = mem_alloc(count + 1);
    memset(text, c, count);
    return text;
}

static int status_of(const char *text, size_t *ret_used)
{
    struct http_parser p;
    return feed(&p, text, strlen(text), 0, ret_used);
}

Test(http_parse, target_limit)
{
    size_t used;
    MEM_AUTO char *most = repeat('a', HTTP_TARGET_MAX - 1);
    MEM_AUTO char *fits = mem_printf("GET /%s" REST, most);
    MEM_AUTO char *over = mem_printf("GET /%sb" REST, most);
    cr_expect_eq(status_of(fits, &used), 0);
    cr_expect_eq(status_of(over, &used), 414);

    MEM_AUTO char *endless = repeat('a', 100000);
    MEM_AUTO char *never = mem_printf("GET /%s", endless);
    cr_expect_eq(status_of(never, &used), 414);
    cr_expect_leq(used, HTTP_TARGET_MAX + 64, "%zu bytes were taken", used);
}

Test(http_parse, head_limit)
{
    size_t used;
    size_t frame = strlen(GET "X: \r\n\r\n");
    MEM_AUTO char *most = repeat('a', HTTP_HEAD_MAX - frame);
    MEM_AUTO char *fits = mem_printf(GET "X: %s\r\n\r\n", most);
    MEM_AUTO char *over = mem_printf(GET "X: %sb\r\n\r\n", most);
    cr_expect_eq(status_of(fits, &used), 0);
    cr_expect_eq(status_of(over, &used), 431);
    cr_expect_eq(used, HTTP_HEAD_MAX + 1, "%zu bytes were taken", used);
}

Test(http_parse, header_limit)
{
    STRBUF_AUTO text = STRBUF_INIT;
    size_t used;
    strbuf_puts(&text, GET);
    for (unsigned i = 1; i < HTTP_HEADERS_MAX; i++)
        strbuf_printf(&text, "X-%u: %u\r\n", i, i);
    MEM_AUTO char *fits = mem_printf("%s\r\n", text.text);
    MEM_AUTO char *over = mem_printf("%sY: 1\r\n\r\n", text.text);
    cr_expect_eq(status_of(fits, &used), 0);
    cr_expect_eq(status_of(over, &used), 431);
}

Test(http_parse, headers_are_kept)
{
    struct http_parser p;
    size_t used;
    const char *text = GET "ACCEPT: a\r\nAccept: b\r\nIf-None-Match: \t\"x\" \r\nEmpty:\r\n\r\n";
    cr_assert_eq(feed(&p, text, strlen(text), 1, &used), 0);
    cr_expect_eq(p.head.header_count, 5);
    cr_expect_str_eq(http_header_get(&p.head, "accept"), "a");
    cr_expect_str_eq(http_header_get(&p.head, "if-none-match"), "\"x\"");
    cr_expect_str_eq(http_header_get(&p.head, "empty"), "");
    cr_expect_null(http_header_get(&p.head, "x"));
}

Test(http_parse, reset_forgets)
{
    struct http_parser p;
    size_t used;
    const char *first = GET "Connection: close\r\nContent-Length: 3\r\n\r\n", *second = GET "\r\n";
    cr_assert_eq(feed(&p, first, strlen(first), 1, &used), 0);
    cr_assert_eq(feed(&p, second, strlen(second), 1, &used), 0);
    cr_expect(p.head.keep_alive && !p.head.has_length && p.head.content_length == 0);
    cr_expect_eq(p.head.header_count, 1);
}

/* --- parameters ------------------------------------------------------------------------------- */

static const struct {
    const char *query, *name, *value; /* NULL: absent */
} parameters[] = {
    {"limit=5", "limit", "5"},
    {"limit=5&limit=6", "limit", "5"},
    {"a=1&limit=5&b=2", "limit", "5"},
    {"limit=", "limit", ""},
    {"limit", "limit", ""},
    {"limit&x", "limit", ""},
    {"", "limit", NULL},
    {"limits=5", "limit", NULL},
    {"limi=5", "limit", NULL},
    {"x=limit", "limit", NULL},
    {"x=limit&limit=7", "limit", "7"},
    {"&&limit=7", "limit", "7"},
    {"%6cimit=7", "limit", "7"},
    {"s=a%3Db%2Cc%3d%26", "s", "a=b,c=&"},
    {"s=a=b", "s", "a=b"},
    {"s=a+b%2Bc", "s", "a b+c"},
    {"=5", "limit", NULL},
    {"a b", "a b", ""},
};

Test(http_target, parameters)
{
    for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
        STRBUF_AUTO value = STRBUF_INIT;
        bool found = http_query_get(parameters[i].query, parameters[i].name, &value);
        cr_expect_eq(found, parameters[i].value != NULL, "row %zu", i);
        cr_expect_str_eq(value.text, found ? parameters[i].value : "", "row %zu", i);
    }
}

/* --- hosts ------------------------------------------------------------------------------------ */

static const struct {
    const char *text;
    bool ours;
} hosts[] = {
    {"cell.home", true},
    {"CELL.Home.", true},
    {"cell.home:8080", true},
    {"cell.home:", true},
    {"10.7.0.1", true},
    {"10.7.0.1:80", true},
    {"localhost", true},
    {"evil.example", false},
    {"cell.home.evil.example", false},
    {"xcell.home", false},
    {"10.7.0.2", false},
    {"10.7.0.1.evil.example", false},
    {"[fd00::1]", false},
    {"", false},
    {".", false},
    {"cell.home:80:80", false},
    {"cell.home:x", false},
    {"cell.home:123456", false},
    {"[10.7.0.1]", false},
    {"[::1", false},
    {"[::1]x", false},
    {NULL, false},
};

Test(http_host, rows)
{
    char *names[] = {"localhost", "cell.home"};
    struct ip local;
    cr_assert_eq(ip_parse("10.7.0.1", &local), 0);
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
        cr_expect_eq(http_host_is_ours(hosts[i].text, &local, names, ARRAY_SIZE(names)),
                     hosts[i].ours, "row %zu: %s", i, hosts[i].text);

    cr_assert_eq(ip_parse("fd00::1", &local), 0);
    cr_expect(http_host_is_ours("[fd00:0::1]:80", &local, NULL, 0));
    cr_expect_not(http_host_is_ours("[fd00::2]", &local, NULL, 0));
}
