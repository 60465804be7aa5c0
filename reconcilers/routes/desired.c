#include "reconcilers/routes/routes.h"

#include <stdio.h>
#include <string.h>

#include "schema/types.h"

bool routes_has_ipv6(const struct model *model)
{
    return model->host.ipv6 && model->cell.address6.family;
}

bool routes_link_lives(const struct model_link *link)
{
    return link->off == LINK_ON || link->off == LINK_NO_SECRET;
}

bool routes_is_exit(const struct model_link *link)
{
    return link->users > 0 && link->number > 0;
}

struct builder {
    struct routes_desired *desired;
    struct arena *arena;
    struct routes_owner owner; /* of what is wanted from here on */
    size_t capacity;
};

static const uint8_t families[] = {AF_INET, AF_INET6};

static size_t family_count(const struct builder *b)
{
    return b->desired->ipv6 ? 2 : 1;
}

/* An arena does not grow what it gave: a larger one takes the place. */
static struct routes_object *want(struct builder *b, enum routes_sort sort)
{
    struct routes_desired *d = b->desired;
    if (d->want_count == b->capacity) {
        size_t capacity = b->capacity ? 2 * b->capacity : 32;
        struct routes_want *wants = arena_alloc(b->arena, capacity * sizeof(*wants));
        if (d->want_count)
            memcpy(wants, d->wants, d->want_count * sizeof(*wants));
        d->wants = wants;
        b->capacity = capacity;
    }
    struct routes_want *w = &d->wants[d->want_count++];
    w->owner = b->owner;
    w->object.sort = sort;
    return &w->object;
}

/* ---- rules ---- */

static void want_rule(struct builder *b, struct sys_rule rule)
{
    rule.protocol = SYS_OWNER;
    for (size_t i = 0; i < family_count(b); i++) {
        rule.family = families[i];
        want(b, ROUTES_RULE)->rule = rule;
    }
}

static void want_rule_from(struct builder *b, const char *interface)
{
    struct sys_rule rule = {.priority = RULE_UNMARKED, .table = TABLE_BLOCKED};
    snprintf(rule.iif, sizeof(rule.iif), "%s", interface);
    want_rule(b, rule);
}

/* ---- routes ---- */

static void want_route(struct builder *b, struct sys_route route)
{
    bool ipv6 = route.destination.ip.family == AF_INET6;
    if (ipv6 && !b->desired->ipv6)
        return;
    if (ipv6 && !route.metric)
        route.metric = ROUTES_METRIC6;
    route.protocol = SYS_OWNER;
    want(b, ROUTES_ROUTE)->route = route;
}

static void want_unreachable(struct builder *b, uint32_t table, const struct prefix *destination)
{
    want_route(b, (struct sys_route){.type = SYS_ROUTE_UNREACHABLE,
                                     .destination = *destination,
                                     .table = table,
                                     .metric = ROUTES_METRIC_LAST});
}

static void want_defaults(struct builder *b, uint32_t table, const char *interface)
{
    struct sys_route route = {.table = table};
    snprintf(route.interface, sizeof(route.interface), "%s", interface);
    for (size_t i = 0; i < family_count(b); i++) {
        route.destination = (struct prefix){.ip.family = families[i]};
        want_route(b, route);
    }
}

/* A destination of ours; with our own address as that of what the machine itself sends there. */
static void want_destination(struct builder *b, const struct prefix *destination,
                             const char *interface, bool with_source)
{
    const struct model_cell *cell = &b->desired->model->cell;
    struct sys_route route = {.table = TABLE_OURS, .destination = *destination};
    if (with_source)
        route.source = destination->ip.family == AF_INET ? cell->address : cell->address6;
    snprintf(route.interface, sizeof(route.interface), "%s", interface);
    want_route(b, route);
    want_unreachable(b, TABLE_OURS, destination);
}

/* ---- of the cell, a link, a peer ---- */

static void want_cell(struct builder *b)
{
    const struct cell_spec *spec = b->desired->model->cell.spec;

    b->owner = routes_cell_owner(b->desired->model);
    want_rule(b, (struct sys_rule){.priority = RULE_OURS, .table = TABLE_OURS});
    want_rule(b, (struct sys_rule){.priority = RULE_DIRECT,
                                   .table = SYS_TABLE_MAIN,
                                   .mark = MARK_DIRECT,
                                   .mask = MARK_MASK});
    want_rule(b, (struct sys_rule){.priority = RULE_BLOCKED,
                                   .table = TABLE_BLOCKED,
                                   .mask = MARK_MASK,
                                   .invert = true});
    want_rule_from(b, spec->interface);
    for (size_t i = 0; i < family_count(b); i++)
        want_unreachable(b, TABLE_BLOCKED, &(struct prefix){.ip.family = families[i]});
    want_defaults(b, TABLE_BLOCKED, spec->interface);
    want_destination(b, &spec->vpn, spec->interface, true);
    if (b->desired->ipv6)
        want_destination(b, &spec->vpn6, spec->interface, true);
}

