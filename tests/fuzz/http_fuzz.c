/*
 * The parser of request heads on any bytes. The first byte says how the rest is cut into pieces:
 * the result must be the same as in one piece, and what it promises must hold.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controller/api/http_host.h"
#include "controller/api/http_parse.h"
#include "controller/api/http_response.h"
#include "controller/api/http_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds)
{
    if (!holds)
        abort();
}

static int feed(struct http_parser *p, const uint8_t *data, size_t size, size_t step,
                size_t *ret_used)
{
    int status = HTTP_MORE;
    size_t at = 0;
    http_parser_reset(p);
    while (status == HTTP_MORE && at < size) {
        size_t used;
        status = http_parse(p, data + at, step < size - at ? step : size - at, &used);
        insist(used > 0);
        at += used;
    }
    *ret_used = at;
    return status;
}

static void insist_printable(const char *text)
{
    for (; *text; text++)
        insist(*text >= ' ' && *text <= '~');
}

static void check_head(const struct http_head *head)
{
    STRBUF_AUTO value = STRBUF_INIT;
    insist(head->path[0] == '/' && !strstr(head->path, "/../"));
    insist_printable(head->path);
    insist(head->header_count <= HTTP_HEADERS_MAX);
    insist(!head->host || http_host_parse(head->host, &(struct http_host){0}) == 0);
    insist(!http_header_get(head, "transfer-encoding"));
    for (size_t i = 0; i < head->header_count; i++)
        insist(!strpbrk(head->headers[i].value, "\r\n"));
    http_query_get(head->query, "limit", &value);
    insist_printable(value.text);
    http_etag_matches(http_header_get(head, "if-none-match"), "v1");
}

static void check_same(const struct http_head *a, const struct http_head *b)
{
    insist(a->method == b->method && a->keep_alive == b->keep_alive);
    insist(a->content_length == b->content_length && a->header_count == b->header_count);
    insist(strcmp(a->path, b->path) == 0 && strcmp(a->query, b->query) == 0);
    insist(!a->host == !b->host && (!a->host || strcmp(a->host, b->host) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_parser whole, pieces;
    size_t whole_used, pieces_used;
    if (!size)
        return 0;
    size_t step = (size_t)data[0] % 32 + 1;
    int status = feed(&whole, data + 1, size - 1, SIZE_MAX, &whole_used);
    insist(feed(&pieces, data + 1, size - 1, step, &pieces_used) == status);
    insist(whole_used == pieces_used && whole_used <= HTTP_HEAD_MAX + 1);
    insist(status == 0 || status == HTTP_MORE || (status >= 400 && whole.fault));
    if (status == 0) {
        check_head(&whole.head);
        check_same(&whole.head, &pieces.head);
    }
    return 0;
}
