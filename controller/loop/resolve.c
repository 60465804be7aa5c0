#include "controller/loop/resolve.h"

#include <event2/dns.h>
#include <event2/util.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"

enum { BACKOFF_EXPONENT = 5 }; /* 2 s … 64 s */
static const int64_t pause_after_answer = SECONDS(30);

struct resolved_name {
    struct resolver *resolver;
    struct ip ip; /* family 0: not known */
    bool pending;
    unsigned failures;
    int64_t not_before; /* monotonic */
    char name[];
};

void resolver_init(struct resolver *resolver, struct event_base *base,
                   void (*changed)(void *context, const char *name), void *context)
{
    *resolver = (struct resolver){.base = base, .changed = changed, .context = context};
}

void resolver_clear(struct resolver *resolver)
{
    size_t at = 0;
    struct map_entry *entry;
    if (resolver->dns)
        evdns_base_free(resolver->dns, 0); /* its questions end with it, unanswered */
    while ((entry = map_next(&resolver->names, &at)))
        free(entry->value);
    map_clear(&resolver->names);
}

bool resolver_find(const struct resolver *resolver, const char *name, struct ip *ret)
{
    const struct resolved_name *n = map_get_text(&resolver->names, name);
    if (!n || !n->ip.family)
        return false;
    *ret = n->ip;
    return true;
}

static bool take(const struct evutil_addrinfo *list, int family, struct ip *ret)
{
    for (; list; list = list->ai_next) {
        if (list->ai_family != family)
            continue;
        *ret = (struct ip){.family = (uint8_t)family};
        if (family == AF_INET)
            memcpy(ret->bytes, &((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr,
                   4);
        else
            memcpy(ret->bytes,
                   &((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr, 16);
        return true;
    }
    return false;
}

static void on_answer(int error, struct evutil_addrinfo *list, void *context)
{
    struct resolved_name *n = context;
    struct resolver *resolver = n->resolver;
    struct ip ip = {0};
    int64_t now = clock_system.monotonic(NULL);

    if (error == EVUTIL_EAI_CANCEL)
        return; /* the resolver itself is going */
    n->pending = false;
    resolver->pending--;
    if (error || (!take(list, AF_INET, &ip) && !take(list, AF_INET6, &ip))) {
        unsigned exponent = n->failures < BACKOFF_EXPONENT ? n->failures : BACKOFF_EXPONENT;
        n->failures++;
        n->not_before = now + (SECONDS(2) << exponent);
        resolver->renew = true;
    } else {
        n->failures = 0;
        n->not_before = now + pause_after_answer;
    }
    if (list)
        evutil_freeaddrinfo(list);
    if (ip.family && !ip_equal(&ip, &n->ip)) {
        n->ip = ip;
        resolver->changed(resolver->context, n->name);
    }
}

static struct resolved_name *name_of(struct resolver *resolver, const char *name)
{
    struct resolved_name *n = map_get_text(&resolver->names, name);
    if (n)
        return n;
    n = mem_alloc(sizeof(*n) + strlen(name) + 1);
    n->resolver = resolver;
    memcpy(n->name, name, strlen(name) + 1);
    map_put_text(&resolver->names, n->name, n);
    return n;
}

/* The library reads resolv.conf once. */
static bool prepare(struct resolver *resolver)
{
    if (resolver->dns && resolver->renew && !resolver->pending) {
        evdns_base_free(resolver->dns, 0);
        resolver->dns = NULL;
    }
    if (!resolver->dns) {
        resolver->dns = evdns_base_new(resolver->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
                                                           EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (resolver->dns) {
            evdns_base_set_option(resolver->dns, "timeout:", "2");
            evdns_base_set_option(resolver->dns, "attempts:", "2");
        }
        resolver->renew = false;
    }
    return resolver->dns;
}

int64_t resolver_ask(struct resolver *resolver, const char *name, int64_t now)
{
    struct resolved_name *n = name_of(resolver, name);
    if (n->pending)
        return INT64_MAX;
    if (now < n->not_before)
        return n->not_before;
    if (!prepare(resolver)) {
        n->not_before = now + SECONDS(10); /* no name server is configured (yet) */
        return n->not_before;
    }
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    n->pending = true;
    resolver->pending++;
    evdns_getaddrinfo(resolver->dns, n->name, NULL, &hints, on_answer, n);
    return n->pending ? INT64_MAX : n->not_before;
}
