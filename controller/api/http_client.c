#include "controller/api/http_client.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "schema/base/clock.h"

enum {
    REPLY_HEAD_MAX = 16 * 1024,
    REPLY_BODY_MAX = 64 * 1024 * 1024,
    READ_STEP = 64 * 1024,
};

struct call {
    const char *path; /* of the socket, for messages */
    int fd;
    int64_t until;    /* by the monotonic clock */
    struct strbuf in; /* the answer as it came */
    size_t head_len;  /* bytes of it before the body, once the head is there */
};

static void call_end(struct call *call)
{
    if (call->fd >= 0)
        close(call->fd);
    strbuf_clear(&call->in);
}

void http_reply_clear(struct http_reply *reply)
{
    strbuf_clear(&reply->body);
}

/* --- time ------------------------------------------------------------------------------------- */

static int timed_out(const struct call *call, struct error **reterr)
{
    return error_make(reterr, ETIMEDOUT, "no answer from \"%s\" in time; is picd busy or stopped?",
                      call->path);
}

/* Lets the next system call of this direction (SO_RCVTIMEO, SO_SNDTIMEO) block for as long as is
 * left of the whole call. */
static int limit_next(const struct call *call, int direction, struct error **reterr)
{
    int64_t left = call->until - clock_system.monotonic(clock_system.context);
    if (left < MILLISECONDS(1))
        return timed_out(call, reterr);
    struct timeval tv = {.tv_sec = left / SECONDS(1), .tv_usec = left % SECONDS(1) / 1000};
    if (setsockopt(call->fd, SOL_SOCKET, direction, &tv, sizeof(tv)) < 0)
        return error_errno(reterr, errno, "cannot set a time limit");
    return 0;
}

/* A blocking call that was cut short by its time limit says EAGAIN; connect() says so too. */
static int failed(const struct call *call, const char *what, struct error **reterr)
{
    if (errno == EAGAIN)
        return timed_out(call, reterr);
    return error_errno(reterr, errno, "cannot %s \"%s\"", what, call->path);
}

/* --- request ---------------------------------------------------------------------------------- */

