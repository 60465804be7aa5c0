/*
 * For the tests of the HTTP server: a server in a child process, with a handler that has something
 * of everything.
 */
#pragma once

#include <event2/event.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/api/http_server.h"

/* Short enough for a test, long enough for a busy machine. */
static const struct http_limits harness_limits = {
    .local_connections = 24,
    .tcp_connections = 40,
    .source_connections = 16,
    .header_ms = 400,
    .body_ms = 400,
    .idle_ms = 700,
    .write_ms = 800,
    .linger_ms = 300,
    .accept_retry_ms = 200,
    .body_max = 64 * 1024,
    .answer_max = 6 * 1024 * 1024,
    .unsent_max = 12 * 1024 * 1024,
    .stream_max = 1024 * 1024,
};

enum { BIG = 5 * 1024 * 1024 };

struct child {
    struct event_base *base;
    struct event *tick;
    struct http_stream *flooded, *kept, *closing; /* open streams */
    unsigned requests, gone, ticks;
};

static inline void stream_gone(void *context)
{
    struct child *child = context;
    child->flooded = child->kept = child->closing = NULL;
    child->gone++;
}

static inline void handle_stream(struct child *child, const char *kind, struct http_response *r)
{
    r->content_type = "text/event-stream";
    struct http_stream *stream = http_response_stream(r, stream_gone, child);
    if (!stream)
        return;
    if (http_response_stream(r, stream_gone, child)) /* there is one a request */
        abort();
    http_stream_send(stream, "data: 1\n\n", 9);
    if (strcmp(kind, "flood") == 0)
        child->flooded = stream;
    else if (strcmp(kind, "keep") == 0)
        child->kept = stream;
    else if (strcmp(kind, "later") == 0)
        child->closing = stream;
    else
        http_stream_close(stream);
}

static inline void handle_who(const struct http_peer *peer, struct http_response *r)
{
    char text[ADDR_TEXT_MAX];
    strbuf_printf(&r->body, "local=%d uid=%d pid=%d ip=%s port=%d root=%d", peer->local,
                  (int)peer->uid, (int)peer->pid, ip_format(&peer->ip, text), peer->port != 0,
                  http_peer_is_root(peer));
}

static inline void handle(const struct http_request *request, struct http_response *r,
                          void *context)
{
    struct child *child = context;
    const char *path = request->head->path;
    child->requests++;
    r->content_type = "text/plain";
    if (strcmp(path, "/hello") == 0) {
        strbuf_puts(&r->body, "hello");
        strbuf_puts(&r->etag, "v1");
    } else if (strcmp(path, "/big") == 0 || strcmp(path, "/too-big") == 0) {
        size_t len = path[1] == 'b' ? BIG : 2 * BIG;
        strbuf_reserve(&r->body, len);
        memset(r->body.text, 'x', len);
        r->body.text[r->body.len = len] = '\0';
    } else if (strcmp(path, "/echo") == 0) {
        strbuf_printf(&r->body, "%zu:%s", request->body_len, request->body);
    } else if (strcmp(path, "/query") == 0) {
        strbuf_puts(&r->body, http_query(request, "q", &r->body) ? "" : "none");
    } else if (strcmp(path, "/who") == 0) {
        handle_who(request->peer, r);
    } else if (strcmp(path, "/counts") == 0) {
        strbuf_printf(&r->body, "requests=%u gone=%u", child->requests, child->gone);
    } else if (strncmp(path, "/stream/", 8) == 0) {
        handle_stream(child, path + 8, r);
    } else {
        http_response_error(r, 404, "nothing at \"%s\"", path);
    }
}

/* Sends far more to a flooded stream than any client may leave waiting; closes one now and then. */
static inline void on_tick(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    static const char lump[64 * 1024];
    struct child *child = context;
    for (unsigned i = 0; i < 64 && child->flooded; i++)
        http_stream_send(child->flooded, lump, sizeof(lump));
    if (child->closing && ++child->ticks % 10 == 0) {
        http_stream_close(child->closing);
        child->closing = NULL;
    }
}

static inline void on_term(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(context);
}

static inline uint16_t free_port(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, (struct sockaddr *)&any, len) < 0 ||
        getsockname(fd, (struct sockaddr *)&any, &len) < 0)
        abort();
    close(fd);
    return ntohs(any.sin_port);
}

/* Other tests run beside this one: a port that was free may be taken by now. */
static inline uint16_t listen_somewhere(struct http_server *server, const char *path)
{
    enum { TRIES = 20 };
    ERROR_AUTO error = NULL;
    if (http_server_listen_unix(server, path, 0660, (gid_t)-1, &error) < 0)
        return 0;
    for (int i = 0; i < TRIES; i++) {
        char address[32];
        uint16_t port = free_port();
        snprintf(address, sizeof(address), "0.0.0.0:%u", port);
        if (http_server_listen_tcp(server, address, &error) == 0)
            return port;
        error_free(error);
        error = NULL;
    }
    return 0;
}

/* Says its port once it listens, and runs until SIGTERM. */
static inline void child_main(const struct http_limits *limits, const char *path, int ready)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_IGN);
    struct child child = {.base = event_base_new()};
    struct event *term = evsignal_new(child.base, SIGTERM, on_term, child.base);
    struct event *tick = event_new(child.base, -1, EV_PERSIST, on_tick, &child);
    struct timeval often = {.tv_usec = 20 * 1000};
    event_add(term, NULL);
    event_add(tick, &often);
    struct http_server *server = http_server_new(child.base, limits, handle, &child);
    http_server_set_hosts(server, (const char *const[]){"cell.home", "localhost"}, 2);
    uint16_t port = listen_somewhere(server, path);
    if (!port || write(ready, &port, sizeof(port)) != sizeof(port))
        _exit(2);
    close(ready);
    event_base_dispatch(child.base);

    http_server_free(server);
    event_free(tick);
    event_free(term);
    event_base_free(child.base);
    _exit(child.flooded || child.kept || child.closing
              ? 3
              : 0); /* streams are told that their server is gone */
}
