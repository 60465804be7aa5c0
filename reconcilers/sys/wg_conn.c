#include "reconcilers/sys/wg_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "reconcilers/sys/wg_socket.h"
#include "schema/base/mem.h"

enum {
    CHUNK_SIZE = 64 << 10,
    /* For a whole conversation; each single read or write has the socket's shorter time-out. */
    DEADLINE_SECONDS = 15,
};

static struct wg_conn *find(const struct wg_conns *conns, const char *name)
{
    for (size_t i = 0; i < conns->count; i++)
        if (strcmp(conns->list[i].name, name) == 0)
            return &conns->list[i];
    return NULL;
}

void wg_conns_clear(struct wg_conns *conns)
{
    for (size_t i = 0; i < conns->count; i++)
        close(conns->list[i].fd);
    free(conns->list);
    *conns = (struct wg_conns){0};
}

void wg_conns_drop(struct wg_conns *conns, const char *name)
{
    struct wg_conn *conn = find(conns, name);
    if (!conn)
        return;
    close(conn->fd);
    *conn = conns->list[--conns->count];
}

/* Between requests the other end has nothing to say: what can be read is the end, or a rest. */
static bool is_quiet(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    return poll(&wait, 1, 0) == 0;
}

int wg_conns_get(struct wg_conns *conns, const char *name)
{
    struct wg_conn *conn = find(conns, name);
    if (conn && is_quiet(conn->fd))
        return conn->fd;
    wg_conns_drop(conns, name);

    int fd = wg_socket_dial(name);
    if (fd < 0)
        return fd == -ECONNREFUSED ? -ENOENT : fd;
    if (wg_socket_is_foreign(fd)) {
        close(fd);
        return -ENOENT;
    }
    conns->list = mem_grow(conns->list, conns->count, &conns->capacity, sizeof(*conns->list));
    conn = &conns->list[conns->count++];
    *conn = (struct wg_conn){.fd = fd};
    snprintf(conn->name, sizeof(conn->name), "%s", name);
    return fd;
}

/* ---- one conversation ------------------------------------------------------------------------ */

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

/* The device reads lines as they come and answers once, at the end: writing everything before the
 * first read cannot dead-lock. It stops reading at the first line that it refuses. */
static int send_all(int fd, const char *text, size_t len, time_t deadline)
{
    while (len > 0) {
        ssize_t sent = send(fd, text, len, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (now() > deadline)
            return -ETIMEDOUT;
        text += sent;
        len -= (size_t)sent;
    }
    return 0;
}

static int read_answer(int fd, char *chunk, struct uapi_parser *parser, time_t deadline)
{
    int r = 0;
    while (r == 0) {
        ssize_t len = recv(fd, chunk, CHUNK_SIZE, 0);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (len == 0)
            return -ECONNRESET;
        if (now() > deadline)
            return -ETIMEDOUT;
        r = uapi_parse(parser, chunk, (size_t)len);
    }
    return r == UAPI_DONE ? 0 : r;
}

int wg_conn_ask(int fd, const char *text, size_t len, struct uapi_parser *parser)
{
    time_t deadline = now() + DEADLINE_SECONDS;
    int sent = send_all(fd, text, len, deadline);
    if (sent == -ETIMEDOUT)
        return sent;
    /* A send that broke off may have been refused half-way: the reason is there to be read. */
    char *chunk = mem_alloc(CHUNK_SIZE);
    int r = read_answer(fd, chunk, parser, deadline);
    mem_wipe(chunk, CHUNK_SIZE);
    free(chunk);
    if (sent < 0 && r == 0 && parser->errnum == 0)
        return -EBADMSG;
    return sent < 0 && r < 0 ? sent : r;
}
