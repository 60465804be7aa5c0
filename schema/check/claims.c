#include "schema/check/claims.h"

#include <stdio.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/link.h"
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

static void each_claim_of_link(struct claims *claims, const struct resource *resource,
                               visit_fn *visit, void *context)
{
    const struct link_spec *link = resource->spec;
    struct claim claim = {&claims->keys, &link->public_key, WGKEY_LEN,
                          &resource->kind->fields[LINK_public_key], NULL};
    if (visit(resource, &claim, context) || !resource_has(resource, LINK_listen_port))
        return;
    claim = (struct claim){&claims->ports, &link->listen_port, sizeof(link->listen_port),
                           &resource->kind->fields[LINK_listen_port], &link->listen_port};
    visit(resource, &claim, context);
}

static void each_claim_of_peer(struct claims *claims, const struct resource *resource,
                               visit_fn *visit, void *context)
{
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

/* Calls visit() for each claim that is a key of a map until it returns true. */
static void each_claim(struct claims *claims, const struct resource *resource, visit_fn *visit,
                       void *context)
{
    if (resource->kind == &kind_peer)
        each_claim_of_peer(claims, resource, visit, context);
    else if (resource->kind == &kind_link)
        each_claim_of_link(claims, resource, visit, context);
}

struct search {
    const struct resource *found;
    char *buf;
};

/* ---- what must not overlap ---- */

enum { OVERLAP_TEXT = 96 };

static bool overlap(const struct search *search, const char *what, const struct prefix *is,
                    const struct prefix *other)
{
    char text[ADDR_TEXT_MAX];
    if (!is->ip.family || !other->ip.family || !prefix_overlaps(is, other))
        return false;
    snprintf(search->buf, OVERLAP_TEXT, "%s %s", what, prefix_format(is, text));
    return true;
}

/* A prefix against everything that a link routes to the other cell. */
static bool overlaps_link(const struct search *search, const char *what, const struct prefix *is,
                          const struct link_spec *link)
{
    if (overlap(search, what, is, &link->vpn) || overlap(search, what, is, &link->vpn6))
        return true;
    for (uint32_t i = 0; i < link->networks.count; i++)
        if (overlap(search, what, is, &list_prefixes(&link->networks)[i]))
            return true;
    return false;
}

static bool link_overlaps_link(const struct search *search, const struct link_spec *is,
                               const struct link_spec *other)
{
    if (overlaps_link(search, "vpn", &is->vpn, other) ||
        overlaps_link(search, "vpn6", &is->vpn6, other))
        return true;
    for (uint32_t i = 0; i < is->networks.count; i++)
        if (overlaps_link(search, "networks", &list_prefixes(&is->networks)[i], other))
            return true;
    if (!domain_overlaps(is->domain, other->domain))
        return false;
    snprintf(search->buf, OVERLAP_TEXT, "domain %.80s", is->domain);
    return true;
}

/* Is one of the link's prefixes in the way of one that a peer has behind it? */
static const struct resource *subnet_in(const struct map *map, const struct search *search,
                                        const struct link_spec *link)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(map, &at))) {
        struct prefix subnet;
        if (entry->key_len == sizeof(subnet))
            memcpy(&subnet, entry->key, sizeof(subnet));
        else
            subnet = prefix_of_host(entry->key);
        if (overlaps_link(search, "a prefix that overlaps", &subnet, link))
            return entry->value;
    }
    return NULL;
}

static void find_overlap_of_link(const struct claims *claims, const struct resource *resource,
                                 struct search *search)
{
    const struct link_spec *link = resource->spec;
    for (size_t i = 0; !search->found && i < claims->link_count; i++)
        if (claims->links[i] != resource &&
            link_overlaps_link(search, link, claims->links[i]->spec))
            search->found = claims->links[i];
    if (!search->found)
        search->found = subnet_in(&claims->subnets, search, link);
    if (!search->found)
        search->found = subnet_in(&claims->hosts, search, link);
}

static void find_overlap_of_peer(const struct claims *claims, const struct resource *resource,
                                 struct search *search)
{
    const struct peer_spec *peer = resource->spec;
    for (uint32_t i = 0; !search->found && i < peer->subnets.count; i++)
        for (size_t j = 0; !search->found && j < claims->link_count; j++)
            if (overlaps_link(search, "subnets", &list_prefixes(&peer->subnets)[i],
                              claims->links[j]->spec))
                search->found = claims->links[j];
}

/* ---- who has it, who takes it ---- */

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
    if (!search.found && resource->kind == &kind_link)
        find_overlap_of_link(claims, resource, &search);
    else if (!search.found && resource->kind == &kind_peer)
        find_overlap_of_peer(claims, resource, &search);
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
    if (resource->kind != &kind_link)
        return;
    claims->links =
        mem_grow(claims->links, claims->link_count, &claims->link_capacity, sizeof(*claims->links));
    claims->links[claims->link_count++] = resource;
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
    for (size_t i = 0; i < claims->link_count; i++)
        if (claims->links[i] == resource)
            claims->links[i] = claims->links[--claims->link_count];
}

void claims_clear(struct claims *claims)
{
    map_clear(&claims->keys);
    map_clear(&claims->hosts);
    map_clear(&claims->subnets);
    map_clear(&claims->ports);
    mem_freep(&claims->links);
    claims->link_count = claims->link_capacity = 0;
}
