/*
 * The sockets under the HTTP server: bound ones to listen on, and who is at the end of an accepted
 * one.
 */
#pragma once

#include <sys/types.h>

#include "controller/api/http_request.h"
#include "schema/base/error.h"

/*
 * A bound unix socket of this mode and group ((gid_t)-1: as it comes); nobody can connect before
 * the listen() of the caller. A socket that nobody listens on is a dead server's and is replaced; a
 * live one is -EADDRINUSE, anything that is not a socket is -EEXIST and stays.
 */
int http_socket_unix(const char *path, mode_t mode, gid_t gid, int *ret_fd, struct error **reterr);

/* A bound socket on "a.b.c.d:port" or "[v6]:port"; never on both families. */
int http_socket_tcp(const char *address, int *ret_fd, struct error **reterr);

/* Says who connected, and (TCP) at which of our addresses. */
void http_socket_identify(int fd, struct http_peer *ret_peer, struct ip *ret_local);

/* Sets the options of an accepted TCP socket: answers leave at once, and the kernel drops a client
 * that acknowledged nothing for stall_ms. */
void http_socket_tune(int fd, unsigned stall_ms);
