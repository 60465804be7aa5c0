/*
 * Names of endpoints → addresses, asked on the loop and never waited for. The host's own resolvers
 * answer (resolv.conf, hosts): what they are asked leaves the machine like its own traffic, never
 * through an exit.
 */
#pragma once

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "schema/base/addr.h"
#include "schema/base/map.h"

struct evdns_base;

struct resolver {
    struct event_base *base;
    struct evdns_base *dns; /* NULL: nothing was asked yet */
    struct map names;       /* → struct resolved_name */
    unsigned pending;
    bool renew; /* something failed: read resolv.conf again before the next question */
    /* The name's address is another than before. */
    void (*changed)(void *context, const char *name);
    void *context;
};

void resolver_init(struct resolver *resolver, struct event_base *base,
                   void (*changed)(void *context, const char *name), void *context);
void resolver_clear(struct resolver *resolver);

/* The address as last heard, IPv4 if there is one; false: not known. */
bool resolver_find(const struct resolver *resolver, const char *name, struct ip *ret);
/* Asks for the name (again), unless a question is under way or was asked a short time ago. `now` is
 * monotonic; returns when asking again may help. */
int64_t resolver_ask(struct resolver *resolver, const char *name, int64_t now);
