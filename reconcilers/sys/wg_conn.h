/*
 * Conversations with userspace WireGuard devices: a connection to each is kept, and made anew when
 * it has failed.
 */
#pragma once

#include <net/if.h>
#include <stddef.h>

#include "reconcilers/sys/uapi.h"
#include "schema/base/error.h"

struct wg_conn {
    char name[IFNAMSIZ];
    int fd;
};

struct wg_conns {
    struct wg_conn *list; /* one an interface: a few dozen at most */
    size_t count, capacity;
};

void wg_conns_clear(struct wg_conns *conns);

/* The descriptor of a connection that is ready for a request, or a negative errno value: -ENOENT
 * when nothing serves that name in this network namespace. */
int wg_conns_get(struct wg_conns *conns, const char *name);

/* Forgets the connection: after a failure, or with the interface. */
void wg_conns_drop(struct wg_conns *conns, const char *name);

/* Sends a request and reads its whole answer. Returns 0 (parser->errnum says what the device thinks
 * of it), or a negative errno value: the connection must be dropped then. */
int wg_conn_ask(int fd, const char *text, size_t len, struct uapi_parser *parser);
