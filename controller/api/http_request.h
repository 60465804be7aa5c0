/*
 * A request as its handler sees it: the parsed head, who asks, and the body.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "controller/api/http_parse.h"
#include "controller/api/http_target.h"
#include "schema/base/addr.h"
#include "schema/base/strbuf.h"

/* Who is at the other end. */
struct http_peer {
    bool local; /* on the unix socket */
    uid_t uid;  /* of the process that connected; only when local */
    gid_t gid;
    pid_t pid;
    struct ip ip; /* source address; only when not local */
    uint16_t port;
};

struct http_request {
    const struct http_head *head;
    const struct http_peer *peer;
    const char *body; /* terminated; empty unless the method is PUT */
    size_t body_len;
};

static inline bool http_peer_is_root(const struct http_peer *peer)
{
    return peer->local && peer->uid == 0;
}

/* Appends the decoded value of a parameter of the target; false when there is none. */
static inline bool http_query(const struct http_request *request, const char *name,
                              struct strbuf *ret)
{
    return http_query_get(request->head->query, name, ret);
}
