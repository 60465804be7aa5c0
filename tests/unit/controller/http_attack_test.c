/*
 * What no client can do to the HTTP server: hold it, or make it spin.
 */
#include "tests/unit/controller/http_harness.h"

#define HOST "Host: cell.home\r\n"

/* --- time ------------------------------------------------------------------------------------- */

static const struct {
    const char *first; /* at once */
    char drip;         /* then one of these now and then */
    unsigned limit;    /* closed after these milliseconds, from the first byte */
} drips[] = {
    {"", 0, 400},                        /* says nothing */
    {"GET / HTTP/1.1\r\nX: ", 'x', 400}, /* a header without end */
    {"", 'G', 400},                      /* a method without end */
    {"PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 9999\r\n\r\n", 'x', 400},
    {"GET /hello HTTP/1.1\r\n" HOST "\r\n", 0, 700}, /* idle after one answer */
};

/* Sends a byte each 20 ms until the server closes; returns when that was, -1 if not within 8 s. */
static int64_t drip(int fd, size_t row)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t start = now_ms();
    say(fd, drips[row].first);
    while (now_ms() - start < 8000) {
        char lump[4096];
        if (poll(&p, 1, 20) > 0 && recv(fd, lump, sizeof(lump), 0) <= 0)
            return now_ms() - start;
        if (drips[row].drip)
            send(fd, &drips[row].drip, 1, MSG_NOSIGNAL);
    }
    return -1;
}

/* Every deadline is one in total, which activity does not move. */
Test(http_attack, slow_clients, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    for (size_t i = 0; i < ARRAY_SIZE(drips); i++)
        for (int tcp = 0; tcp < 2; tcp++) {
            if (tcp && strncmp(drips[i].first, "PUT", 3) == 0)
                continue; /* refused at once */
            int fd = tcp ? dial_tcp(&h) : dial_unix(&h);
            int64_t ms = drip(fd, i);
            close(fd);
            cr_expect_geq(ms, drips[i].limit - 50, "row %zu tcp=%d: %d ms", i, tcp, (int)ms);
            cr_expect_leq(ms, drips[i].limit + 2000, "row %zu tcp=%d: %d ms", i, tcp, (int)ms);
        }
    expect_healthy(&h);
    harness_stop(&h);
}

/* After its last answer the client never closes: the server does not wait for ever. */
Test(http_attack, client_that_stays, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    for (int tcp = 0; tcp < 2; tcp++) {
        STRBUF_AUTO answer = STRBUF_INIT;
        int fd = tcp ? dial_tcp(&h) : dial_unix(&h);
        say(fd, "GET /hello HTTP/1.1\r\n" CLOSE);
        cr_assert(hear(fd, &answer));
        int64_t start = now_ms();
        while (send(fd, "x", 1, MSG_NOSIGNAL) > 0 && now_ms() - start < 4000)
            usleep(20 * 1000);
        cr_expect_lt(now_ms() - start, 3000, "tcp=%d", tcp);
        close(fd);
    }
    harness_stop(&h);
}

/* B197: as many as there are places, all dripping, and more waiting behind them. */
Test(http_attack, slow_crowd, .timeout = 120)
{
    enum { CROWD = 100 };
    int fds[CROWD];
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    for (unsigned i = 0; i < CROWD; i++) {
        fds[i] = dial_from(&h, 1 + i % 20);
        say(fds[i], "GET / HTTP/1.1\r\nX: ");
    }
    int64_t start = now_ms();
    int get = dial_from(&h, 200); /* waits behind them, and they go when their time is up */
    cr_assert(say(get, "GET /hello HTTP/1.1\r\n" CLOSE));
    while (now_ms() - start < 1500) {
        for (unsigned i = 0; i < CROWD; i++)
            send(fds[i], "x", 1, MSG_NOSIGNAL);
        usleep(20 * 1000);
    }
    STRBUF_AUTO answer = STRBUF_INIT;
    cr_expect(hear(get, &answer));
    cr_expect_str_eq(body_in(answer.text), "hello");
    close(get);
    for (unsigned i = 0; i < CROWD; i++)
        close(fds[i]);
    expect_healthy(&h);
    harness_stop(&h);
}

/* --- connections ------------------------------------------------------------------------------ */

