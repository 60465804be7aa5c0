/*
 * The socket file by which a userspace WireGuard is spoken to: /var/run/wireguard/NAME.sock.
 *
 * The file says little: it may be a leftover (nobody listens), and since it is a file while the
 * interface is in a network namespace, it may serve an interface of the same name elsewhere.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#include "schema/base/error.h"

/* Names have passed the gate: the path fits. */
struct sockaddr_un wg_socket_address(const char *name);

/* A connected descriptor, or a negative errno value: -ENOENT no file, -ECONNREFUSED a leftover.
 * Reads and writes on it time out. */
int wg_socket_dial(const char *name);

/* Removes the file; one that is not there is fine. */
void wg_socket_unlink(const char *name);

/* The process that listens at the other end, 0 where the kernel does not say. It is the one that
 * called listen(), not the one that was started first. */
pid_t wg_socket_owner(int fd);

/* True when that process is known to live in another network namespace. */
bool wg_socket_is_foreign(int fd);

/* A descriptor (pidfd) of the process that serves this name in our namespace, or -1. */
int wg_socket_watch(const char *name);

/* After an interface is gone: waits for the end of the process that served it (`watch`, may be -1)
 * and removes what it left. A new device of that name can be made afterwards: the old process holds
 * no UDP port any more, and cannot unlink the new one's socket as its last act. Returns 0, also
 * when the socket serves another namespace, or -ETIMEDOUT. */
int wg_socket_settle(const char *name, int watch, struct error **reterr);