static int connect_to(struct call *call, struct error **reterr)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(call->path);
    if (len >= sizeof(address.sun_path))
        return error_make(reterr, ENAMETOOLONG,
                          "cannot connect to \"%s\": a socket's path has at most %zu bytes",
                          call->path, sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, call->path, len);
    call->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (call->fd < 0)
        return error_errno(reterr, errno, "cannot make a socket");
    int r = limit_next(call, SO_SNDTIMEO, reterr);
    if (r < 0)
        return r;
    if (connect(call->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return 0;
    if (errno == ENOENT || errno == ECONNREFUSED)
        return HTTP_NO_DAEMON;
    if (errno == EACCES)
        return error_make(reterr, EACCES,
                          "cannot connect to \"%s\": permission denied; run as root or as a member "
                          "of its group",
                          call->path);
    return failed(call, "connect to", reterr);
}

/* The other side may answer and close before it has read everything: the answer counts then. */
static int send_all(struct call *call, const struct strbuf *request, struct error **reterr)
{
    size_t sent = 0;
    while (sent < request->len) {
        int r = limit_next(call, SO_SNDTIMEO, reterr);
        if (r < 0)
            return r;
        ssize_t n = send(call->fd, request->text + sent, request->len - sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EPIPE)
            return 0;
        if (n < 0 && errno != EINTR)
            return failed(call, "send to", reterr);
        sent += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static int send_request(struct call *call, const char *method, const char *target, const char *body,
                        struct error **reterr)
{
    STRBUF_AUTO request = STRBUF_INIT;
    if (*target != '/' || target[strcspn(target, " \r\n")])
        return error_make(reterr, EINVAL, "\"%s\" is not the target of a request", target);
    strbuf_printf(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", method,
                  target);
    if (body)
        strbuf_printf(&request, "Content-Length: %zu\r\n", strlen(body));
    strbuf_printf(&request, "\r\n%s", body ? body : "");
    return send_all(call, &request, reterr);
}

/* --- answer ----------------------------------------------------------------------------------- */

static int bad_answer(const struct call *call, const char *why, struct error **reterr)
{
    return error_make(reterr, EPROTO, "the answer from \"%s\" is not valid: %s", call->path, why);
}

/* Appends what comes next. */
static int receive(struct call *call, struct error **reterr)
{
    int r = limit_next(call, SO_RCVTIMEO, reterr);
    if (r < 0)
        return r;
    strbuf_reserve(&call->in, READ_STEP);
    ssize_t n = recv(call->fd, call->in.text + call->in.len, READ_STEP, 0);
    if (n < 0)
        return errno == EINTR ? 0 : failed(call, "read the answer from", reterr);
    if (n == 0)
        return bad_answer(call, "it ends too early", reterr);
    call->in.len += (size_t)n;
    call->in.text[call->in.len] = '\0';
    return 0;
}

static int receive_head(struct call *call, struct error **reterr)
{
    static const char empty_line[] = "\r\n\r\n";
    const char *end;
    while (!(end = memmem(call->in.text, call->in.len, empty_line, strlen(empty_line)))) {
        if (call->in.len > REPLY_HEAD_MAX)
            return bad_answer(call, "its head is too long", reterr);
        int r = receive(call, reterr);
        if (r < 0)
            return r;
    }
    call->head_len = (size_t)(end - call->in.text) + strlen(empty_line);
    call->in.text[call->head_len - 2] = '\0'; /* its lines keep their ends, and are a text */
    return 0;
}

/* "HTTP/1.1 200…": the status, or -1. */
static int status_of(const char *head)
{
    static const char version[] = "HTTP/1.";
    if (strncmp(head, version, strlen(version)) != 0)
        return -1;
    const char *text = head + strlen(version) + 1;
    if (text[-1] == '\r' || strspn(text, " ") != 1 || strspn(text + 1, "0123456789") != 3)
        return -1;
    return (int)strtol(text + 1, NULL, 10);
}

/* The number in the Content-Length header, or -1. */
static long long length_of(const char *head)
{
    static const char name[] = "\r\nContent-Length:";
    const char *line = strcasestr(head, name);
    if (!line)
        return -1;
    line += strlen(name);
    line += strspn(line, " \t");
    size_t digits = strspn(line, "0123456789");
    return digits && digits <= 18 && line[digits] == '\r' ? strtoll(line, NULL, 10) : -1;
}

static int receive_body(struct call *call, size_t len, struct error **reterr)
{
    strbuf_reserve(&call->in, len + READ_STEP);
    while (call->in.len < call->head_len + len) {
        int r = receive(call, reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

static int receive_reply(struct call *call, const char *method, struct http_reply *ret,
                         struct error **reterr)
{
    int r = receive_head(call, reterr);
    if (r < 0)
        return r;
    int status = status_of(call->in.text);
    long long len = length_of(call->in.text);
    if (status < 0)
        return bad_answer(call, "it does not begin with a status", reterr);
    if (strcmp(method, "HEAD") == 0 || status == 204 || status == 304)
        len = 0;
    if (len < 0)
        return bad_answer(call, "its length is missing", reterr);
    if (len > REPLY_BODY_MAX)
        return error_make(reterr, EFBIG, "the answer from \"%s\" is larger than %d bytes",
                          call->path, REPLY_BODY_MAX);
    r = receive_body(call, (size_t)len, reterr);
    if (r < 0)
        return r;
    ret->status = status;
    strbuf_reset(&ret->body);
    strbuf_add(&ret->body, call->in.text + call->head_len, (size_t)len);
    return 0;
}

int http_client_request(const char *socket_path, const char *method, const char *target,
                        const char *body, struct http_reply *ret, int timeout_ms,
                        struct error **reterr)
{
    __attribute__((cleanup(call_end))) struct call call = {
        .path = socket_path,
        .fd = -1,
        .until = clock_system.monotonic(clock_system.context) + MILLISECONDS(timeout_ms),
        .in = STRBUF_INIT,
    };
    int r = connect_to(&call, reterr);
    if (r == 0)
        r = send_request(&call, method, target, body, reterr);
    return r ? r : receive_reply(&call, method, ret, reterr);
}
