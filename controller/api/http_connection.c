#include "controller/api/http_connection.h"

#include <event2/buffer.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "schema/base/mem.h"

/* Unwanted input, in a stream or after the last answer, that is thrown away before the client is.
 */
enum { DISCARD_MAX = 256 * 1024 };

/* Of one write: a large answer takes few turns of the loop, and yet leaves room for others. */
enum { WRITE_MAX = 128 * 1024 };

static void take_first(struct http_connection *c);
static void take_head(struct http_connection *c);
static void take_body(struct http_connection *c);
static void discard(struct http_connection *c);
static void finish_answer(struct http_connection *c);
static void rest_stream(struct http_connection *c);

#define LIMIT(name) offsetof(struct http_limits, name)
#define NONE SIZE_MAX

static const struct {
    size_t deadline;                        /* which member of struct http_limits, or NONE */
    void (*take)(struct http_connection *); /* there is input; NULL: reading is off */
    void (*sent)(struct http_connection *); /* all output went out */
} states[] = {
    [HTTP_STATE_IDLE] = {LIMIT(idle_ms), take_first, NULL},
    [HTTP_STATE_HEAD] = {LIMIT(header_ms), take_head, NULL},
    [HTTP_STATE_BODY] = {LIMIT(body_ms), take_body, NULL},
    [HTTP_STATE_HANDLING] = {NONE, NULL, NULL},
    [HTTP_STATE_ANSWERING] = {LIMIT(write_ms), NULL, finish_answer},
    [HTTP_STATE_STREAMING] = {LIMIT(write_ms), discard, rest_stream},
    [HTTP_STATE_DROPPED] = {NONE, NULL, NULL},
    [HTTP_STATE_LINGERING] = {LIMIT(linger_ms), discard, NULL},
};

static void start_deadline(struct http_connection *c, size_t limit)
{
    if (limit == NONE) {
        event_del(c->deadline);
        return;
    }
    unsigned ms = *(const unsigned *)((const char *)&c->server->limits + limit);
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(c->deadline, &tv);
}

void http_connection_enter(struct http_connection *c, enum http_state state)
{
    c->state = state;
    start_deadline(c, states[state].deadline);
    if (states[state].take)
        bufferevent_enable(c->bev, EV_READ);
    else
        bufferevent_disable(c->bev, EV_READ);
}

/* --- input ------------------------------------------------------------------------------------ */

static void take_first(struct http_connection *c)
{
    http_connection_enter(c, HTTP_STATE_HEAD);
    take_head(c);
}

static void take_head(struct http_connection *c)
{
    struct evbuffer *input = bufferevent_get_input(c->bev);
    int status = HTTP_MORE;
    while (status == HTTP_MORE && evbuffer_get_length(input)) {
        size_t len = evbuffer_get_contiguous_space(input), used;
        status = http_parse(&c->parser, evbuffer_pullup(input, (ev_ssize_t)len), len, &used);
        evbuffer_drain(input, used);
    }
    if (status == HTTP_MORE)
        return;
    if (status) {
        http_exchange_refuse(c, status, c->parser.fault);
    } else if (http_exchange_admit(c)) {
        http_connection_enter(c, HTTP_STATE_BODY);
        take_body(c);
    }
}

/* The body stays in the input until it is whole; it has passed the limit on bodies. */
static void take_body(struct http_connection *c)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_head *head = &c->parser.head;
    if (evbuffer_get_length(bufferevent_get_input(c->bev)) >= head->content_length) {
        http_connection_enter(c, HTTP_STATE_HANDLING);
        http_exchange_run(c);
    } else if (head->expects_continue) {
        head->expects_continue = false;
        bufferevent_write(c->bev, go_on, sizeof(go_on) - 1);
    }
}

static void discard(struct http_connection *c)
{
    struct evbuffer *input = bufferevent_get_input(c->bev);
    size_t len = evbuffer_get_length(input);
    evbuffer_drain(input, len);
    c->discarded += len;
    if (c->discarded > DISCARD_MAX)
        http_connection_free(c);
}

/* --- output ----------------------------------------------------------------------------------- */

static void finish_answer(struct http_connection *c)
{
    http_parser_reset(&c->parser);
    if (!c->keep_alive) {
        shutdown(bufferevent_getfd(c->bev), SHUT_WR);
        http_connection_enter(c, HTTP_STATE_LINGERING);
        discard(c);
    } else if (evbuffer_get_length(bufferevent_get_input(c->bev))) {
        take_first(c); /* pipelined: libevent does not call for input that it has read already */
    } else {
        http_connection_enter(c, HTTP_STATE_IDLE);
    }
}

/* A stream with nothing to send may be quiet for as long as it likes. */
static void rest_stream(struct http_connection *c)
{
    event_del(c->deadline);
}

/* --- events of the loop ----------------------------------------------------------------------- */

static void on_input(struct bufferevent *bev, void *context)
{
    (void)bev;
    struct http_connection *c = context;
    if (states[c->state].take)
        states[c->state].take(c);
}

static void on_sent(struct bufferevent *bev, void *context)
{
    (void)bev;
    struct http_connection *c = context;
    if (states[c->state].sent)
        states[c->state].sent(c);
}

/*
 * The end of the input is not the end of the client: it may have closed its sending side alone, and
 * then still waits for the answer. As reading is off while one goes out, only a bufferevent that
 * reads on its own account, as TLS does, says so then. From a stream nobody can tell the two apart,
 * and it ends.
 */
static void on_event(struct bufferevent *bev, short what, void *context)
{
    (void)bev;
    struct http_connection *c = context;
    if ((what & BEV_EVENT_EOF) && c->state == HTTP_STATE_ANSWERING)
        c->keep_alive = false;
    else
        http_connection_free(c);
}

static void on_deadline(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    http_connection_free(context);
}

/* --- life ------------------------------------------------------------------------------------- */

void http_connection_new(struct http_server *server, int fd, const struct http_peer *peer,
                         const struct ip *local)
{
    struct http_connection *c = mem_alloc(sizeof(*c));
    c->server = server;
    c->peer = *peer;
    c->local = *local;
    c->bev = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE);
    c->deadline = evtimer_new(server->base, on_deadline, c);
    if (!c->bev || !c->deadline)
        abort();
    bufferevent_set_max_single_write(c->bev, WRITE_MAX);
    bufferevent_setcb(c->bev, on_input, on_sent, on_event, c);
    LIST_INSERT_HEAD(&server->connections, c, link);
    http_connection_enter(c, HTTP_STATE_HEAD);
}

void http_connection_free(struct http_connection *c)
{
    struct http_server *server = c->server;
    LIST_REMOVE(c, link);
    if (c->stream.gone)
        c->stream.gone(c->stream.context);
    event_free(c->deadline);
    bufferevent_free(c->bev);
    free(c);
    http_server_departed(server);
}
