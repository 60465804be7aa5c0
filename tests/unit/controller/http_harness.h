/*
 * For the tests of the HTTP server: the server in a child of its own, on a unix socket and on a
 * loopback port, and a client that speaks raw bytes.
 */
#pragma once

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/api/http_server.h"
#include "schema/base/clock.h"
#include "schema/base/mem.h"

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

/* --- the server's side ------------------------------------------------------------------------ */

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

/* --- the test's side -------------------------------------------------------------------------- */

struct harness {
    pid_t pid;
    char directory[64], path[80];
    uint16_t port;
};

/* `descriptors`: how many the server may have open; 0 as many as we. */
static inline void harness_start(struct harness *h, const struct http_limits *limits,
                                 rlim_t descriptors)
{
    int ready[2];
    *h = (struct harness){.directory = "/tmp/pic-http-XXXXXX"};
    cr_assert_not_null(mkdtemp(h->directory));
    snprintf(h->path, sizeof(h->path), "%s/sock", h->directory);
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    h->pid = fork();
    cr_assert_geq(h->pid, 0);
    if (h->pid == 0) {
        close(ready[0]);
        if (descriptors)
            setrlimit(RLIMIT_NOFILE, &(struct rlimit){descriptors, descriptors});
        child_main(limits, h->path, ready[1]);
    }
    close(ready[1]);
    cr_assert_eq(read(ready[0], &h->port, sizeof(h->port)), sizeof(h->port));
    close(ready[0]);
}

static inline void harness_stop(struct harness *h)
{
    int status;
    kill(h->pid, SIGTERM);
    cr_assert_eq(waitpid(h->pid, &status, 0), h->pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the server ended with %#x", status);
    cr_expect_eq(access(h->path, F_OK), -1, "the socket was left behind");
    unlink(h->path);
    rmdir(h->directory);
}

/* A number from a line of /proc/<pid>/status, as VmRSS. */
static inline long harness_status(const struct harness *h, const char *name)
{
    char file[64], line[128];
    long value = -1;
    snprintf(file, sizeof(file), "/proc/%d/status", (int)h->pid);
    FILE *f = fopen(file, "re");
    cr_assert_not_null(f);
    while (value < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0)
            value = strtol(line + strlen(name) + 1, NULL, 10);
    fclose(f);
    return value;
}

/* Milliseconds of processor time that the server has used. */
static inline long harness_cpu_ms(const struct harness *h)
{
    char file[64];
    unsigned long user = 0, kernel = 0;
    snprintf(file, sizeof(file), "/proc/%d/stat", (int)h->pid);
    FILE *f = fopen(file, "re");
    cr_assert_not_null(f);
    int got =
        fscanf(f, "%*d %*s %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel);
    fclose(f);
    cr_assert_eq(got, 2);
    return (long)((user + kernel) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}

static inline int64_t now_ms(void)
{
    return clock_system.monotonic(NULL) / MILLISECONDS(1);
}

static inline void set_timeout(int fd, int seconds)
{
    struct timeval tv = {.tv_sec = seconds};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static inline int dial_unix(const struct harness *h)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, h->path, strlen(h->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_timeout(fd, 8);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s",
                 strerror(errno));
    return fd;
}

/* From 127.0.0.<host>. */
static inline int dial_from(const struct harness *h, unsigned host)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host)};
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(h->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_timeout(fd, 8);
    cr_assert_eq(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0, "%s", strerror(errno));
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0, "%s", strerror(errno));
    return fd;
}

static inline int dial_tcp(const struct harness *h)
{
    return dial_from(h, 1);
}

static inline bool say(int fd, const char *text)
{
    size_t len = strlen(text);
    return send(fd, text, len, MSG_NOSIGNAL) == (ssize_t)len;
}

/* Appends what comes until the server closes (true), or until time is up or it resets (false). */
static inline bool hear(int fd, struct strbuf *ret)
{
    char lump[16 * 1024];
    ssize_t n;
    while ((n = recv(fd, lump, sizeof(lump), 0)) > 0)
        strbuf_add(ret, lump, (size_t)n);
    return n == 0;
}

/* Appends at least one answer with its body, for connections that stay. */
static inline bool hear_one(int fd, struct strbuf *ret)
{
    char lump[16 * 1024];
    ssize_t n;
    const char *end, *length;
    do {
        if ((n = recv(fd, lump, sizeof(lump), 0)) <= 0)
            return false;
        strbuf_add(ret, lump, (size_t)n);
        end = strstr(ret->text, "\r\n\r\n");
        length = strstr(ret->text, "Content-Length: ");
    } while (!end || (length && length < end &&
                      ret->len < (size_t)(end + 4 - ret->text) +
                                     strtoul(length + strlen("Content-Length: "), NULL, 10)));
    return true;
}

/* One exchange on a connection of its own, which it closes; the caller frees. */
static inline char *exchange(int fd, const char *request)
{
    struct strbuf answer = STRBUF_INIT;
    say(fd, request);
    hear(fd, &answer);
    close(fd);
    return strbuf_steal(&answer);
}

static inline int status_in(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) == 0 ? (int)strtol(answer + 9, NULL, 10) : -1;
}

static inline const char *body_in(const char *answer)
{
    const char *end = strstr(answer, "\r\n\r\n");
    return end ? end + 4 : "";
}

#define CLOSE "Host: cell.home\r\nConnection: close\r\n\r\n"

/* A GET that must be answered "hello" at once, whatever else goes on. */
static inline void expect_hello(int fd)
{
    int64_t start = now_ms();
    MEM_AUTO char *answer = exchange(fd, "GET /hello HTTP/1.1\r\n" CLOSE);
    cr_expect_eq(status_in(answer), 200, "%s", answer);
    cr_expect_str_eq(body_in(answer), "hello");
    cr_expect_lt(now_ms() - start, 3000);
}
