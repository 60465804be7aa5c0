#include "controller/api/http_connection.h"

#include <event2/buffer.h>

struct http_stream *http_response_stream(struct http_response *r, void (*gone)(void *context),
                                         void *context)
{
    struct http_connection *c = r->connection;
    if (!c || c->state != HTTP_STATE_HANDLING)
        return NULL;

    STRBUF_AUTO head = STRBUF_INIT;
    http_response_head(r, HTTP_UNFRAMED, &head);
    bufferevent_write(c->bev, head.text, head.len);
    c->keep_alive = false;
    if (c->parser.head.method == HTTP_HEAD) {
        http_connection_enter(c, HTTP_STATE_ANSWERING);
        return NULL;
    }
    http_connection_enter(c, HTTP_STATE_STREAMING);
    c->stream = (struct http_stream){.connection = c, .gone = gone, .context = context};
    return &c->stream;
}

/* Freed by the loop and not here: the caller is walking over its list of streams. */
static void drop(struct http_connection *c)
{
    http_connection_enter(c, HTTP_STATE_DROPPED);
    event_active(c->deadline, EV_TIMEOUT, 0);
}

void http_stream_send(struct http_stream *stream, const void *data, size_t len)
{
    struct http_connection *c = stream->connection;
    if (c->state != HTTP_STATE_STREAMING)
        return;
    size_t waiting = evbuffer_get_length(bufferevent_get_output(c->bev));
    if (waiting + len > c->server->limits.stream_max) {
        drop(c);
        return;
    }
    if (!event_pending(c->deadline, EV_TIMEOUT, NULL))
        http_connection_enter(c, HTTP_STATE_STREAMING); /* now something waits: the deadline runs */
    bufferevent_write(c->bev, data, len);
}

void http_stream_close(struct http_stream *stream)
{
    struct http_connection *c = stream->connection;
    stream->gone = NULL;
    if (c->state != HTTP_STATE_STREAMING)
        return;
    http_connection_enter(c, HTTP_STATE_ANSWERING);
    /* Output that went out already calls nobody by itself. */
    bufferevent_trigger(c->bev, EV_WRITE, BEV_OPT_DEFER_CALLBACKS);
}
