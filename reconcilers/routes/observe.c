#include "reconcilers/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

enum { PROTOCOL_RA = 9 }; /* a route that the kernel made of a router advertisement */

void *routes_observed_new(void)
{
    return mem_alloc(sizeof(struct routes_observed));
}

static void forget(struct routes_observed *o)
{
    mem_freep(&o->up);
    sys_rules_clear(&o->rules);
    sys_routes_clear(&o->routes);
    mem_freep(&o->settings);
    mem_freep(&o->advertised);
    *o = (struct routes_observed){0};
}

void routes_observed_free(void *observed)
{
    if (!observed)
        return;
    forget(observed);
    mem_freep(&observed);
}

/* ---- links ---- */

/* Of our group from birth, or with our alias: a link of our name that is somebody else's is no
 * place to route to. */
static bool is_ours(const struct sys_link *link)
{
    return link->group == SYS_OWNER || strncmp(link->alias, "pic:", 4) == 0;
}

static int observe_links(struct sys *sys, struct routes_observed *o, struct error **reterr)
{
    struct sys_links links = {0};
    int result = sys_link_list(sys, &links, reterr);
    for (size_t i = 0; i < links.count; i++) {
        const struct sys_link *link = &links.list[i];
        if (!link->up || !is_ours(link))
            continue;
        o->up = mem_grow(o->up, o->up_count, &o->up_capacity, sizeof(*o->up));
        memcpy(o->up[o->up_count++], link->name, IFNAMSIZ);
    }
    sys_links_clear(&links);
    return result;
}

/* ---- routes ---- */

static int by_place(const void *a, const void *b)
{
    return routes_compare_place(a, b);
}

static void sort_routes(struct sys_routes *routes)
{
    if (routes->count > 1)
        qsort(routes->list, routes->count, sizeof(*routes->list), by_place);
}

static void put_route(struct sys_routes *routes, const struct sys_route *route)
{
    routes->list = mem_grow(routes->list, routes->count, &routes->capacity, sizeof(*routes->list));
    routes->list[routes->count++] = *route;
}

static uint64_t exit_bit(uint32_t table)
{
    bool exit = routes_is_our_table(table) && table != TABLE_OURS && table != TABLE_BLOCKED;
    return exit ? UINT64_C(1) << (table - TABLE_BLOCKED) : 0;
}

static uint64_t exits_in_use(const struct model *model)
{
    const struct map_entry *entry;
    uint64_t tables = 0;
    size_t at = 0;
    while ((entry = map_next(&model->links, &at)))
        if (routes_is_exit(entry->value))
            tables |= UINT64_C(1) << ((const struct model_link *)entry->value)->number;
    return tables;
}

/* Everything in a table of ours, whoever made it. */
static int observe_table(struct sys *sys, uint32_t table, struct routes_observed *o,
                         struct error **reterr)
{
    struct sys_routes routes = {0};
    int result = sys_route_list(sys, table, 0, &routes, reterr);
    for (size_t i = 0; i < routes.count; i++)
        put_route(&o->routes, &routes.list[i]);
    if (routes.count)
        o->tables |= exit_bit(table);
    sys_routes_clear(&routes);
    return result;
}

/* `tables`: those of exits that there is a reason to look into. */
static int observe_routes(struct sys *sys, uint64_t tables, struct routes_observed *o,
                          struct error **reterr)
{
    struct sys_routes own = {0};
    int result = sys_route_list(sys, 0, SYS_OWNER, &own, reterr);
    for (size_t i = 0; i < own.count; i++) {
        tables |= exit_bit(own.list[i].table);
        if (!routes_is_our_table(own.list[i].table))
            put_route(&o->routes, &own.list[i]);
    }
    sys_routes_clear(&own);
    if (result == 0)
        result = observe_table(sys, TABLE_OURS, o, reterr);
    if (result == 0)
        result = observe_table(sys, TABLE_BLOCKED, o, reterr);
    for (unsigned n = 1; result == 0 && n <= LINK_NUMBER_MAX; n++)
        if (tables >> n & 1)
            result = observe_table(sys, TABLE_BLOCKED + n, o, reterr);
    sort_routes(&o->routes);
    return result;
}

