/*
 * A tiny blocking HTTP client for the daemon's unix socket: one connection, one request, one answer
 * with a Content-Length.
 */
#pragma once

#include "schema/base/error.h"
#include "schema/base/strbuf.h"

/* A condition of http_client_request(): nobody listens on the socket, or there is none. */
enum { HTTP_NO_DAEMON = 1 };

struct http_reply {
    int status; /* 200… */
    struct strbuf body;
};

#define HTTP_REPLY_INIT                                                                            \
    {                                                                                              \
        .body = STRBUF_INIT                                                                        \
    }
#define HTTP_REPLY_AUTO __attribute__((cleanup(http_reply_clear))) struct http_reply

void http_reply_clear(struct http_reply *reply);

/*
 * Sends "METHOD TARGET" with `body` (NULL: none) and waits at most timeout_ms in all for the
 * answer, whose body may have up to 64 MiB. An answer of any status is success here; *ret,
 * initialised by the caller, is untouched unless 0 is returned.
 *
 * -ETIMEDOUT when time is up, -EACCES when the socket is not for us, -EPROTO for an answer that is
 * not one.
 */
int http_client_request(const char *socket_path, const char *method, const char *target,
                        const char *body, struct http_reply *ret, int timeout_ms,
                        struct error **reterr);