static void want_link(struct builder *b, const struct model_link *link)
{
    b->owner = routes_link_owner(b->desired->model, link, b->arena);
    if (routes_is_exit(link))
        want_rule(b, (struct sys_rule){.priority = RULE_EXIT,
                                       .table = TABLE_BLOCKED + link->number,
                                       .mark = (uint32_t)link->number << MARK_SHIFT,
                                       .mask = MARK_MASK});
    if (!routes_link_lives(link))
        return;
    want_rule_from(b, link->interface);
    if (routes_is_exit(link))
        want_defaults(b, TABLE_BLOCKED + link->number, link->interface);
    for (size_t i = 0; i < link->prefix_count; i++)
        want_destination(b, &link->prefixes[i], link->interface, true);
}

/* One whose secret cannot be read is left as it is, and may be on the device. */
static void want_peer(struct builder *b, const struct model_peer *peer)
{
    const struct model *model = b->desired->model;
    const struct peer_spec *spec = peer->resource->spec;

    if (!spec->subnets.count || (peer->off != PEER_ON && peer->off != PEER_NO_SECRET))
        return;
    b->owner = routes_peer_owner(model, peer, b->arena);
    for (uint32_t i = 0; i < spec->subnets.count; i++)
        want_destination(b, &list_prefixes(&spec->subnets)[i], model->cell.spec->interface, false);
}

/* ---- all of it, or some peers' ---- */

static void want_everything(struct builder *b)
{
    const struct model *model = b->desired->model;
    const struct map_entry *entry;
    size_t at = 0;

    b->desired->everything = true;
    b->desired->interfaces = routes_interfaces(model, b->arena, &b->desired->interface_count);
    if (!b->desired->wanted)
        return;
    want_cell(b);
    while ((entry = map_next(&model->links, &at)))
        want_link(b, entry->value);
    at = 0;
    while ((entry = map_next(&model->peers, &at)))
        want_peer(b, entry->value);
}

static bool is_peer_key(const char *key, struct wgkey *ret)
{
    size_t len = sizeof(MODEL_KEY_PEER) - 1;
    return strncmp(key, MODEL_KEY_PEER, len) == 0 && wgkey_parse(key + len, ret) == 0;
}

static bool only_peers(const struct keys *keys)
{
    struct wgkey key;
    for (size_t i = 0; i < keys->count; i++)
        if (!is_peer_key(keys->list[i], &key))
            return false;
    return true;
}

static void want_keys(struct builder *b, const struct keys *keys)
{
    struct routes_desired *d = b->desired;
    d->peers = arena_alloc(b->arena, (keys->count + 1) * sizeof(*d->peers));
    for (size_t i = 0; i < keys->count; i++) {
        struct wgkey *key = &d->peers[d->peer_count++];
        is_peer_key(keys->list[i], key);
        const struct model_peer *peer = model_peer_by_key(d->model, key);
        if (peer)
            want_peer(b, peer);
    }
}

const void *routes_desired(const struct model *model, const struct keys *keys, struct arena *arena)
{
    struct routes_desired *desired = arena_alloc(arena, sizeof(*desired));
    struct builder builder = {.desired = desired, .arena = arena};

    desired->model = model;
    desired->wanted = model->cell.resource && !model->teardown;
    desired->ipv6 = desired->wanted && routes_has_ipv6(model);
    desired->nothing_due =
        model->hold || (!model->cell.resource && !model->cell.former_interface && !model->teardown);
    if (desired->nothing_due)
        return desired;
    if (keys->list && desired->wanted && only_peers(keys))
        want_keys(&builder, keys);
    else
        want_everything(&builder);
    return desired;
}

/* ---- interfaces ---- */

struct routes_interface *routes_interfaces(const struct model *model, struct arena *arena,
                                           size_t *retcount)
{
    const struct host *host = &model->host;
    size_t most = 1 + model->links.count + host->interface_count, count = 0, at = 0;
    struct routes_interface *list = arena_alloc(arena, most * sizeof(*list));
    const struct map_entry *entry;

    if (model->cell.spec)
        list[count++] =
            (struct routes_interface){.name = model->cell.spec->interface, .ours = true};
    while ((entry = map_next(&model->links, &at))) {
        const struct model_link *link = entry->value;
        if (routes_link_lives(link))
            list[count++] =
                (struct routes_interface){.name = link->interface, .link = link, .ours = true};
    }
    for (size_t i = 0; i < host->interface_count; i++)
        list[count++] = (struct routes_interface){.name = host->interfaces[i].name,
                                                  .uplink6 = host->interfaces[i].uplink6};
    *retcount = count;
    return list;
}
