#include "schema/check/claims.h"

#include <stdio.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"

/* One claim: the map that it belongs to, the key, and how to say it. */
struct claim {
    struct map *map;
    const void *key;
    size_t key_len;
    const struct field *field;
    const void *value; /* as the field's type formats it; NULL: not to be said */
};

typedef bool visit_fn(const struct resource *resource, const struct claim *claim, void *context);

static struct claim claim_address(struct claims *claims, const struct resource *resource,
                                  enum peer_field row, const struct ip *ip)
{
    return (struct claim){&claims->hosts, ip, sizeof(*ip), &resource->kind->fields[row], ip};
}

static struct claim claim_subnet(struct claims *claims, const struct resource *resource,
                                 const struct prefix *subnet)
{
    bool host = subnet->len == ip_bits(&subnet->ip);
    struct claim claim = {&claims->subnets, subnet, sizeof(*subnet),
                          &resource->kind->fields[PEER_subnets], subnet};
    if (host) {
        claim.map = &claims->hosts;
        claim.key_len = sizeof(subnet->ip); /* the address is the prefix's first member */
    }
    return claim;
}
_Static_assert(offsetof(struct prefix, ip) == 0, "a prefix starts with its address");

/* Calls visit() for each claim until it returns true. */
static void each_claim(struct claims *claims, const struct resource *resource, visit_fn *visit,
                       void *context)
{
    if (resource->kind != &kind_peer)
        return;
    const struct peer_spec *peer = resource->spec;
    struct claim claim = {&claims->keys, &peer->public_key, WGKEY_LEN,
                          &resource->kind->fields[PEER_public_key], NULL};

    if (visit(resource, &claim, context))
        return;
    claim = claim_address(claims, resource, PEER_address, &peer->address);
    if (peer->address.family && visit(resource, &claim, context))
        return;
    claim = claim_address(claims, resource, PEER_address6, &peer->address6);
    if (peer->address6.family && visit(resource, &claim, context))
        return;
    for (uint32_t i = 0; i < peer->subnets.count; i++) {
        claim = claim_subnet(claims, resource, &list_prefixes(&peer->subnets)[i]);
        if (visit(resource, &claim, context))
            return;
    }
}

struct search {
    const struct resource *found;
    char *buf;
};

static bool find_other(const struct resource *resource, const struct claim *claim, void *context)
{
    struct search *search = context;
    const struct resource *holder = map_get(claim->map, claim->key, claim->key_len);

    if (!holder || holder == resource)
        return false;
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_puts(&text, claim->field->path);
    if (claim->value) {
        strbuf_putc(&text, ' ');
        type_of(claim->field->type)->format(claim->field, claim->value, &text);
    }
    snprintf(search->buf, 96, "%s", text.text);
    search->found = holder;
    return true;
}

const struct resource *claims_conflict(const struct claims *claims, const struct resource *resource,
                                       char buf[static 96])
{
    struct search search = {.buf = buf};
    each_claim((struct claims *)(uintptr_t)claims, resource, find_other, &search);
    return search.found;
}

static bool take(const struct resource *resource, const struct claim *claim, void *context)
{
    (void)context;
    map_put(claim->map, claim->key, claim->key_len, (void *)(uintptr_t)resource);
    return false;
}

void claims_take(struct claims *claims, const struct resource *resource)
{
    each_claim(claims, resource, take, NULL);
}

static bool release(const struct resource *resource, const struct claim *claim, void *context)
{
    (void)context;
    if (map_get(claim->map, claim->key, claim->key_len) == resource)
        map_remove(claim->map, claim->key, claim->key_len);
    return false;
}

void claims_release(struct claims *claims, const struct resource *resource)
{
    each_claim(claims, resource, release, NULL);
}

void claims_clear(struct claims *claims)
{
    map_clear(&claims->keys);
    map_clear(&claims->hosts);
    map_clear(&claims->subnets);
}
