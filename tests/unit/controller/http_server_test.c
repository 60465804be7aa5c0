/*
 * What a well-behaved client gets from the HTTP server.
 */
#include "tests/unit/controller/http_harness.h"

#define HOST "Host: cell.home\r\n"
#define LAST HOST "Connection: close\r\n"

enum { UNIX = 1, TCP = 2, BOTH = UNIX | TCP };

static const struct {
    int where;
    const char *request;
    int status;
    const char *header; /* must be there; NULL: any */
    const char *body;   /* NULL: an error in JSON */
} rows[] = {
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "\r\n", 200, "Content-Length: 5\r\n", "hello"},
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "\r\n", 200, "ETag: \"v1\"\r\n", "hello"},
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "\r\n", 200, "Connection: close\r\n", "hello"},
    {BOTH, "GET /hello HTTP/1.0\r\n" HOST "\r\n", 200, "Connection: close\r\n", "hello"},
    {BOTH, "HEAD /hello HTTP/1.1\r\n" LAST "\r\n", 200, "Content-Length: 5\r\n", ""},
    {BOTH, "HEAD /big HTTP/1.1\r\n" LAST "\r\n", 200, "Content-Length: 5242880\r\n", ""},
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "If-None-Match: \"v1\"\r\n\r\n", 304, "ETag: \"v1\"\r\n",
     ""},
    {BOTH, "HEAD /hello HTTP/1.1\r\n" LAST "If-None-Match: \"v1\"\r\n\r\n", 304, NULL, ""},
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "If-None-Match: \"v2\"\r\n\r\n", 200, NULL, "hello"},
    {BOTH, "GET /query?q=a%20b HTTP/1.1\r\n" LAST "\r\n", 200, NULL, "a b"},
    {BOTH, "GET /query?r=1 HTTP/1.1\r\n" LAST "\r\n", 200, NULL, "none"},
    {BOTH, "GET /nowhere HTTP/1.1\r\n" LAST "\r\n", 404, "Content-Type: application/json\r\n",
     NULL},
    {BOTH, "HEAD /nowhere HTTP/1.1\r\n" LAST "\r\n", 404, "Content-Length: 37\r\n", ""},
    {BOTH, "GET /too-big HTTP/1.1\r\n" LAST "\r\n", 500, NULL, NULL},
    {BOTH, "GET /../hello HTTP/1.1\r\n" LAST "\r\n", 400, "Connection: close\r\n", NULL},
    {BOTH, "GET / HTTP/2.0\r\n\r\n", 505, NULL, NULL},

    {UNIX, "PUT /echo HTTP/1.1\r\n" LAST "Content-Length: 3\r\n\r\nabc", 200, NULL, "3:abc"},
    {UNIX, "PUT /echo HTTP/1.1\r\n" LAST "\r\n", 200, NULL, "0:"},
    {UNIX, "PUT /echo HTTP/1.1\r\n" LAST "Content-Length: 65537\r\n\r\n", 413, NULL, NULL},
    {UNIX, "PUT /echo HTTP/1.1\r\n" LAST "Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n",
     413, "Connection: close\r\n", NULL},
    {UNIX, "POST /hello HTTP/1.1\r\n" LAST "\r\n", 405, "Allow: GET, HEAD, PUT\r\n", NULL},
    {TCP, "PUT /echo HTTP/1.1\r\n" LAST "Content-Length: 3\r\n\r\nabc", 405, "Allow: GET, HEAD\r\n",
     NULL},
    {TCP, "POST /hello HTTP/1.1\r\n" LAST "\r\n", 405, "Allow: GET, HEAD\r\n", NULL},
    {TCP, "DELETE /hello HTTP/1.1\r\n" LAST "\r\n", 405, "Allow: GET, HEAD\r\n", NULL},
    {TCP, "OPTIONS /hello HTTP/1.1\r\n" LAST "\r\n", 405, "Allow: GET, HEAD\r\n", NULL},
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "Content-Length: 0\r\n\r\n", 200, NULL, "hello"},
    {BOTH, "GET /hello HTTP/1.1\r\n" LAST "Content-Length: 1\r\n\r\nx", 413, NULL, NULL},
    {BOTH, "GET / HTTP/1.1\r\n" LAST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, NULL,
     NULL},

    /* DNS rebinding */
    {TCP, "GET /hello HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 421, NULL,
     NULL},
    {TCP, "GET /hello HTTP/1.1\r\nHost: 192.0.2.1\r\nConnection: close\r\n\r\n", 421, NULL, NULL},
    {TCP, "GET /hello HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", 421, NULL, NULL},
    {TCP, "GET /hello HTTP/1.0\r\n\r\n", 421, NULL, NULL},
    {TCP, "GET http://evil.example/hello HTTP/1.1\r\n" LAST "\r\n", 400, NULL, NULL},
    {TCP, "GET http://cell.home/hello HTTP/1.1\r\n" LAST "\r\n", 200, NULL, "hello"},
    {TCP, "GET /hello HTTP/1.1\r\nHost: 127.0.0.1:99\r\nConnection: close\r\n\r\n", 200, NULL,
     "hello"},
    {TCP, "GET /hello HTTP/1.1\r\nHost: LocalHost\r\nConnection: close\r\n\r\n", 200, NULL,
     "hello"},
    {UNIX, "GET /hello HTTP/1.1\r\nHost: anything\r\nConnection: close\r\n\r\n", 200, NULL,
     "hello"},

    /* who asks */
    {TCP, "GET /who HTTP/1.1\r\n" LAST "\r\n", 200, NULL,
     "local=0 uid=-1 pid=0 ip=127.0.0.1 port=1 root=0"},
};