static void check_idle_crowd(const struct harness *h, unsigned places, bool tcp)
{
    enum { CROWD_MAX = 64 };
    int fds[CROWD_MAX];
    unsigned crowd = places + 10;
    cr_assert_leq(crowd, CROWD_MAX);
    for (unsigned i = 0; i < crowd; i++) {
        STRBUF_AUTO answer = STRBUF_INIT;
        fds[i] = tcp ? dial_from(h, 1 + i % 20) : dial_unix(h);
        if (i < places)
            cr_assert(say(fds[i], "GET /hello HTTP/1.1\r\n" HOST "\r\n") &&
                      hear_one(fds[i], &answer));
        if (i % 3 == 0)
            shutdown(fds[i], SHUT_WR); /* half-closed ones too */
    }
    expect_hello(tcp ? dial_from(h, 200) : dial_unix(h));
    for (unsigned i = 0; i < crowd; i++) {
        cr_expect_neq(wait_closed(fds[i], now_ms()), -1, "connection %u is still there", i);
        close(fds[i]);
    }
}

/* B196: more idle connections than there are places; a GET is answered once they time out. */
Test(http_attack, idle_crowd, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    check_idle_crowd(&h, harness_limits.tcp_connections, true);
    check_idle_crowd(&h, harness_limits.local_connections, false);
    expect_healthy(&h);
    harness_stop(&h);
}

/* While all places are taken the listener is off, and costs nothing. */
Test(http_attack, full_is_quiet, .timeout = 120)
{
    struct http_limits limits = harness_limits;
    limits.header_ms = 5000;
    int fds[60];
    struct harness h;
    harness_start(&h, &limits, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = dial_from(&h, 1 + i % 20);
    usleep(200 * 1000);
    long before = harness_cpu_ms(&h);
    usleep(1000 * 1000);
    cr_expect_leq(harness_cpu_ms(&h) - before, 200);
    expect_hello(dial_unix(&h)); /* local clients have places of their own */
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    expect_healthy(&h);
    harness_stop(&h);
}

/* One address has its share and no more; the others do not notice. */
Test(http_attack, one_address, .timeout = 120)
{
    int fds[30];
    unsigned refused = 0;
    struct http_limits limits = harness_limits;
    limits.header_ms = 5000;
    struct harness h;
    harness_start(&h, &limits, 0);
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = dial_from(&h, 1);
    expect_hello(dial_from(&h, 2));
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
        char text[16] = "";
        refused += recv(fds[i], text, sizeof(text) - 1, MSG_DONTWAIT) > 0 && strstr(text, "503");
        close(fds[i]);
    }
    cr_expect_eq(refused, ARRAY_SIZE(fds) - limits.source_connections, "%u refused", refused);
    usleep(100 * 1000);
    expect_hello(dial_from(&h, 1));
    harness_stop(&h);
}

/* The same for one local user, so that there is always a place for root. */
Test(http_attack, one_user, .timeout = 120)
{
    if (getuid() != 0)
        cr_skip_test("only root can become another user");
    struct http_limits limits = harness_limits;
    limits.header_ms = 5000;
    struct harness h;
    int up[2], status;
    char byte;
    harness_start(&h, &limits, 0);
    cr_assert_eq(chmod(h.directory, 0755) + chmod(h.path, 0666), 0);
    cr_assert_eq(pipe2(up, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setuid(4321) != 0)
            _exit(1);
        for (int i = 0; i < 40; i++)
            dial_unix(&h);
        close(up[1]);
        pause();
    }
    close(up[1]);
    cr_assert_eq(read(up[0], &byte, 1), 0);
    for (int i = 0; i < 8; i++)
        expect_hello(dial_unix(&h));
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    harness_stop(&h);
}

/* Without descriptors accept() fails at once, again and again: no spin, and it recovers. */
Test(http_attack, no_descriptors, .timeout = 120)
{
    struct http_limits limits = harness_limits;
    limits.header_ms = 3000;
    int fds[40];
    struct harness h;
    harness_start(&h, &limits, 24);
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        fds[i] = dial_from(&h, 1 + i % 20);
    usleep(200 * 1000);
    long before = harness_cpu_ms(&h);
    usleep(1000 * 1000);
    cr_expect_leq(harness_cpu_ms(&h) - before, 200);
    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
        close(fds[i]);
    expect_healthy(&h);
    harness_stop(&h);
}