static int observe_main(struct sys *sys, struct routes_observed *o, struct error **reterr)
{
    struct sys_routes routes = {0};
    int result = sys_route_list(sys, SYS_TABLE_MAIN, 0, &routes, reterr);
    for (size_t i = 0; i < routes.count; i++) {
        const struct sys_route *route = &routes.list[i];
        if (route->destination.len || route->type != SYS_ROUTE_UNICAST)
            continue;
        o->default4 |= route->destination.ip.family == AF_INET;
        if (route->destination.ip.family != AF_INET6 || route->protocol != PROTOCOL_RA)
            continue;
        o->advertised = mem_grow(o->advertised, o->advertised_count, &o->advertised_capacity,
                                 sizeof(*o->advertised));
        memcpy(o->advertised[o->advertised_count++], route->interface, IFNAMSIZ);
    }
    sys_routes_clear(&routes);
    return result;
}

/* ---- settings ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct routes_setting *)a)->name,
                  ((const struct routes_setting *)b)->name);
}

static int observe_setting(struct sys *sys, const char *name, struct routes_observed *o,
                           struct error **reterr)
{
    struct routes_setting setting = {0};
    int result = sys_sysctl_get(sys, name, &setting.value, reterr);
    if (result != 0)
        return result == SYS_ABSENT ? 0 : result;
    snprintf(setting.name, sizeof(setting.name), "%s", name);
    o->settings =
        mem_grow(o->settings, o->setting_count, &o->setting_capacity, sizeof(*o->settings));
    o->settings[o->setting_count++] = setting;
    return 0;
}

/* All that may matter of an interface, or of "all". */
static int observe_scope(struct sys *sys, const char *scope, bool ipv6, struct routes_observed *o,
                         struct error **reterr)
{
    static const struct {
        const char *family, *setting;
    } rows[] = {
        {"ipv4", "rp_filter"},  {"ipv4", "src_valid_mark"}, {"ipv6", "disable_ipv6"},
        {"ipv6", "forwarding"}, {"ipv6", "accept_ra"},      {"ipv6", "force_forwarding"},
    };
    int result = 0;
    for (size_t i = 0; result == 0 && i < ARRAY_SIZE(rows); i++) {
        char name[SETTING_NAME_MAX];
        if (!ipv6 && strcmp(rows[i].family, "ipv6") == 0)
            continue;
        routes_setting_name(name, rows[i].family, scope, rows[i].setting);
        result = observe_setting(sys, name, o, reterr);
    }
    return result;
}

static int observe_settings(struct sys *sys, const struct model *model, struct routes_observed *o,
                            struct error **reterr)
{
    bool ipv6 = routes_has_ipv6(model);
    struct arena arena;
    arena_init(&arena, 1024);
    size_t count;
    const struct routes_interface *interfaces = routes_interfaces(model, &arena, &count);

    int result = observe_setting(sys, SETTING_FORWARD4, o, reterr);
    if (result == 0)
        result = observe_scope(sys, "all", ipv6, o, reterr);
    for (size_t i = 0; result == 0 && i < count; i++)
        result = observe_scope(sys, interfaces[i].name, ipv6, o, reterr);
    for (size_t i = 0; result == 0 && ipv6 && i < o->advertised_count; i++) {
        char name[SETTING_NAME_MAX];
        routes_setting_name(name, "ipv6", o->advertised[i], "accept_ra");
        result = observe_setting(sys, name, o, reterr);
    }
    if (o->setting_count > 1)
        qsort(o->settings, o->setting_count, sizeof(*o->settings), by_name);
    arena_clear(&arena);
    return result;
}

static struct routes_setting *find_setting(const struct routes_observed *o, const char *name)
{
    struct routes_setting key;
    snprintf(key.name, sizeof(key.name), "%s", name);
    if (!o->setting_count)
        return NULL;
    return bsearch(&key, o->settings, o->setting_count, sizeof(key), by_name);
}

