/*
 * The client of the daemon's socket: against the real server, and against one that says what a row
 * says.
 */
#include "controller/api/http_client.h"

#include "tests/unit/controller/http_harness.h"

enum { PATIENCE = 5000 };

/* --- against the server ----------------------------------------------------------------------- */

static const struct {
    const char *method, *target, *body;
    int status;
    const char *answer; /* NULL: not compared */
} requests[] = {
    {"GET", "/hello", NULL, 200, "hello"},
    {"HEAD", "/hello", NULL, 200, ""},
    {"GET", "/query?q=a%20b", NULL, 200, "a b"},
    {"PUT", "/echo", "some text", 200, "9:some text"},
    {"PUT", "/echo", "", 200, "0:"},
    {"PUT", "/echo", NULL, 200, "0:"},
    {"GET", "/nowhere", NULL, 404, "{\"error\": \"nothing at \\\"/nowhere\\\"\"}\n"},
    {"DELETE", "/hello", NULL, 405, NULL},
    {"HEAD", "/big", NULL, 200, ""},
};

Test(http_client, requests, .timeout = 60)
{
    struct harness h;
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    harness_start(&h, &harness_limits, 0);
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
        ERROR_AUTO error = NULL;
        int r = http_client_request(h.path, requests[i].method, requests[i].target,
                                    requests[i].body, &reply, PATIENCE, &error);
        cr_assert_eq(r, 0, "row %zu: %s", i, error ? error->message : "no daemon");
        cr_expect_eq(reply.status, requests[i].status, "row %zu: %d", i, reply.status);
        if (requests[i].answer)
            cr_expect_str_eq(reply.body.text, requests[i].answer, "row %zu", i);
    }
    harness_stop(&h);
}

Test(http_client, large_answers_and_bodies, .timeout = 60)
{
    struct harness h;
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    STRBUF_AUTO body = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    harness_start(&h, &harness_limits, 0);
    cr_assert_eq(http_client_request(h.path, "GET", "/big", NULL, &reply, PATIENCE, &error), 0);
    cr_expect_eq(reply.body.len, BIG);
    cr_expect_eq(strspn(reply.body.text, "x"), BIG);

    for (int i = 0; i < 2000000; i++) /* refused before it is read, and yet the refusal arrives */
        strbuf_putc(&body, 'x');
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(
            http_client_request(h.path, "PUT", "/echo", body.text, &reply, PATIENCE, &error), 0);
        cr_expect_eq(reply.status, 413);
    }
    harness_stop(&h);
}

/* --- against a server of a few words ---------------------------------------------------------- */

struct fake {
    char directory[32], path[48];
    int listener;
    pid_t pid;
};

static void fake_listen(struct fake *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    *f = (struct fake){.directory = "/tmp/pic-http-XXXXXX"};
    cr_assert_not_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof(f->path), "%s/sock", f->directory);
    memcpy(address.sun_path, f->path, strlen(f->path));
    f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(f->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(f->listener, 1), 0);
}

/* Answers one connection with text, after it read the whole head; then waits if it is to hang. */
static void fake_answer(struct fake *f, const char *text, bool hang)
{
    f->pid = fork();
    cr_assert_geq(f->pid, 0);
    if (f->pid)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    int fd = accept(f->listener, NULL, NULL);
    STRBUF_AUTO request = STRBUF_INIT;
    hear_one(fd, &request);
    for (size_t at = 0, len = strlen(text); at < len; at++) /* in many pieces */
        send(fd, text + at, 1, MSG_NOSIGNAL);
    if (hang)
        pause();
    _exit(0);
}

static void fake_end(struct fake *f)
{
    close(f->listener);
    if (f->pid) {
        kill(f->pid, SIGKILL);
        waitpid(f->pid, NULL, 0);
    }
    unlink(f->path);
    rmdir(f->directory);
}

