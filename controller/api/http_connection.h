/*
 * One connection of the server, for the files of the server only: http_server.c accepts it,
 * http_connection.c reads and keeps time, http_exchange.c answers, http_stream.c streams.
 *
 *     accept ─────────► HEAD ───────► BODY ───────► HANDLING ─────────► STREAMING
 *                        ▲  head ends      body ends     │ answered         │ closed by
 *             first byte │                               ▼                  │ its owner
 *                       IDLE ◄──────────────────────ANSWERING ◄─────────────┘
 *                               all sent, kept alive     │ all sent, last answer
 *                                                        ▼
 *                                                   LINGERING ─────────► closed
 *
 * Every state but HANDLING has a deadline (a stream only while output waits); when it passes, or
 * the client breaks off, the connection is freed at once. A refused request goes from HEAD to
 * ANSWERING.
 */
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/queue.h>

#include "controller/api/http_parse.h"
#include "controller/api/http_request.h"
#include "controller/api/http_server.h"

enum http_state {
    HTTP_STATE_IDLE,
    HTTP_STATE_HEAD,
    HTTP_STATE_BODY,
    HTTP_STATE_HANDLING,  /* inside handle() */
    HTTP_STATE_ANSWERING, /* the answer waits for the client; reading is off, so that a flood stays
                             in the kernel and one connection never has two answers in memory */
    HTTP_STATE_STREAMING,
    HTTP_STATE_DROPPED,   /* a stream that overflowed, until the loop frees it */
    HTTP_STATE_LINGERING, /* our side is closed. Closing outright with input unread would reset the
                             connection, and the client would lose the end of its answer */
};

/* The handle that the owner of a stream has. */
struct http_stream {
    struct http_connection *connection;
    void (*gone)(void *context); /* NULL: not streaming, or closed by its owner */
    void *context;
};

struct http_connection {
    LIST_ENTRY(http_connection) link;
    struct http_server *server;
    struct bufferevent *bev;
    struct event *deadline;
    enum http_state state;
    struct http_peer peer;
    struct ip local;  /* our address; family 0 on a unix socket */
    bool keep_alive;  /* another request may follow the answer */
    size_t discarded; /* bytes of input that nobody wanted */
    struct http_stream stream;
    struct http_parser parser;
};

/* Shared by all connections of a server. */
struct http_server {
    struct event_base *base;
    struct http_limits limits;
    void (*handle)(const struct http_request *request, struct http_response *response,
                   void *context);
    void *context;
    char **hosts;
    size_t host_count;
    LIST_HEAD(, http_listener) listeners;
    LIST_HEAD(, http_connection) connections;
};

/* Takes over the accepted socket. */
void http_connection_new(struct http_server *server, int fd, const struct http_peer *peer,
                         const struct ip *local);
/* Tells the owner of a stream, and the server, that there is room now. */
void http_connection_free(struct http_connection *c);
/* Enters (again) a state: its deadline starts. */
void http_connection_enter(struct http_connection *c, enum http_state state);

/* Answers a request that goes no further. */
void http_exchange_refuse(struct http_connection *c, int status, const char *why);
/* Whether the body may come and the handler be asked; when not, the refusal is answered. */
bool http_exchange_admit(struct http_connection *c);
/* Hands the request, whose body is the beginning of the input, to the handler, and answers. */
void http_exchange_run(struct http_connection *c);

/* A connection was freed. */
void http_server_departed(struct http_server *server);
