/*
 * What answers look like, without a connection.
 */
#include "controller/api/http_response.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"

static const struct {
    const char *if_none_match, *etag;
    bool matches;
} tags[] = {
    {"\"v1\"", "v1", true},
    {"W/\"v1\"", "v1", true},
    {"\"v0\", \"v1\"", "v1", true},
    {"\"v0\",W/\"v1\" , \"v2\"", "v1", true},
    {"*", "v1", true},
    {"\"a,b\"", "a,b", true},
    {"\"v10\"", "v1", false},
    {"\"v\"", "v1", false},
    {"\"v0\", \"v2\"", "v1", false},
    {"\"v0, v1\"", "v1", false},
    {"v1", "v1", false}, /* a tag has quotes */
    {"\"v1", "v1x", false},
    {"", "v1", false},
    {",,,", "v1", false},
    {NULL, "v1", false},
};

Test(http_response, tags)
{
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
        cr_expect_eq(http_etag_matches(tags[i].if_none_match, tags[i].etag), tags[i].matches,
                     "row %zu: %s", i, tags[i].if_none_match);
}

static const struct {
    enum http_method method;
    int status;
    const char *etag, *if_none_match;
    int result;
} revalidations[] = {
    {HTTP_GET, 200, "a", "\"a\"", 304}, {HTTP_HEAD, 200, "a", "\"a\"", 304},
    {HTTP_PUT, 200, "a", "\"a\"", 200}, {HTTP_GET, 404, "a", "\"a\"", 404},
    {HTTP_GET, 200, "", "\"\"", 200},   {HTTP_GET, 200, "a", "\"b\"", 200},
};

Test(http_response, revalidation)
{
    for (size_t i = 0; i < ARRAY_SIZE(revalidations); i++) {
        struct http_head head = {.method = revalidations[i].method, .header_count = 1};
        head.headers[0] = (struct http_header){"if-none-match", revalidations[i].if_none_match};
        HTTP_RESPONSE_AUTO r = HTTP_RESPONSE_INIT;
        r.status = revalidations[i].status;
        strbuf_puts(&r.etag, revalidations[i].etag);
        http_response_revalidate(&r, &head);
        cr_expect_eq(r.status, revalidations[i].result, "row %zu", i);
    }
}

/* The head with the date cut out. */
static char *head_of(const struct http_response *r, enum http_framing framing)
{
    STRBUF_AUTO text = STRBUF_INIT;
    http_response_head(r, framing, &text);
    char *date = strstr(text.text, "Date: ");
    cr_assert_not_null(date);
    char *rest = strstr(date, "\r\n") + 2;
    return mem_printf("%.*s%s", (int)(date - text.text), text.text, rest);
}

#define ALWAYS "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n"

Test(http_response, heads)
{
    HTTP_RESPONSE_AUTO r = HTTP_RESPONSE_INIT;
    strbuf_puts(&r.body, "{}\n");
    strbuf_puts(&r.etag, "7");
    http_response_header(&r, "X-More", "yes");
    MEM_AUTO char *framed = head_of(&r, HTTP_FRAMED);
    MEM_AUTO char *last = head_of(&r, HTTP_FRAMED_LAST);
    MEM_AUTO char *unframed = head_of(&r, HTTP_UNFRAMED);
    r.status = 304;
    MEM_AUTO char *empty = head_of(&r, HTTP_FRAMED);

    cr_expect_str_eq(framed, "HTTP/1.1 200 OK\r\n" ALWAYS "ETag: \"7\"\r\n"
                             "Content-Type: application/json\r\nContent-Length: 3\r\n"
                             "Connection: keep-alive\r\nX-More: yes\r\n\r\n");
    cr_expect_str_eq(last, "HTTP/1.1 200 OK\r\n" ALWAYS "ETag: \"7\"\r\n"
                           "Content-Type: application/json\r\nContent-Length: 3\r\n"
                           "Connection: close\r\nX-More: yes\r\n\r\n");
    cr_expect_str_eq(unframed, "HTTP/1.1 200 OK\r\n" ALWAYS "ETag: \"7\"\r\n"
                               "Content-Type: application/json\r\n"
                               "Connection: close\r\nX-More: yes\r\n\r\n");
    cr_expect_str_eq(empty, "HTTP/1.1 304 Not Modified\r\n" ALWAYS "ETag: \"7\"\r\n"
                            "Connection: keep-alive\r\nX-More: yes\r\n\r\n");
}

Test(http_response, errors)
{
    HTTP_RESPONSE_AUTO r = HTTP_RESPONSE_INIT;
    strbuf_puts(&r.body, "half an answer");
    strbuf_puts(&r.etag, "7");
    r.content_type = "text/html";
    http_response_error(&r, 404, "no peer \"%s\"\n\\", "x\x01");
    cr_expect_str_eq(r.body.text, "{\"error\": \"no peer \\\"x\\u0001\\\"\\u000a\\\\\"}\n");
    cr_expect_eq(r.status, 404);
    cr_expect_eq(r.etag.len, 0);
    cr_expect_str_eq(r.content_type, "application/json");
}

Test(http_response, a_value_adds_no_line)
{
    HTTP_RESPONSE_AUTO r = HTTP_RESPONSE_INIT;
    http_response_header(&r, "X", "a\r\nSet-Cookie: b\x7f");
    cr_expect_str_eq(r.headers.text, "X: a  Set-Cookie: b \r\n");
}

Test(http_response, not_allowed)
{
    HTTP_RESPONSE_AUTO r = HTTP_RESPONSE_INIT;
    http_response_not_allowed(&r, "PUT");
    cr_expect_eq(r.status, 405);
    cr_expect_str_eq(r.headers.text, "Allow: PUT\r\n");
}

/* Handlers can be tested without a connection: they get no stream then. */
Test(http_response, no_stream_without_connection)
{
    HTTP_RESPONSE_AUTO r = HTTP_RESPONSE_INIT;
    cr_expect_null(http_response_stream(&r, NULL, NULL));
}