static void check_row(const struct harness *h, size_t row, bool tcp)
{
    MEM_AUTO char *answer = exchange(tcp ? dial_tcp(h) : dial_unix(h), rows[row].request);
    const char *body = body_in(answer);
    cr_expect_eq(status_in(answer), rows[row].status, "row %zu tcp=%d: %s", row, tcp, answer);
    if (rows[row].header)
        cr_expect(strstr(answer, rows[row].header), "row %zu tcp=%d: %s", row, tcp, answer);
    if (rows[row].body)
        cr_expect_str_eq(body, rows[row].body, "row %zu tcp=%d", row, tcp);
    else
        cr_expect(strncmp(body, "{\"error\": \"", 11) == 0, "row %zu tcp=%d: %s", row, tcp, answer);
}

Test(http_server, rows, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].where & UNIX)
            check_row(&h, i, false);
        if (rows[i].where & TCP)
            check_row(&h, i, true);
    }
    harness_stop(&h);
}

/* Answers come one after another on a connection that stays; an answered refusal does not end it.
 */
Test(http_server, keep_alive, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    int fd = dial_tcp(&h);
    for (int i = 0; i < 3; i++) {
        STRBUF_AUTO answer = STRBUF_INIT;
        cr_assert(say(fd, "GET /hello HTTP/1.1\r\n" HOST "\r\n") && hear_one(fd, &answer));
        cr_expect_eq(status_in(answer.text), 200);
        cr_expect(strstr(answer.text, "Connection: keep-alive\r\n"));
        strbuf_reset(&answer);
        cr_assert(say(fd, "DELETE /hello HTTP/1.1\r\n" HOST "\r\n") && hear_one(fd, &answer));
        cr_expect_eq(status_in(answer.text), 405);
        strbuf_reset(&answer);
        cr_assert(say(fd, "HEAD /hello HTTP/1.1\r\n" HOST "\r\n") &&
                  recv(fd, (char[1]){0}, 1, MSG_PEEK) == 1);
        strbuf_reserve(&answer, 4096);
        cr_assert_gt(recv(fd, answer.text, 4096, 0), 0);
        cr_expect(strstr(answer.text, "Content-Length: 5\r\n"));
    }
    expect_hello(fd);
    harness_stop(&h);
}

