/*
 * What a Host header names, and whether it names us: the guard against DNS rebinding, where a page
 * of a foreign name has that name resolved to our address and then reads our answers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/addr.h"

enum { HTTP_HOST_NAME_MAX = 253 };

struct http_host {
    char name[HTTP_HOST_NAME_MAX + 1]; /* as sent, without a final dot; "" when it is an address */
    struct ip ip;                      /* family 0 unless it is an address */
};

/* "name", "a.b.c.d", "[v6]", each with or without ":port", or "". Returns 0 or -EINVAL. */
int http_host_parse(const char *text, struct http_host *ret);

/*
 * Whether a Host header (NULL: none) names this server: one of `names`, or the very address that
 * the connection came in on, which a rebound name cannot be. The port is not compared: it may have
 * been forwarded.
 */
bool http_host_is_ours(const char *text, const struct ip *local, char *const *names, size_t count);
