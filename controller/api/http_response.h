/*
 * The answer that a handler fills in.
 */
#pragma once

#include <stdbool.h>

#include "controller/api/http_parse.h"
#include "schema/base/strbuf.h"

struct http_connection;

struct http_response {
    int status;               /* 200 unless set */
    const char *content_type; /* "application/json" unless set; not copied */
    struct strbuf body;
    struct strbuf etag;    /* what comes between the quotes; empty: none. Visible ASCII without '"'.
                              The server answers 304 by itself when the client has this one */
    struct strbuf headers; /* see http_response_header() */
    struct http_connection *connection; /* whose answer this is; for http_response_stream() */
};

#define HTTP_RESPONSE_INIT                                                                         \
    {                                                                                              \
        .status = 200, .content_type = "application/json", .body = STRBUF_INIT,                    \
        .etag = STRBUF_INIT, .headers = STRBUF_INIT                                                \
    }

void http_response_clear(struct http_response *r);
#define HTTP_RESPONSE_AUTO __attribute__((cleanup(http_response_clear))) struct http_response

/* Adds a header. Control characters in the value become spaces, so that no value can add a line. */
void http_response_header(struct http_response *r, const char *name, const char *value);

/* Makes the answer {"error": "<sentence>"} with this status, whatever it was before. */
void http_response_error(struct http_response *r, int status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* 405 with the methods that the resource has, as in "GET, HEAD". */
void http_response_not_allowed(struct http_response *r, const char *methods);

/* Whether a value of If-None-Match (NULL: none) has this tag, by weak comparison. For handlers that
 * can leave the body away then. */
bool http_etag_matches(const char *if_none_match, const char *etag);

/*
 * A stream: an answer whose end is not known yet, as for server-sent events.
 *
 * Called by a handler, after status, type and headers are set: the head goes out now, the body and
 * the tag are ignored. The handle lives until http_stream_close() by its owner, or until
 * gone(context) is called, once: the client went away or read too slowly (see struct http_limits),
 * or the server is being freed. gone() is never called from within a function of the stream; no
 * function of the stream may be called from it or after it.
 *
 * NULL for HEAD, which is answered by the head alone, and for a second call: just return then.
 */
struct http_stream *http_response_stream(struct http_response *r, void (*gone)(void *context),
                                         void *context);

/* What overflows the client's share of memory ends the stream; gone() comes soon afterwards. */
void http_stream_send(struct http_stream *stream, const void *data, size_t len);

/* The end of the answer; what was sent before still goes out. */
void http_stream_close(struct http_stream *stream);

/* --- for the server --------------------------------------------------------------------------- */

enum http_framing {
    HTTP_FRAMED,      /* Content-Length, and another answer may follow on the connection */
    HTTP_FRAMED_LAST, /* Content-Length, and the connection closes */
    HTTP_UNFRAMED,    /* until the connection closes */
};

/* Turns an answer with a tag that the client has into 304. */
void http_response_revalidate(struct http_response *r, const struct http_head *head);

/* 304 and 204 have no body by definition, and so no length. */
bool http_response_has_body(const struct http_response *r);

/* Appends the head of the answer. */
void http_response_head(const struct http_response *r, enum http_framing framing,
                        struct strbuf *out);