static const struct {
    const char *method, *text;
    int result;
    int status;
    const char *body;
} answers[] = {
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", 0, 200, "ab"},
    {"GET", "HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\nabc", 0, 200, "ab"},
    {"GET", "HTTP/1.0 503 \r\nX: y\r\nContent-Length: \t0\r\n\r\n", 0, 503, ""},
    {"GET", "HTTP/1.1 304 Not Modified\r\n\r\n", 0, 304, ""},
    {"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", 0, 200, ""},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\n\r\n\r\nContent-Length: 2\r\n", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nX-Content-Length: 2\r\n\r\nab", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 2x\r\n\r\nab", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nab", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\n", -EFBIG, 0, NULL},
    {"GET", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.\r\n\r\n", -EPROTO, 0, NULL},
    {"GET", "SSH-2.0-OpenSSH\r\n\r\n", -EPROTO, 0, NULL},
    {"GET", "HTTP/1.1 200", -EPROTO, 0, NULL},
    {"GET", "", -EPROTO, 0, NULL},
};

Test(http_client, answers, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct fake f;
        HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
        ERROR_AUTO error = NULL;
        fake_listen(&f);
        fake_answer(&f, answers[i].text, false);
        int r = http_client_request(f.path, answers[i].method, "/", NULL, &reply, PATIENCE, &error);
        cr_expect_eq(r, answers[i].result, "row %zu: %d", i, r);
        cr_expect_eq(r < 0, error != NULL, "row %zu", i);
        cr_expect_eq(reply.status, answers[i].status, "row %zu: %d", i, reply.status);
        cr_expect_str_eq(reply.body.text, answers[i].body ? answers[i].body : "", "row %zu", i);
        fake_end(&f);
    }
}

/* A head that never ends is not read for ever. */
Test(http_client, endless_head, .timeout = 60)
{
    struct fake f;
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    strbuf_puts(&text, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 50000; i++)
        strbuf_puts(&text, "X: y\r\n");
    fake_listen(&f);
    fake_answer(&f, text.text, true);
    cr_expect_eq(http_client_request(f.path, "GET", "/", NULL, &reply, PATIENCE, &error), -EPROTO);
    fake_end(&f);
}

/* --- nobody there ----------------------------------------------------------------------------- */

static const char *const silences[] = {"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"};

/* Time is limited in total: until somebody accepts, answers, and finishes. */
Test(http_client, silence, .timeout = 60)
{
    for (size_t i = 0; i < ARRAY_SIZE(silences); i++) {
        struct fake f;
        HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
        ERROR_AUTO error = NULL;
        fake_listen(&f);
        fake_answer(&f, silences[i], true);
        int64_t start = now_ms();
        int r = http_client_request(f.path, "GET", "/", NULL, &reply, 300, &error);
        cr_expect_eq(r, -ETIMEDOUT, "row %zu: %d", i, r);
        cr_expect(now_ms() - start >= 290 && now_ms() - start < 3000, "row %zu", i);
        cr_expect_eq(reply.status, 0);
        fake_end(&f);
    }
}

/* A server that is stopped, with a full queue: connect() itself waits. */
Test(http_client, full_queue, .timeout = 60)
{
    struct fake f;
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    fake_listen(&f);
    for (int i = 0; i < 4; i++) {
        ERROR_AUTO error = NULL;
        int r = http_client_request(f.path, "GET", "/", NULL, &reply, 200, &error);
        cr_expect_eq(r, -ETIMEDOUT, "%d", r);
    }
    fake_end(&f);
}

Test(http_client, no_daemon, .timeout = 60)
{
    struct fake f;
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    ERROR_AUTO error = NULL;
    cr_expect_eq(http_client_request("/nowhere/sock", "GET", "/", NULL, &reply, PATIENCE, &error),
                 HTTP_NO_DAEMON);
    fake_listen(&f);
    close(f.listener); /* what a killed server leaves */
    cr_expect_eq(http_client_request(f.path, "GET", "/", NULL, &reply, PATIENCE, &error),
                 HTTP_NO_DAEMON);
    cr_expect_null(error);
    f.listener = -1;
    fake_end(&f);
}

Test(http_client, not_for_us, .timeout = 60)
{
    if (getuid() != 0)
        cr_skip_test("only root can become another user");
    struct fake f;
    int status;
    fake_listen(&f);
    cr_assert_eq(chmod(f.directory, 0755) + chmod(f.path, 0600), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct http_reply reply = HTTP_REPLY_INIT;
        struct error *error = NULL;
        _exit(setuid(4321) == 0 && http_client_request(f.path, "GET", "/", NULL, &reply, PATIENCE,
                                                       &error) == -EACCES
                  ? 0
                  : 1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0);
    fake_end(&f);
}

static const char *const targets[] = {"", "x", "http://x/", "/a b", "/a\r\nX: y", "/a\n"};

Test(http_client, bad_targets)
{
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct fake f;
        HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
        ERROR_AUTO error = NULL;
        fake_listen(&f);
        cr_expect_eq(http_client_request(f.path, "GET", targets[i], NULL, &reply, 200, &error),
                     -EINVAL, "row %zu", i);
        fake_end(&f);
    }
    ERROR_AUTO error = NULL;
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    MEM_AUTO char *deep = mem_printf("/%0120d", 1);
    cr_expect_eq(http_client_request(deep, "GET", "/", NULL, &reply, 200, &error), -ENAMETOOLONG);
}
