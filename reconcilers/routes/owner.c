#include "reconcilers/routes/routes.h"

#include <string.h>

#include "schema/types.h"

/* ---- of what is wanted ---- */

struct routes_owner routes_cell_owner(const struct model *model)
{
    const struct model_cell *cell = &model->cell;
    return (struct routes_owner){.key = MODEL_KEY_CELL,
                                 .cause = model->teardown   ? "teardown"
                                          : !cell->resource ? "Cell removed"
                                          : cell->applied   ? CAUSE_DRIFT
                                                            : cell->resource->id};
}

/* What is another because the Cell is another is no drift of a link or a peer. */
static const char *cause_of(const struct model *model, const struct resource *resource,
                            bool applied)
{
    if (!applied)
        return resource->id;
    return model->cell.applied ? CAUSE_DRIFT : model->cell.resource->id;
}

struct routes_owner routes_link_owner(const struct model *model, const struct model_link *link,
                                      struct arena *arena)
{
    char key[MODEL_KEY_MAX];
    return (struct routes_owner){.key = arena_strdup(arena, model_link_key(link->interface, key)),
                                 .cause = cause_of(model, link->resource, link->applied)};
}

struct routes_owner routes_peer_owner(const struct model *model, const struct model_peer *peer,
                                      struct arena *arena)
{
    char key[MODEL_KEY_MAX];
    return (struct routes_owner){.key = arena_strdup(arena, model_peer_key(&peer->public_key, key)),
                                 .cause = cause_of(model, peer->resource, peer->applied)};
}

static struct routes_owner departed_link_owner(const struct model_departed_link *link,
                                               struct arena *arena)
{
    char key[MODEL_KEY_MAX];
    return (struct routes_owner){.key = arena_strdup(arena, model_link_key(link->interface, key)),
                                 .cause = link->id};
}

static struct routes_owner departed_peer_owner(const struct model_departed *peer,
                                               struct arena *arena)
{
    char key[MODEL_KEY_MAX];
    return (struct routes_owner){.key = arena_strdup(arena, model_peer_key(&peer->public_key, key)),
                                 .cause = peer->id};
}

/* ---- of what nobody wants ---- */

static void enter(struct routes_strays *s, const struct routes_owner *owner,
                  const struct prefix *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        map_put(&s->by_prefix, &list[i], sizeof(list[i]), (void *)owner);
}

static const struct routes_owner *keep(struct routes_strays *s, struct routes_owner owner)
{
    return arena_memdup(s->arena, &owner, sizeof(owner));
}

static void enter_departed_links(struct routes_strays *s)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&s->model->departed_links, &at))) {
        const struct model_departed_link *link = entry->value;
        const struct link_spec *spec = link->resource->spec;
        const struct routes_owner *owner = keep(s, departed_link_owner(link, s->arena));
        enter(s, owner, &spec->vpn, 1);
        enter(s, owner, &spec->vpn6, 1);
        enter(s, owner, list_prefixes(&spec->networks), spec->networks.count);
    }
}

static void enter_departed_peers(struct routes_strays *s)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&s->model->departed, &at))) {
        const struct model_departed *peer = entry->value;
        const struct peer_spec *spec = peer->resource->spec;
        const struct routes_owner *owner = keep(s, departed_peer_owner(peer, s->arena));
        enter(s, owner, list_prefixes(&spec->subnets), spec->subnets.count);
        enter(s, owner, peer->former, peer->former_count);
    }
}

static void enter_peers(struct routes_strays *s)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&s->model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        if (peer->former_count)
            enter(s, keep(s, routes_peer_owner(s->model, peer, s->arena)), peer->former,
                  peer->former_count);
    }
}

static const struct routes_owner *owner_of_prefix(struct routes_strays *s,
                                                  const struct prefix *prefix)
{
    if (!s->by_prefix.count) {
        enter_departed_links(s);
        enter_departed_peers(s);
        enter_peers(s);
    }
    return map_get(&s->by_prefix, prefix, sizeof(*prefix));
}

/* Whose exit the table is of. That of a link which went while we were not there has no number any
 * more: then any such link is the best guess. */
static bool owner_of_number(const struct routes_strays *s, uint32_t table, struct routes_owner *ret)
{
    bool exit = table > TABLE_BLOCKED && table <= TABLE_BLOCKED + LINK_NUMBER_MAX;
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&s->model->links, &at))) {
        const struct model_link *link = entry->value;
        if (exit && table == TABLE_BLOCKED + link->number)
            return *ret = routes_link_owner(s->model, link, s->arena), true;
    }
    at = 0;
    while ((entry = map_next(&s->model->departed_links, &at))) {
        const struct model_departed_link *link = entry->value;
        if (exit && (!link->number || table == TABLE_BLOCKED + link->number))
            return *ret = departed_link_owner(link, s->arena), true;
    }
    return false;
}

static bool owner_of_interface(const struct routes_strays *s, const char *interface,
                               struct routes_owner *ret)
{
    const struct model_link *link = model_link_by_interface(s->model, interface);
    const struct model_departed_link *departed = model_departed_link(s->model, interface);
    if (link)
        *ret = routes_link_owner(s->model, link, s->arena);
    else if (departed)
        *ret = departed_link_owner(departed, s->arena);
    return link || departed;
}

/* A prefix that a link has lost by a change of its manifest is in no list: only the change is. */
static bool owner_by_change(const struct routes_strays *s, struct routes_owner *ret)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&s->model->links, &at))) {
        const struct model_link *link = entry->value;
        if (!link->applied)
            return *ret = routes_link_owner(s->model, link, s->arena), true;
    }
    return false;
}

/* An alien one is drift, whatever the cause of anything else. */
static struct routes_owner route_owner(struct routes_strays *s, const struct sys_route *route)
{
    struct routes_owner owner = routes_cell_owner(s->model);
    bool known =
        owner_of_interface(s, route->interface, &owner) || owner_of_number(s, route->table, &owner);

    if (route->protocol != SYS_OWNER) {
        owner.cause = CAUSE_DRIFT;
        return owner;
    }
    if (known || route->table != TABLE_OURS)
        return owner;
    const struct routes_owner *former = owner_of_prefix(s, &route->destination);
    if (former)
        return *former;
    if (s->model->cell.applied)
        owner_by_change(s, &owner);
    return owner;
}

struct routes_owner routes_stray_owner(struct routes_strays *s, const struct routes_object *object)
{
    struct routes_owner owner = routes_cell_owner(s->model);
    if (s->model->teardown || !s->model->cell.resource)
        return owner;
    if (object->sort == ROUTES_ROUTE)
        return route_owner(s, &object->route);
    if (object->sort == ROUTES_RULE && !owner_of_interface(s, object->rule.iif, &owner))
        owner_of_number(s, object->rule.table, &owner);
    return owner;
}

void routes_strays_clear(struct routes_strays *strays)
{
    map_clear(&strays->by_prefix);
}
