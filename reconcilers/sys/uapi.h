/*
 * WireGuard's cross-platform text protocol, as text: no input or output here.
 *
 * A request is "get=1" or "set=1" with key=value lines, ended by an empty line; the answer is such
 * lines with "errno=" as the last one, and an empty line. Keys are in hexadecimal. The text holds
 * secrets: whoever owns a buffer of it wipes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "reconcilers/sys/sys.h"
#include "schema/base/strbuf.h"

#define UAPI_GET "get=1\n\n"

enum {
    UAPI_LINE_MAX = 1024,       /* the longest known line has 85 bytes */
    UAPI_PEERS_MAX = 1 << 20,   /* wireguard-go itself stops at 65,536 */
    UAPI_ALLOWED_MAX = 1 << 16, /* of one peer */
    UAPI_DONE = 1,
};

/*
 * Appends the whole "set" request, in the order of sys_wg_set(). It reserves its room first, so
 * that no copy of a secret is left behind by a growing buffer.
 *
 * An allowed IP is taken away by letting the peer `throwaway` (a key that nobody has) take it, and
 * removing that peer at the end; one that is also added in the same request just moves there. NULL
 * is legal when uapi_removes_allowed() says no.
 */
void uapi_format_set(const struct sys_wg_device_change *device,
                     const struct sys_wg_peer_change *peers, size_t count,
                     const struct wgkey *throwaway, struct strbuf *out);
bool uapi_removes_allowed(const struct sys_wg_peer_change *peers, size_t count);

/*
 * Reads an answer in pieces of any size. Memory: one line and the allowed IPs of one peer, whatever
 * the number of peers.
 *
 *     struct uapi_parser parser;
 *     uapi_parser_init(&parser, peer, context);
 *     do { len = …; r = uapi_parse(&parser, chunk, len); } while (r == 0);
 *     … r == UAPI_DONE: parser.errnum, parser.device
 *     uapi_parser_clear(&parser);
 */
struct uapi_parser {
    struct sys_wg_device device;
    int errnum; /* what the device said: 0, or a positive errno value */

    void (*on_peer)(const struct sys_wg_peer *peer, void *context);
    void *context;

    struct sys_wg_peer peer; /* being read; its allowed IPs are below */
    struct prefix *allowed;
    size_t allowed_capacity;
    size_t peers; /* begun so far; 0: still among the lines of the device */

    char line[UAPI_LINE_MAX + 1]; /* the beginning of a line whose end has not come */
    size_t line_len;
    bool answered; /* the errno line is there: only the empty line may follow */
    int result;    /* of uapi_parse(), once it is not 0 */
};

/* `peer` is called once per peer, when all of it has been read. */
void uapi_parser_init(struct uapi_parser *parser,
                      void (*peer)(const struct sys_wg_peer *peer, void *context), void *context);
void uapi_parser_clear(struct uapi_parser *parser); /* wipes and frees */

/* Returns 0: more is needed; UAPI_DONE: the answer is complete; -EBADMSG: this is not the protocol;
 * -E2BIG: a limit. The chunk is changed (line ends become terminators). Unknown keys are ignored.
 */
int uapi_parse(struct uapi_parser *parser, char *chunk, size_t len);
