#include "controller/api/http_response.h"

#include <event2/util.h>
#include <stdarg.h>
#include <string.h>

#include "schema/base/mem.h"

static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {200, "OK"},
    {202, "Accepted"},
    {204, "No Content"},
    {304, "Not Modified"},
    {400, "Bad Request"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {409, "Conflict"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {503, "Service Unavailable"},
    {505, "HTTP Version Not Supported"},
};

/* A phrase may be empty, but not the space before it (RFC 9112, 4). */
static const char *reason_of(int status)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}

void http_response_clear(struct http_response *r)
{
    strbuf_clear(&r->body);
    strbuf_clear(&r->etag);
    strbuf_clear(&r->headers);
}

void http_response_header(struct http_response *r, const char *name, const char *value)
{
    strbuf_printf(&r->headers, "%s: ", name);
    for (; *value; value++)
        strbuf_putc(&r->headers, (unsigned char)*value < ' ' || *value == 0x7f ? ' ' : *value);
    strbuf_puts(&r->headers, "\r\n");
}

static void put_json_text(struct strbuf *out, const char *text)
{
    strbuf_putc(out, '"');
    for (; *text; text++) {
        if ((unsigned char)*text < ' ') {
            strbuf_printf(out, "\\u%04x", *text);
            continue;
        }
        if (*text == '"' || *text == '\\')
            strbuf_putc(out, '\\');
        strbuf_putc(out, *text);
    }
    strbuf_putc(out, '"');
}

void http_response_error(struct http_response *r, int status, const char *format, ...)
{
    STRBUF_AUTO sentence = STRBUF_INIT;
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&sentence, format, args);
    va_end(args);

    r->status = status;
    r->content_type = "application/json";
    strbuf_reset(&r->etag);
    strbuf_reset(&r->body);
    strbuf_puts(&r->body, "{\"error\": ");
    put_json_text(&r->body, sentence.text);
    strbuf_puts(&r->body, "}\n");
}

void http_response_not_allowed(struct http_response *r, const char *methods)
{
    http_response_header(r, "Allow", methods);
    http_response_error(r, 405, "the methods here are %s", methods);
}

bool http_etag_matches(const char *if_none_match, const char *etag)
{
    size_t len = strlen(etag);
    for (const char *at = if_none_match; at && *at;) {
        at += strspn(at, " \t,");
        if (*at == '*')
            return true;
        at += strncmp(at, "W/", 2) == 0 ? 2 : 0;
        if (*at != '"')
            return false;
        size_t tag_len = strcspn(++at, "\"");
        if (tag_len == len && memcmp(at, etag, len) == 0)
            return true;
        at += tag_len + (at[tag_len] == '"');
    }
    return false;
}

void http_response_revalidate(struct http_response *r, const struct http_head *head)
{
    if (r->status == 200 && r->etag.len && head->method != HTTP_PUT &&
        http_etag_matches(http_header_get(head, "if-none-match"), r->etag.text))
        r->status = 304;
}

bool http_response_has_body(const struct http_response *r)
{
    return r->status != 304 && r->status != 204;
}

void http_response_head(const struct http_response *r, enum http_framing framing,
                        struct strbuf *out)
{
    char date[40];
    evutil_date_rfc1123(date, sizeof(date), NULL);
    strbuf_printf(out, "HTTP/1.1 %d %s\r\nDate: %s\r\n", r->status, reason_of(r->status), date);
    strbuf_puts(out, "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\n");
    if (r->etag.len)
        strbuf_printf(out, "ETag: \"%s\"\r\n", r->etag.text);
    if (http_response_has_body(r))
        strbuf_printf(out, "Content-Type: %s\r\n", r->content_type);
    if (http_response_has_body(r) && framing != HTTP_UNFRAMED)
        strbuf_printf(out, "Content-Length: %zu\r\n", r->body.len);
    strbuf_printf(out, "Connection: %s\r\n", framing == HTTP_FRAMED ? "keep-alive" : "close");
    strbuf_add(out, r->headers.text, r->headers.len);
    strbuf_puts(out, "\r\n");
}
