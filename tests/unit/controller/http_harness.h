/*
 * For the tests of the HTTP server: starts and stops the child that serves, and is a client that
 * speaks raw bytes.
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

#include "schema/base/clock.h"
#include "schema/base/mem.h"
#include "tests/unit/controller/http_child.h"

/* How much more memory the server may use after an attack than before, in KiB. The sanitizer keeps
 * what was freed, and pads the rest. */
#if defined(__has_feature)
#define SANITIZED __has_feature(address_sanitizer)
#elif defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif
#if SANITIZED
enum { MEMORY_SLACK = 160 * 1024 };
#else
enum { MEMORY_SLACK = 2 * 1024 };
#endif

/* What one client can push into the two socket buffers and the server before it blocks. */
enum { BUFFERS_MAX = 16 * 1024 * 1024 };

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

static inline void expect_healthy(const struct harness *h)
{
    expect_hello(dial_unix(h));
    expect_hello(dial_from(h, 99));
}

/* Waits until the server closes or resets. Returns the milliseconds since start; -1 after 8 s. */
static inline int64_t wait_closed(int fd, int64_t start)
{
    char lump[4096];
    ssize_t n;
    while ((n = recv(fd, lump, sizeof(lump), 0)) > 0)
        ;
    return n < 0 && errno == EAGAIN ? -1 : now_ms() - start;
}