bool routes_setting_value(const struct routes_observed *observed, const char *name, long *ret)
{
    const struct routes_setting *setting = find_setting(observed, name);
    if (setting)
        *ret = setting->value;
    return setting;
}

bool routes_carries(const struct routes_observed *o, const char *interface, uint8_t family)
{
    char name[SETTING_NAME_MAX];
    long off = 1; /* without the setting it has no IPv6 at all: its MTU is too small */
    size_t i = 0;
    while (i < o->up_count && strcmp(o->up[i], interface) != 0)
        i++;
    if (i == o->up_count || family == AF_INET)
        return i < o->up_count;
    routes_setting_name(name, "ipv6", interface, "disable_ipv6");
    routes_setting_value(o, name, &off);
    return !off;
}

/* ---- all of it ---- */

int routes_observe(struct sys *sys, const struct model *model, void *observed,
                   struct error **reterr)
{
    struct routes_observed *o = observed, seen = {.looked = true};
    int result = observe_links(sys, &seen, reterr);
    if (result == 0)
        result = sys_rule_list(sys, &seen.rules, reterr);
    if (result == 0)
        result = observe_routes(sys, o->tables | exits_in_use(model), &seen, reterr);
    if (result == 0)
        result = observe_main(sys, &seen, reterr);
    if (result == 0)
        result = observe_settings(sys, model, &seen, reterr);
    if (result < 0) {
        forget(&seen);
        return result;
    }
    forget(o);
    *o = seen;
    return 0;
}

/* ---- what was acknowledged ---- */

static void drop_rule(struct sys_rules *rules, const struct sys_rule *rule)
{
    for (size_t i = 0; i < rules->count; i++) {
        if (!routes_same_rule(&rules->list[i], rule))
            continue;
        memmove(&rules->list[i], &rules->list[i + 1], (--rules->count - i) * sizeof(*rules->list));
        return;
    }
}

/* The place in the kernel's order is left to the next look. */
static void put_rule(struct sys_rules *rules, const struct sys_rule *rule)
{
    rules->list = mem_grow(rules->list, rules->count, &rules->capacity, sizeof(*rules->list));
    rules->list[rules->count++] = *rule;
}

static void drop_route(struct sys_routes *routes, const struct sys_route *route)
{
    for (size_t i = routes_place_of(routes, route);
         i < routes->count && routes_compare_place(&routes->list[i], route) == 0; i++) {
        if (!routes_same_route(&routes->list[i], route))
            continue;
        memmove(&routes->list[i], &routes->list[i + 1],
                (--routes->count - i) * sizeof(*routes->list));
        return;
    }
}

static void set_route(struct sys_routes *routes, const struct sys_route *route)
{
    size_t at = routes_place_of(routes, route);
    if (at == routes->count || routes_compare_place(&routes->list[at], route) != 0) {
        put_route(routes, route);
        memmove(&routes->list[at + 1], &routes->list[at],
                (routes->count - 1 - at) * sizeof(*routes->list));
    }
    routes->list[at] = *route;
}

static void learn_setting(struct routes_observed *o, const struct routes_setting *setting)
{
    struct routes_setting *seen = find_setting(o, setting->name);
    if (seen)
        seen->value = setting->value;
}

static void learn_step(struct routes_observed *o, const struct routes_action *action)
{
    switch (action->object.sort) {
    case ROUTES_RULE:
        (action->remove ? drop_rule : put_rule)(&o->rules, &action->object.rule);
        return;
    case ROUTES_ROUTE:
        o->tables |= exit_bit(action->object.route.table);
        (action->remove ? drop_route : set_route)(&o->routes, &action->object.route);
        return;
    case ROUTES_SETTING:
        for (size_t i = 0; i < action->first_count; i++)
            learn_setting(o, &action->first[i]);
        learn_setting(o, &action->object.setting);
        return;
    }
}

void routes_learn(void *observed, const struct plan *plan, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        learn_step(observed, plan->steps[i].action);
}
