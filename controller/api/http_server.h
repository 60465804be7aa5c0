/*
 * A small HTTP/1.1 server on libevent, for GET and HEAD, and on unix sockets for PUT with a small
 * body. It knows nothing of what it serves: one function answers every request.
 *
 * What a client can take is bounded in every direction: connections, time (in total, not a read at
 * a time), input and output. Every answer has a Content-Length except a stream. Requests may be
 * pipelined, and a client that closes its sending side still gets the whole answer.
 *
 * The process must ignore SIGPIPE.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "controller/api/http_request.h"
#include "controller/api/http_response.h"
#include "schema/base/error.h"

struct event_base;
struct http_server;

struct http_limits {
    /* Connections at a time. The two sorts do not share: whoever floods TCP cannot lock out a local
     * client. Further ones wait in the kernel's queue. */
    unsigned local_connections;
    unsigned tcp_connections;
    unsigned source_connections; /* of one address, or one local user; root has no such limit */

    unsigned header_ms; /* from the first byte of a request (from the accept for the first one) */
    unsigned body_ms;
    unsigned idle_ms;         /* between two requests */
    unsigned write_ms;        /* for a whole answer; for a stream: with output that waits */
    unsigned linger_ms;       /* for the client to close, after the last answer */
    unsigned accept_retry_ms; /* pause after accept() failed, as it does without descriptors */

    size_t body_max;   /* of a PUT */
    size_t answer_max; /* body of one answer */
    size_t unsent_max; /* answers of all connections that wait for their clients: above it new
                          requests get 503, but not root's */
    size_t stream_max; /* output of one stream that waits for its client */
};

/* 24 + 40 connections, 16 a source; 5 s for a head or a body, 30 s idle, 60 s for an answer; bodies
 * of 64 KiB, answers of 64 MiB, 32 MiB unsent, 1 MiB of a stream. */
extern const struct http_limits http_limits_default;

/*
 * handle() answers one request: it fills in the response before it returns, or makes a stream of
 * it. It may be called again for the same connection only after the answer went out. It must not
 * free the server.
 *
 * The server itself answers what never reaches the handler: malformed requests, 405 for methods
 * other than GET, HEAD and (locally) PUT, 413, 421, 503. HEAD is handled as GET; the body is left
 * away.
 */
struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
                                    void (*handle)(const struct http_request *request,
                                                   struct http_response *response, void *context),
                                    void *context);

/* Closes everything; streams are told. The unix socket is removed if it is still ours. */
void http_server_free(struct http_server *server);

/* The names (without port) by which TCP clients may call this server, besides the address they
 * connected to; anything else in the Host header is 421. Copied; replaces the former ones. */
void http_server_set_hosts(struct http_server *server, const char *const *names, size_t count);

/* See http_socket_unix() and http_socket_tcp() for what can be wrong. */
int http_server_listen_unix(struct http_server *server, const char *path, mode_t mode, gid_t gid,
                            struct error **reterr);
int http_server_listen_tcp(struct http_server *server, const char *address, struct error **reterr);

/* Stops listening on a path or address as it was given; its connections go on. */
void http_server_unlisten(struct http_server *server, const char *where);
