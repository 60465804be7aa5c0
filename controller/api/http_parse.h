/*
 * The head of an HTTP/1.1 request, parsed while its bytes come in. Pure: no input or output and no
 * allocation; one struct of fixed size holds everything.
 *
 * Stricter than RFC 9112 lets a server be, for every leniency is a second reading that a smuggler
 * can use. Lines end in CRLF, never in a bare LF. Refused are folded lines, space before a colon,
 * control characters, a second Host or Content-Length, every Transfer-Encoding, an absolute target
 * whose host is not that of the Host header, and paths that http_path_decode() refuses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HTTP_METHOD_MAX = 16,   /* characters of a method */
    HTTP_TARGET_MAX = 4096, /* bytes of a target as sent */
    HTTP_HEAD_MAX = 8192,   /* bytes of request line and headers together */
    HTTP_HEADERS_MAX = 64,  /* header lines */
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_PUT,
    HTTP_OTHER, /* well-formed, but none that this server knows */
};

struct http_header {
    const char *name; /* in lower case */
    const char *value;
};

/* All texts lie in the parser and live until its reset. */
struct http_head {
    enum http_method method;
    const char *path;  /* decoded printable ASCII; begins with '/', has no "." or ".." segment */
    const char *query; /* as sent, without '?'; "" when there is none; see http_query_get() */
    const char *host;  /* of the Host header; NULL only in HTTP/1.0 */
    bool keep_alive;   /* the client takes another answer on this connection */
    bool expects_continue;
    bool has_length;
    uint64_t content_length; /* 0 unless has_length */
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

/* Must not be moved while in use. Only `head` and `fault` are for readers. */
struct http_parser {
    struct http_head head;
    const char *fault;     /* what is wrong, in words, after a status was returned */
    const char *authority; /* of an absolute target */
    unsigned minor;        /* HTTP/1.<minor> */
    bool closes, keeps;    /* what the Connection header asks for */
    size_t len;            /* bytes of text that are used */
    size_t line;           /* where the line that is coming in begins */
    char text[HTTP_HEAD_MAX + 1];
};

/* A condition of http_parse(): the head is not complete. Below every status. */
enum { HTTP_MORE = 1 };

/* Before the first request and between two. */
void http_parser_reset(struct http_parser *p);

/*
 * Takes bytes up to the end of the head; *ret_used says how many, the rest belongs to the body or
 * to the next request. The result does not depend on how the bytes are cut into calls.
 *
 * Returns 0 when p->head is complete, HTTP_MORE when more bytes are needed, or the HTTP status (400
 * and above) that answers a bad head, with p->fault. After 0 or a status comes http_parser_reset().
 */
int http_parse(struct http_parser *p, const void *data, size_t len, size_t *ret_used);

/* The value of the first header of this name (in lower case), or NULL. */
const char *http_header_get(const struct http_head *head, const char *name);