/* The answer is whole, and then the connection ends. */
static void check_orderly(int fd, const char *request, int status)
{
    STRBUF_AUTO answer = STRBUF_INIT;
    cr_expect(say(fd, request));
    cr_expect(hear(fd, &answer), "the connection was reset, or stays");
    cr_expect_eq(status_in(answer.text), status, "%s", answer.text);
    close(fd);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    while ((text = strstr(text, word))) {
        count++;
        text += strlen(word);
    }
    return count;
}

Test(http_server, pipelining, .timeout = 60)
{
    struct harness h;
    STRBUF_AUTO requests = STRBUF_INIT;
    harness_start(&h, &harness_limits, 0);
    for (int i = 0; i < 200; i++)
        strbuf_printf(&requests, "GET /query?q=<%d> HTTP/1.1\r\n" HOST "\r\n", i);
    strbuf_puts(&requests, "GET /hello HTTP/1.1\r\n" LAST "\r\n");

    MEM_AUTO char *answer = exchange(dial_unix(&h), requests.text);
    cr_expect_eq(count_of(answer, "HTTP/1.1 200 OK\r\n"), 201);
    const char *at = answer;
    for (int i = 0; i < 200 && at; i++) { /* in the order of the requests */
        MEM_AUTO char *mine = mem_printf("\r\n\r\n<%d>HTTP/1.1", i);
        at = strstr(at, mine);
    }
    cr_expect_not_null(at);
    harness_stop(&h);
}

