#include "schema/check/claims.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"

/* A claim is bytes: what it is, then the value. */
struct claim {
    const struct resource *holder;
    uint8_t len;
    char bytes[40];
};

typedef bool visit_fn(const struct claim *claim, const char *what, const struct field *field,
                      const void *value, void *context);

static struct claim claim_of(const struct resource *holder, char tag, const void *value, size_t len)
{
    struct claim claim = {.holder = holder, .len = (uint8_t)(len + 1)};
    claim.bytes[0] = tag;
    memcpy(claim.bytes + 1, value, len);
    return claim;
}

/* Calls visit() for each claim until it returns true. */
static bool each_claim(const struct resource *resource, visit_fn *visit, void *context)
{
    if (resource->kind != &kind_peer)
        return false;
    const struct peer_spec *peer = resource->spec;
    const struct field *fields = resource->kind->fields;

    struct claim claim = claim_of(resource, 'k', &peer->public_key, WGKEY_LEN);
    if (visit(&claim, "publicKey", NULL, NULL, context))
        return true;
    const struct {
        const struct ip *ip;
        enum peer_field row;
    } addresses[] = {{&peer->address, PEER_address}, {&peer->address6, PEER_address6}};
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        if (!addresses[i].ip->family)
            continue;
        struct prefix host = prefix_of_host(addresses[i].ip);
        claim = claim_of(resource, 'p', &host, sizeof(host));
        const struct field *field = &fields[addresses[i].row];
        if (visit(&claim, field->path, field, addresses[i].ip, context))
            return true;
    }
    for (uint32_t i = 0; i < peer->subnets.count; i++) {
        const struct prefix *subnet = &list_prefixes(&peer->subnets)[i];
        claim = claim_of(resource, 'p', subnet, sizeof(*subnet));
        if (visit(&claim, "subnet", &fields[PEER_subnets], subnet, context))
            return true;
    }
    return false;
}

struct search {
    const struct claims *claims;
    const struct resource *found;
    char *buf;
};

static bool find_other(const struct claim *claim, const char *what, const struct field *field,
                       const void *value, void *context)
{
    struct search *search = context;
    const struct claim *held = map_get(&search->claims->held, claim->bytes, claim->len);

    if (!held || held->holder == claim->holder)
        return false;
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_puts(&text, what);
    if (field) {
        strbuf_putc(&text, ' ');
        type_of(field->type)->format(field, value, &text);
    }
    snprintf(search->buf, 96, "%s", text.text);
    search->found = held->holder;
    return true;
}

const struct resource *claims_conflict(const struct claims *claims, const struct resource *resource,
                                       char buf[static 96])
{
    struct search search = {.claims = claims, .buf = buf};
    each_claim(resource, find_other, &search);
    return search.found;
}

static bool take(const struct claim *claim, const char *what, const struct field *field,
                 const void *value, void *context)
{
    struct claims *claims = context;
    (void)what, (void)field, (void)value;
    if (map_get(&claims->held, claim->bytes, claim->len))
        return false; /* the same subnet twice in one resource */
    struct claim *held = mem_alloc(sizeof(*held));
    *held = *claim;
    map_put(&claims->held, held->bytes, held->len, held);
    return false;
}

void claims_take(struct claims *claims, const struct resource *resource)
{
    each_claim(resource, take, claims);
}

static bool release(const struct claim *claim, const char *what, const struct field *field,
                    const void *value, void *context)
{
    struct claims *claims = context;
    (void)what, (void)field, (void)value;
    const struct claim *held = map_get(&claims->held, claim->bytes, claim->len);
    if (held && held->holder == claim->holder)
        free(map_remove(&claims->held, claim->bytes, claim->len));
    return false;
}

void claims_release(struct claims *claims, const struct resource *resource)
{
    each_claim(resource, release, claims);
}

void claims_clear(struct claims *claims)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&claims->held, &at)))
        free(entry->value);
    map_clear(&claims->held);
}
