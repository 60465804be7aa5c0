#include "controller/api/http_connection.h"

#include <event2/buffer.h>
#include <stdint.h>
#include <stdlib.h>

#include "controller/api/http_host.h"
#include "schema/base/mem.h"

/* --- answers ---------------------------------------------------------------------------------- */

static void free_body(const void *data, size_t len, void *context)
{
    (void)len;
    (void)context;
    free((void *)(uintptr_t)data);
}

/* The output takes the text over: a large answer is never copied. */
static void send_body(struct http_connection *c, struct strbuf *body)
{
    size_t len = body->len;
    char *text = strbuf_steal(body);
    if (evbuffer_add_reference(bufferevent_get_output(c->bev), text, len, free_body, NULL) < 0)
        abort();
}

static void answer(struct http_connection *c, struct http_response *r)
{
    const struct http_head *head = &c->parser.head;
    size_t max = c->server->limits.answer_max;
    if (r->body.len > max)
        http_response_error(r, 500, "the answer is larger than %zu bytes", max);
    http_response_revalidate(r, head);

    STRBUF_AUTO text = STRBUF_INIT;
    http_response_head(r, c->keep_alive ? HTTP_FRAMED : HTTP_FRAMED_LAST, &text);
    bufferevent_write(c->bev, text.text, text.len);
    if (head->method != HTTP_HEAD && http_response_has_body(r))
        send_body(c, &r->body);
    http_connection_enter(c, HTTP_STATE_ANSWERING);
}

static const char *methods_of(const struct http_connection *c)
{
    return c->peer.local ? "GET, HEAD, PUT" : "GET, HEAD";
}

/* The connection stays only when it is sure where the next request begins. */
static void refuse(struct http_connection *c, int status, const char *why, bool stays)
{
    HTTP_RESPONSE_AUTO response = HTTP_RESPONSE_INIT;
    c->keep_alive = stays;
    if (status == 405)
        http_response_not_allowed(&response, methods_of(c));
    else
        http_response_error(&response, status, "%s", why);
    if (status == 503)
        http_response_header(&response, "Retry-After", "1");
    answer(c, &response);
}

void http_exchange_refuse(struct http_connection *c, int status, const char *why)
{
    refuse(c, status, why, false);
}

/* --- what is let in --------------------------------------------------------------------------- */

static bool has_foreign_host(const struct http_connection *c)
{
    const struct http_server *server = c->server;
    return !c->peer.local &&
           !http_host_is_ours(c->parser.head.host, &c->local, server->hosts, server->host_count);
}

static bool has_other_method(const struct http_connection *c)
{
    enum http_method method = c->parser.head.method;
    return method == HTTP_OTHER || (method == HTTP_PUT && !c->peer.local);
}

static bool has_large_body(const struct http_connection *c)
{
    const struct http_head *head = &c->parser.head;
    return head->content_length > (head->method == HTTP_PUT ? c->server->limits.body_max : 0);
}

/* Clients that do not read their answers could else fill the memory together. */
static bool meets_overload(const struct http_connection *c)
{
    size_t unsent = 0;
    const struct http_connection *each = LIST_FIRST(&c->server->connections);
    for (; each; each = LIST_NEXT(each, link))
        unsent += evbuffer_get_length(bufferevent_get_output(each->bev));
    return unsent > c->server->limits.unsent_max && !http_peer_is_root(&c->peer);
}

static const struct {
    int status;
    bool (*refuses)(const struct http_connection *c);
    const char *why;
} gates[] = {
    {421, has_foreign_host, "this server does not go by the name in the Host header"},
    {405, has_other_method, NULL},
    {413, has_large_body, "the body is too large, or has no place in this request"},
    {503, meets_overload, "too many answers wait for their clients; try again later"},
};

bool http_exchange_admit(struct http_connection *c)
{
    const struct http_head *head = &c->parser.head;
    for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
        if (!gates[i].refuses(c))
            continue;
        refuse(c, gates[i].status, gates[i].why, head->keep_alive && !head->content_length);
        return false;
    }
    return true;
}

/* --- handler ---------------------------------------------------------------------------------- */

void http_exchange_run(struct http_connection *c)
{
    STRBUF_AUTO body = STRBUF_INIT;
    const struct http_head *head = &c->parser.head;
    size_t len = (size_t)head->content_length;
    if (len) {
        struct evbuffer *input = bufferevent_get_input(c->bev);
        strbuf_add(&body, evbuffer_pullup(input, (ev_ssize_t)len), len);
        evbuffer_drain(input, len);
    }

    struct http_request request = {
        .head = head, .peer = &c->peer, .body = body.text, .body_len = body.len};
    HTTP_RESPONSE_AUTO response = HTTP_RESPONSE_INIT;
    response.connection = c;
    c->keep_alive = head->keep_alive;
    c->server->handle(&request, &response, c->server->context);
    if (c->state == HTTP_STATE_HANDLING) /* else it became a stream */
        answer(c, &response);
}