/* Bodies and the next requests come in the same packets. */
Test(http_server, pipelined_bodies, .timeout = 60)
{
    struct harness h;
    STRBUF_AUTO requests = STRBUF_INIT;
    harness_start(&h, &harness_limits, 0);
    for (int i = 0; i < 20; i++)
        strbuf_puts(&requests, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 6\r\n\r\nGET / ");
    strbuf_puts(&requests, "GET /hello HTTP/1.1\r\n" LAST "\r\n");
    MEM_AUTO char *answer = exchange(dial_unix(&h), requests.text);
    cr_expect_eq(count_of(answer, "\r\n\r\n6:GET / HTTP/1.1 200 OK"), 20);
    cr_expect_eq(count_of(answer, "hello"), 1);
    harness_stop(&h);
}

Test(http_server, largest_body, .timeout = 60)
{
    struct harness h;
    STRBUF_AUTO request = STRBUF_INIT;
    STRBUF_AUTO answer = STRBUF_INIT;
    harness_start(&h, &harness_limits, 0);
    int fd = dial_unix(&h);
    cr_assert(say(fd, "PUT /echo HTTP/1.1\r\n" LAST
                      "Content-Length: 65536\r\nExpect: 100-continue\r\n\r\n"));
    char go_on[25];
    cr_assert_eq(recv(fd, go_on, sizeof(go_on), MSG_WAITALL), sizeof(go_on));
    cr_expect_eq(strncmp(go_on, "HTTP/1.1 100 Continue\r\n\r\n", sizeof(go_on)), 0);

    for (int i = 0; i < 65536; i++)
        strbuf_putc(&request, (char)('a' + i % 26));
    cr_assert(say(fd, request.text));
    cr_assert(hear(fd, &answer));
    cr_expect(strncmp(body_in(answer.text), "65536:", 6) == 0);
    cr_expect_str_eq(body_in(answer.text) + 6, request.text);
    close(fd);
    harness_stop(&h);
}

/* The request comes one byte at a time, which is slow but within the deadline. */
Test(http_server, trickle, .timeout = 60)
{
    static const char request[] = "GET /hello HTTP/1.1\r\n" LAST "\r\n";
    struct harness h;
    STRBUF_AUTO answer = STRBUF_INIT;
    harness_start(&h, &harness_limits, 0);
    int fd = dial_tcp(&h);
    for (size_t i = 0; i + 1 < sizeof(request); i++) {
        send(fd, request + i, 1, MSG_NOSIGNAL);
        usleep(500);
    }
    cr_assert(hear(fd, &answer));
    cr_expect_str_eq(body_in(answer.text), "hello");
    close(fd);
    harness_stop(&h);
}

static void check_half_close(int fd)
{
    STRBUF_AUTO answer = STRBUF_INIT;
    cr_assert(say(fd, "GET /big HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"));
    shutdown(fd, SHUT_WR);
    usleep(100 * 1000);
    cr_assert(hear(fd, &answer));
    const char *body = body_in(answer.text);
    cr_expect_eq(strspn(body, "x"), BIG);
    cr_expect(strncmp(body + BIG, "HTTP/1.1 200", 12) == 0, "the second answer is missing");
    close(fd);
}

/* A client that closes its sending side gets everything it asked for: 5 MB and one more answer. */
Test(http_server, half_close, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    check_half_close(dial_unix(&h));
    check_half_close(dial_tcp(&h));
    harness_stop(&h);
}

/* An answer that comes before the body was read is not followed by a reset, which could destroy it.
 */
Test(http_server, refusal_of_a_body_arrives, .timeout = 60)
{
    struct harness h;
    STRBUF_AUTO request = STRBUF_INIT;
    harness_start(&h, &harness_limits, 0);
    strbuf_puts(&request, "PUT /echo HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n");
    for (int i = 0; i < 100000; i++)
        strbuf_putc(&request, 'x');
    for (int i = 0; i < 20; i++) {
        check_orderly(dial_unix(&h), request.text, 413);
        check_orderly(dial_tcp(&h), request.text, 405);
    }
    harness_stop(&h);
}

/* What follows a refused head is a body, not a request, whatever it looks like. */
Test(http_server, refused_body_is_no_request, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    MEM_AUTO char *answer =
        exchange(dial_tcp(&h), "POST /hello HTTP/1.1\r\n" HOST "Content-Length: 40\r\n\r\n"
                               "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    cr_expect_eq(status_in(answer), 405);
    cr_expect_eq(count_of(answer, "HTTP/1.1"), 1, "%s", answer);
    harness_stop(&h);
}

/* SO_PEERCRED says who connected: here a child that became another user. */
Test(http_server, peer_credentials, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    MEM_AUTO char *mine = exchange(dial_unix(&h), "GET /who HTTP/1.1\r\n" LAST "\r\n");
    MEM_AUTO char *want = mem_printf("local=1 uid=%d pid=%d ip= port=0 root=%d", (int)getuid(),
                                     (int)getpid(), getuid() == 0);
    cr_expect_str_eq(body_in(mine), want);

    if (getuid() != 0)
        cr_skip_test("only root can become another user");
    cr_assert_eq(chmod(h.directory, 0755) + chmod(h.path, 0666), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setuid(4321) != 0)
            _exit(1);
        char *other = exchange(dial_unix(&h), "GET /who HTTP/1.1\r\n" LAST "\r\n");
        _exit(strstr(other, "local=1 uid=4321") && strstr(other, "root=0") ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0, "the other user was not told apart");
    harness_stop(&h);
}

/* --- streams ---------------------------------------------------------------------------------- */

Test(http_server, streams, .timeout = 60)
{
    struct harness h;
    struct http_limits limits = harness_limits;
    limits.write_ms = 60 * 1000; /* so that no deadline does the owner's work */
    harness_start(&h, &limits, 0);
    MEM_AUTO char *closed = exchange(dial_tcp(&h), "GET /stream/once HTTP/1.1\r\n" HOST "\r\n");
    cr_expect(strstr(closed, "Content-Type: text/event-stream\r\n"));
    cr_expect(strstr(closed, "Connection: close\r\n"));
    cr_expect_null(strstr(closed, "Content-Length"));
    cr_expect_str_eq(body_in(closed), "data: 1\n\n");

    /* closed by its owner when everything sent has long gone out */
    check_orderly(dial_tcp(&h), "GET /stream/later HTTP/1.1\r\n" HOST "\r\n", 200);

    MEM_AUTO char *head = exchange(dial_tcp(&h), "HEAD /stream/once HTTP/1.1\r\n" HOST "\r\n");
    cr_expect_eq(status_in(head), 200);
    cr_expect_str_eq(body_in(head), "");
    harness_stop(&h);
}

static void expect_counts(const struct harness *h, const char *want)
{
    MEM_AUTO char *counts = NULL;
    for (int i = 0; i < 40; i++) {
        mem_freep(&counts);
        counts = exchange(dial_unix(h), "GET /counts HTTP/1.1\r\n" LAST "\r\n");
        if (strstr(counts, want))
            return;
        usleep(50 * 1000);
    }
    cr_expect(false, "\"%s\" is not \"%s\"", body_in(counts), want);
}

/* A quiet stream lives on past every deadline; its owner is told once when the client goes. */
Test(http_server, quiet_stream, .timeout = 60)
{
    struct harness h;
    STRBUF_AUTO answer = STRBUF_INIT;
    harness_start(&h, &harness_limits, 0);
    int fd = dial_tcp(&h);
    cr_assert(say(fd, "GET /stream/keep HTTP/1.1\r\n" HOST "\r\n"));
    while (!strstr(answer.text, "data: 1\n\n"))
        cr_assert(recv(fd, (char[1]){0}, 1, MSG_PEEK) == 1 && hear_one(fd, &answer));
    usleep(2000 * 1000);
    expect_counts(&h, "gone=0");
    cr_expect_eq(recv(fd, (char[1]){0}, 1, MSG_DONTWAIT), -1);
    close(fd);
    expect_counts(&h, "gone=1");
    harness_stop(&h);
}

/* A server that is freed tells the owners of its streams: see the child's exit status. */
Test(http_server, freed_with_a_stream, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    int fd = dial_tcp(&h);
    cr_assert(say(fd, "GET /stream/keep HTTP/1.1\r\n" HOST "\r\n"));
    cr_assert_eq(recv(fd, (char[1]){0}, 1, 0), 1);
    harness_stop(&h);
    close(fd);
}

static size_t open_descriptors(void)
{
    size_t count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Freed in the middle of everything; here the leak sanitizer looks on. */
Test(http_server, everything_is_freed)
{
    struct harness h = {.directory = "/tmp/pic-http-XXXXXX"};
    int fds[ARRAY_SIZE(rows)];
    ERROR_AUTO error = NULL;
    struct http_limits limits = harness_limits;
    limits.local_connections = ARRAY_SIZE(rows) / 2;
    cr_assert_not_null(mkdtemp(h.directory));
    snprintf(h.path, sizeof(h.path), "%s/sock", h.directory);
    size_t before = open_descriptors();

    struct child child = {.base = event_base_new()};
    struct http_server *server = http_server_new(child.base, &limits, handle, &child);
    http_server_set_hosts(server, (const char *const[]){"a", "b"}, 2);
    http_server_set_hosts(server, (const char *const[]){"c"}, 1);
    cr_assert_eq(http_server_listen_unix(server, h.path, 0600, (gid_t)-1, &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        fds[i] = dial_unix(&h);
        say(fds[i], i % 7 ? rows[i].request : "GET /stream/keep HTTP/1.1\r\nHost:\r\n\r\n");
    }
    for (int turns = 0; turns < 50; turns++)
        event_base_loop(child.base, EVLOOP_NONBLOCK);
    http_server_free(server);
    event_base_free(child.base);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        close(fds[i]);
    cr_expect_gt(child.requests, 0);
    cr_expect_eq(open_descriptors(), before);
    rmdir(h.directory);
}
