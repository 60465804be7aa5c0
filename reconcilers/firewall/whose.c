#include "reconcilers/firewall/whose.h"

#include <netinet/in.h>
#include <string.h>

#include "reconcilers/plan.h"
#include "schema/base/mem.h"

static const char *name_in_id(const char *id)
{
    return strchr(id, '/') + 1;
}

void whose_clear(struct whose_finder *f)
{
    map_clear(&f->former);
}

/* ---- peers ---- */

static struct whose of_peer(const struct model_peer *peer)
{
    return (struct whose){.kind = FW_OF_PEER,
                          .name = peer->resource->name,
                          .id = peer->resource->id,
                          .cause = peer->applied ? CAUSE_DRIFT : peer->resource->id,
                          .leave = peer->off == PEER_NO_SECRET,
                          .key = &peer->public_key};
}

static struct whose of_departed(const struct model_departed *departed)
{
    return (struct whose){.kind = FW_OF_PEER,
                          .name = name_in_id(departed->id),
                          .id = departed->id,
                          .cause = departed->id,
                          .key = &departed->public_key};
}

static void add_former(struct whose_finder *f, const struct prefix *list, size_t count,
                       struct whose whose)
{
    for (size_t i = 0; i < count; i++) {
        struct {
            struct ip ip;
            struct whose whose;
        } *entry = arena_alloc(f->arena, sizeof(*entry));
        entry->ip = list[i].ip;
        entry->whose = whose;
        map_put(&f->former, &entry->ip, sizeof(entry->ip), &entry->whose);
    }
}

static void look_at_former(struct whose_finder *f)
{
    const struct map_entry *entry;
    size_t at = 0;
    f->looked_at_former = true;
    while ((entry = map_next(&f->model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        if (peer->former_count)
            add_former(f, peer->former, peer->former_count, of_peer(peer));
    }
    at = 0;
    while ((entry = map_next(&f->model->departed, &at))) {
        const struct model_departed *departed = entry->value;
        add_former(f, departed->former, departed->former_count, of_departed(departed));
    }
}

/* Who has the address, or had it before the change that is being carried out. */
static struct whose of_address(struct whose_finder *f, const struct ip *ip)
{
    const struct model_peer *peer = map_get(&f->model->used, ip, sizeof(*ip));
    char text[ADDR_TEXT_MAX];
    if (peer)
        return of_peer(peer);
    if (!f->looked_at_former)
        look_at_former(f);
    const struct whose *former = map_get(&f->former, ip, sizeof(*ip));
    if (former)
        return *former;
    return (struct whose){.kind = FW_OF_PEER,
                          .name = arena_strdup(f->arena, ip_format(ip, text)),
                          .cause = CAUSE_DRIFT};
}

/* ---- links ---- */

static struct whose of_interface(struct whose_finder *f, const uint8_t *at)
{
    const char *name =
        arena_strndup(f->arena, (const char *)at, strnlen((const char *)at, IFNAMSIZ - 1));
    const struct model_link *link = model_link_by_interface(f->model, name);
    const struct model_departed_link *departed = model_departed_link(f->model, name);
    struct whose whose = {
        .kind = FW_OF_LINK, .name = name, .cause = CAUSE_DRIFT, .interface = name};

    if (link)
        whose.id = link->resource->id;
    else if (departed)
        whose.id = departed->id;
    if (whose.id)
        whose.name = name_in_id(whose.id);
    if (whose.id && !(link && link->applied))
        whose.cause = whose.id;
    return whose;
}

/* ---- elements ---- */

static struct ip address_at(const struct nft_set *set, const uint8_t *at)
{
    bool ipv6 = set->key[0] == NFT_TYPE_IPV6;
    struct ip ip = {.family = ipv6 ? AF_INET6 : AF_INET};
    memcpy(ip.bytes, at, nft_type_size(set->key[0]));
    return ip;
}

/* A peer's, by its first part; the second may have changed instead: another peer, or a link. */
static struct whose of_source(struct whose_finder *f, const struct nft_set *set,
                              const uint8_t *element)
{
    const uint8_t *second = element + nft_type_size(set->key[0]);
    struct ip source = address_at(set, element);
    struct whose whose = of_address(f, &source);

    if (strcmp(whose.cause, CAUSE_DRIFT) != 0)
        return whose;
    if (set->key[1] == NFT_TYPE_IFNAME) {
        whose.cause = of_interface(f, second).cause;
    } else if (set->key[1] != NFT_TYPE_NONE) {
        struct ip destination = address_at(set, second);
        whose.cause = of_address(f, &destination).cause;
    }
    return whose;
}

struct whose whose_element(struct whose_finder *f, unsigned instance, const struct nft_set *set,
                           const uint8_t *element)
{
    switch (fw_owner_of(instance)) {
    case FW_OF_LINK:
        return of_interface(f, element + fw_interface_offset(instance));
    case FW_OF_PEER:
        return of_source(f, set, element);
    case FW_OF_CELL:
        break;
    }
    return (struct whose){.kind = FW_OF_CELL, .name = set->name, .cause = f->cell_cause};
}
