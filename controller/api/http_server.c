#include "controller/api/http_server.h"

#include <errno.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/api/http_connection.h"
#include "controller/api/http_socket.h"
#include "schema/base/mem.h"

const struct http_limits http_limits_default = {
    .local_connections = 24,
    .tcp_connections = 40,
    .source_connections = 16,
    .header_ms = 5000,
    .body_ms = 5000,
    .idle_ms = 30 * 1000,
    .write_ms = 60 * 1000,
    .linger_ms = 1000,
    .accept_retry_ms = 1000,
    .body_max = 64 * 1024,
    .answer_max = 64 * 1024 * 1024,
    .unsent_max = 32 * 1024 * 1024,
    .stream_max = 1024 * 1024,
};

enum { BACKLOG = 512 }; /* a crowd that connects at once must not make connect() fail for others */

struct http_listener {
    LIST_ENTRY(http_listener) link;
    struct http_server *server;
    struct evconnlistener *socket;
    struct event *pause; /* pending: accept() failed a moment ago */
    char *where;
    bool local;
    struct stat made; /* the file of a unix socket */
};

/* --- how many --------------------------------------------------------------------------------- */

static bool is_full(const struct http_server *server, bool local)
{
    unsigned count = 0;
    const struct http_connection *c = LIST_FIRST(&server->connections);
    for (; c; c = LIST_NEXT(c, link))
        count += c->peer.local == local;
    return count >= (local ? server->limits.local_connections : server->limits.tcp_connections);
}

static bool same_source(const struct http_peer *a, const struct http_peer *b)
{
    if (a->local != b->local)
        return false;
    return a->local ? a->uid == b->uid : ip_equal(&a->ip, &b->ip);
}

static bool source_is_full(const struct http_server *server, const struct http_peer *peer)
{
    unsigned count = 0;
    const struct http_connection *c = LIST_FIRST(&server->connections);
    for (; c; c = LIST_NEXT(c, link))
        count += same_source(&c->peer, peer);
    return count >= server->limits.source_connections && !http_peer_is_root(peer);
}

/* A listener that may not accept must be off: a level-triggered loop would spin on its queue. */
static void update_listeners(struct http_server *server)
{
    struct http_listener *l = LIST_FIRST(&server->listeners);
    for (; l; l = LIST_NEXT(l, link)) {
        if (is_full(server, l->local) || event_pending(l->pause, EV_TIMEOUT, NULL))
            evconnlistener_disable(l->socket);
        else
            evconnlistener_enable(l->socket);
    }
}

void http_server_departed(struct http_server *server)
{
    update_listeners(server);
}

/* --- accepting -------------------------------------------------------------------------------- */

/* One attempt: this client has its fair share already. */
static void turn_away(int fd)
{
    static const char busy[] = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n"
                               "Content-Length: 0\r\nConnection: close\r\n\r\n";
    send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
}

static void on_accept(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *from,
                      int from_len, void *context)
{
    (void)socket;
    (void)from;
    (void)from_len;
    struct http_listener *l = context;
    struct http_peer peer;
    struct ip local;
    http_socket_identify(fd, &peer, &local);
    if (is_full(l->server, l->local) || source_is_full(l->server, &peer)) {
        turn_away(fd);
        return;
    }
    if (!l->local)
        http_socket_tune(fd, l->server->limits.write_ms);
    http_connection_new(l->server, fd, &peer, &local);
    update_listeners(l->server);
}

/* Without descriptors accept() fails again at once, and for as long as there are none. */
static void on_accept_error(struct evconnlistener *socket, void *context)
{
    (void)socket;
    struct http_listener *l = context;
    unsigned ms = l->server->limits.accept_retry_ms;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(l->pause, &tv);
    update_listeners(l->server);
}

static void on_pause_over(evutil_socket_t fd, short what, void *context)
{
    (void)fd;
    (void)what;
    struct http_listener *l = context;
    update_listeners(l->server);
}

/* --- listeners -------------------------------------------------------------------------------- */

/* Takes over the bound socket. */
static int listen_on(struct http_server *server, int fd, const char *where, bool local,
                     struct error **reterr)
{
    struct http_listener *l = mem_alloc(sizeof(*l));
    l->socket = evconnlistener_new(server->base, on_accept, l,
                                   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, BACKLOG, fd);
    if (!l->socket) {
        int r = error_errno(reterr, errno, "cannot listen on \"%s\"", where);
        close(fd);
        free(l);
        return r;
    }
    evconnlistener_set_error_cb(l->socket, on_accept_error);
    l->server = server;
    l->pause = evtimer_new(server->base, on_pause_over, l);
    l->where = mem_strdup(where);
    l->local = local;
    if (local)
        lstat(where, &l->made);
    LIST_INSERT_HEAD(&server->listeners, l, link);
    update_listeners(server);
    return 0;
}

int http_server_listen_unix(struct http_server *server, const char *path, mode_t mode, gid_t gid,
                            struct error **reterr)
{
    int fd;
    int r = http_socket_unix(path, mode, gid, &fd, reterr);
    return r < 0 ? r : listen_on(server, fd, path, true, reterr);
}

int http_server_listen_tcp(struct http_server *server, const char *address, struct error **reterr)
{
    int fd;
    int r = http_socket_tcp(address, &fd, reterr);
    return r < 0 ? r : listen_on(server, fd, address, false, reterr);
}

/* Another server may have put its own socket in the place of ours. */
static void remove_socket(const struct http_listener *l)
{
    struct stat now;
    if (l->local && lstat(l->where, &now) == 0 && now.st_dev == l->made.st_dev &&
        now.st_ino == l->made.st_ino)
        unlink(l->where);
}

static void listener_free(struct http_listener *l)
{
    LIST_REMOVE(l, link);
    remove_socket(l);
    evconnlistener_free(l->socket);
    event_free(l->pause);
    free(l->where);
    free(l);
}

void http_server_unlisten(struct http_server *server, const char *where)
{
    struct http_listener *l = LIST_FIRST(&server->listeners);
    for (; l; l = LIST_NEXT(l, link)) {
        if (strcmp(l->where, where) != 0)
            continue;
        listener_free(l);
        return;
    }
}

/* --- life ------------------------------------------------------------------------------------- */

struct http_server *http_server_new(struct event_base *base, const struct http_limits *limits,
                                    void (*handle)(const struct http_request *request,
                                                   struct http_response *response, void *context),
                                    void *context)
{
    struct http_server *server = mem_alloc(sizeof(*server));
    server->base = base;
    server->limits = *limits;
    server->handle = handle;
    server->context = context;
    LIST_INIT(&server->listeners);
    LIST_INIT(&server->connections);
    return server;
}

void http_server_set_hosts(struct http_server *server, const char *const *names, size_t count)
{
    for (size_t i = 0; i < server->host_count; i++)
        free(server->hosts[i]);
    free(server->hosts);
    server->hosts = mem_alloc(count * sizeof(*server->hosts));
    for (size_t i = 0; i < count; i++)
        server->hosts[i] = mem_strdup(names[i]);
    server->host_count = count;
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    struct http_listener *l, *next_l;
    for (l = LIST_FIRST(&server->listeners); l; l = next_l) {
        next_l = LIST_NEXT(l, link);
        listener_free(l);
    }
    struct http_connection *c, *next_c;
    for (c = LIST_FIRST(&server->connections); c; c = next_c) {
        next_c = LIST_NEXT(c, link);
        http_connection_free(c);
    }
    http_server_set_hosts(server, NULL, 0);
    free(server->hosts);
    free(server);
}
