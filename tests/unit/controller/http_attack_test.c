/*
 * What a hostile or broken client cannot do to the HTTP server: hold it, fill it, spin it, end it.
 */
#include "tests/unit/controller/http_harness.h"

#define HOST "Host: cell.home\r\n"

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

static void expect_healthy(const struct harness *h)
{
    expect_hello(dial_unix(h));
    expect_hello(dial_from(h, 99));
}

/* Waits until the server closes or resets. Returns the milliseconds since start, or -1 after 8 s.
 */
static int64_t wait_closed(int fd, int64_t start)
{
    char lump[4096];
    ssize_t n;
    while ((n = recv(fd, lump, sizeof(lump), 0)) > 0)
        ;
    return n < 0 && errno == EAGAIN ? -1 : now_ms() - start;
}

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

/* Never reads its answer, and goes on sending meanwhile. */
static void check_no_reader(const struct harness *h, int fd)
{
    static const char lump[64 * 1024];
    size_t sent = 0;
    ssize_t n;
    cr_assert(say(fd, "GET /big HTTP/1.1\r\n" HOST "\r\n"));
    usleep(100 * 1000);
    long before = harness_status(h, "VmRSS");
    int64_t start = now_ms();
    while (now_ms() - start < 400)
        if ((n = send(fd, lump, sizeof(lump), MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
            sent += (size_t)n;
        else
            usleep(1000);
    cr_expect_lt(sent, BUFFERS_MAX, "%zu bytes were taken", sent);
    cr_expect_leq(harness_status(h, "VmRSS") - before, MEMORY_SLACK);
    expect_healthy(h);
    while (send(fd, lump, sizeof(lump), MSG_DONTWAIT | MSG_NOSIGNAL) > 0 || errno == EAGAIN) {
        cr_assert_lt(now_ms() - start, 6000, "the connection is still there");
        usleep(1000);
    }
    close(fd);
}

Test(http_attack, no_reader_floods, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    check_no_reader(&h, dial_unix(&h));
    check_no_reader(&h, dial_tcp(&h));
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

/* --- size ------------------------------------------------------------------------------------- */

/* Sends `first` and then `filler` until `total` bytes went out or the server had enough. Returns
 * the status of the answer, or 0 when there was none; *ret_sent says how much went out. */
static int pour(int fd, const char *first, const char *filler, size_t total, size_t *ret_sent)
{
    STRBUF_AUTO answer = STRBUF_INIT;
    STRBUF_AUTO lump = STRBUF_INIT;
    while (lump.len < 64 * 1024)
        strbuf_puts(&lump, filler);
    *ret_sent = 0;
    say(fd, first);
    while (*ret_sent < total && say(fd, lump.text))
        *ret_sent += lump.len;
    hear(fd, &answer);
    close(fd);
    return answer.len ? status_in(answer.text) : 0;
}

static const struct {
    const char *first, *filler;
    int status;
} floods[] = {
    {"GET / HTTP/1.1\r\n", "X: y\r\n", 431},
    {"GET / HTTP/1.1\r\nX: ", "x", 431},
    {"GET /", "x", 414},
    {"", "x", 414},
    {"", "\r\n", 400},
    {"", "\xff\xfe\x01", 400},
    {"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", "1", 501},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n", "1", 413},
    {"POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999\r\n\r\n", "1", 405},
};

/* 64 MiB of every sort: cut off early, answered if the client listens, and not kept in memory. */
Test(http_attack, floods, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    expect_healthy(&h);
    long before = harness_status(&h, "VmHWM");
    for (size_t i = 0; i < ARRAY_SIZE(floods); i++)
        for (int tcp = 0; tcp < 2; tcp++) {
            size_t sent;
            int status = pour(tcp ? dial_tcp(&h) : dial_unix(&h), floods[i].first, floods[i].filler,
                              64 * 1024 * 1024, &sent);
            cr_expect(status == floods[i].status || status == 0, "row %zu tcp=%d: %d", i, tcp,
                      status);
            cr_expect_lt(sent, BUFFERS_MAX, "row %zu tcp=%d: %zu bytes were taken", i, tcp, sent);
        }
    cr_expect_leq(harness_status(&h, "VmHWM") - before, MEMORY_SLACK);
    expect_healthy(&h);
    harness_stop(&h);
}

/* The answer to a head that is a little too large arrives for certain. */
Test(http_attack, oversized_heads_are_answered, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    for (size_t i = 0; i < ARRAY_SIZE(floods); i++)
        for (int tcp = 0; tcp < 2; tcp++) {
            size_t sent;
            int status = pour(tcp ? dial_tcp(&h) : dial_unix(&h), floods[i].first, floods[i].filler,
                              1, &sent);
            cr_expect_eq(status, floods[i].status, "row %zu tcp=%d: %d", i, tcp, status);
        }
    harness_stop(&h);
}

/* Answers that nobody reads: when they are too many, new requests must wait, but not root's. */
Test(http_attack, unread_answers, .timeout = 120)
{
    enum { READERS = 12 };
    int fds[READERS];
    struct http_limits limits = harness_limits;
    limits.write_ms = 5000;
    struct harness h;
    harness_start(&h, &limits, 0);
    long before = harness_status(&h, "VmRSS");
    for (unsigned i = 0; i < READERS; i++) {
        fds[i] = dial_from(&h, 1 + i);
        int small = 4096;
        setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
        say(fds[i], "GET /big HTTP/1.1\r\n" HOST "\r\n");
        usleep(20 * 1000);
    }
    size_t max = limits.unsent_max + limits.answer_max;
    cr_expect_leq(harness_status(&h, "VmRSS") - before, (long)(2 * max / 1024) + MEMORY_SLACK);
    MEM_AUTO char *other = exchange(dial_from(&h, 200), "GET /hello HTTP/1.1\r\n" CLOSE);
    cr_expect_eq(status_in(other), 503, "%s", other);
    cr_expect(strstr(other, "Retry-After: 1\r\n"));
    if (getuid() == 0)
        expect_hello(dial_unix(&h));
    for (unsigned i = 0; i < READERS; i++)
        close(fds[i]);
    usleep(100 * 1000);
    expect_healthy(&h);
    harness_stop(&h);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void expect_gone(const struct harness *h, unsigned count)
{
    MEM_AUTO char *want = mem_printf("gone=%u", count);
    MEM_AUTO char *counts = NULL;
    for (int i = 0; i < 60; i++) {
        mem_freep(&counts);
        counts = exchange(dial_unix(h), "GET /counts HTTP/1.1\r\n" CLOSE);
        if (strstr(counts, want))
            return;
        usleep(50 * 1000);
    }
    cr_expect(false, "\"%s\" is not \"%s\"", body_in(counts), want);
}

/* A stream that its client does not read is dropped at its limit, and its owner is told once. */
Test(http_attack, unread_stream, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    expect_healthy(&h);
    long before = harness_status(&h, "VmHWM");
    int fd = dial_unix(&h);
    cr_assert(say(fd, "GET /stream/flood HTTP/1.1\r\n" HOST "\r\n"));
    expect_gone(&h, 1);
    cr_expect_leq(harness_status(&h, "VmHWM") - before, MEMORY_SLACK + 1024);
    cr_expect_neq(wait_closed(fd, now_ms()), -1);
    close(fd);
    expect_healthy(&h);
    expect_gone(&h, 1);
    harness_stop(&h);
}

/* Nor does a client that talks into a stream fill the memory. */
Test(http_attack, flood_into_a_stream, .timeout = 120)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    expect_healthy(&h);
    long before = harness_status(&h, "VmHWM");
    size_t sent;
    pour(dial_tcp(&h), "GET /stream/keep HTTP/1.1\r\n" HOST "\r\n", "x", 64 * 1024 * 1024, &sent);
    cr_expect_lt(sent, BUFFERS_MAX, "%zu bytes were taken", sent);
    expect_gone(&h, 1);
    cr_expect_leq(harness_status(&h, "VmHWM") - before, MEMORY_SLACK);
    expect_healthy(&h);
    harness_stop(&h);
}

/* --- chaos ------------------------------------------------------------------------------------ */

static const char *const fragments[] = {
    "GET /hello HTTP/1.1\r\n",
    "GET /big HTTP/1.1\r\n",
    "HEAD /big HTTP/1.1\r\n",
    "PUT /echo HTTP/1.1\r\n",
    "GET /stream/once HTTP/1.1\r\n",
    "GET /stream/keep HTTP/1.1\r\n",
    "GET /stream/flood HTTP/1.1\r\n",
    HOST,
    HOST,
    "Content-Length: 5\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "If-None-Match: \"v1\"\r\n",
    "\r\n",
    "\r\n",
    "\r\n",
    "hello",
    " ",
    "\r",
    "\n",
    "%00",
    "\x80",
};

static void misbehave(const struct harness *h, unsigned *seed)
{
    int fd = rand_r(seed) % 2 ? dial_unix(h) : dial_from(h, 1 + (unsigned)rand_r(seed) % 200);
    char lump[32 * 1024];
    for (int i = rand_r(seed) % 30; i > 0; i--) {
        const char *text = fragments[(size_t)rand_r(seed) % ARRAY_SIZE(fragments)];
        send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (rand_r(seed) % 4 == 0)
            recv(fd, lump, sizeof(lump), MSG_DONTWAIT);
    }
    if (rand_r(seed) % 3 == 0)
        shutdown(fd, rand_r(seed) % 2 ? SHUT_WR : SHUT_RDWR);
    if (rand_r(seed) % 2) { /* a reset instead of an end */
        struct linger reset = {.l_onoff = 1};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    }
    close(fd);
}

/* Requests from shuffled parts, cut off anywhere: it lives, forgets nothing, keeps nothing. */
Test(http_attack, chaos, .timeout = 240)
{
    unsigned seed = 20240229;
    struct http_limits limits = harness_limits;
    limits.unsent_max = SIZE_MAX;
    struct harness h;
    harness_start(&h, &limits, 0);
    for (int i = 0; i < 2000; i++)
        misbehave(&h, &seed);
    usleep(1500 * 1000);
    expect_healthy(&h);
    cr_expect_leq(harness_status(&h, "FDSize"), 256);
    cr_expect_leq(harness_status(&h, "VmRSS"), 24 * 1024 + MEMORY_SLACK);
    harness_stop(&h);
}
