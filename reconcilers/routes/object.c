#include "reconcilers/routes/routes.h"

#include <stdio.h>
#include <string.h>

bool routes_is_our_table(uint32_t table)
{
    return table == TABLE_OURS ||
           (table >= TABLE_BLOCKED && table <= TABLE_BLOCKED + LINK_NUMBER_MAX);
}

/* We make none that has more to say than fits: one that does is somebody else's, whatever it calls
 * itself, and could not be taken away without hitting another. */
bool routes_is_our_rule(const struct sys_rule *rule)
{
    return rule->protocol == SYS_OWNER && !rule->other;
}

bool routes_same_rule(const struct sys_rule *a, const struct sys_rule *b)
{
    return a->family == b->family && a->priority == b->priority && a->table == b->table &&
           a->mark == b->mark && a->mask == b->mask && a->invert == b->invert &&
           a->protocol == b->protocol && a->other == b->other && strcmp(a->iif, b->iif) == 0;
}

static int compare_numbers(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

int routes_compare_place(const struct sys_route *a, const struct sys_route *b)
{
    int order = compare_numbers(a->table, b->table);
    if (order == 0)
        order = prefix_compare(&a->destination, &b->destination);
    return order ? order : compare_numbers(a->metric, b->metric);
}

bool routes_same_route(const struct sys_route *a, const struct sys_route *b)
{
    return routes_compare_place(a, b) == 0 && a->type == b->type && a->protocol == b->protocol &&
           a->gateway == b->gateway && ip_equal(&a->source, &b->source) &&
           strcmp(a->interface, b->interface) == 0;
}

size_t routes_place_of(const struct sys_routes *routes, const struct sys_route *route)
{
    size_t low = 0, high = routes->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (routes_compare_place(&routes->list[middle], route) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- order ---- */

/*
 * What refuses comes first, what lets through after it: whatever is cut off behind a stage, packets
 * of a routed peer are refused rather than let out by the uplink. The settings of the reverse path
 * filter precede the routes that need them; forwarding is the end.
 */
enum stage {
    STAGE_DEAD_END, /* unreachable default of the table of blocked packets */
    STAGE_CATCH,    /* the rules that lead there */
    STAGE_FILTER,   /* settings of the reverse path filter */
    STAGE_SINK,     /* its default by the peers' interface, where `forward` refuses in words */
    STAGE_OURS,     /* what is ours, and the rule for it */
    STAGE_OURS_RULE,
    STAGE_DIRECT,
    STAGE_EXIT, /* each exit's table, then the rule for it */
    STAGE_EXIT_RULE,
    STAGE_FORWARD,
};

static enum stage rule_stage(const struct sys_rule *rule)
{
    if (rule->priority == RULE_BLOCKED || rule->priority == RULE_UNMARKED)
        return STAGE_CATCH;
    if (rule->priority == RULE_OURS)
        return STAGE_OURS_RULE;
    return rule->priority == RULE_DIRECT ? STAGE_DIRECT : STAGE_EXIT_RULE;
}

static enum stage route_stage(const struct sys_route *route)
{
    if (route->table == TABLE_BLOCKED)
        return route->type == SYS_ROUTE_UNREACHABLE ? STAGE_DEAD_END : STAGE_SINK;
    return route->table == TABLE_OURS ? STAGE_OURS : STAGE_EXIT;
}

static enum stage setting_stage(const struct routes_setting *setting)
{
    const char *last = strrchr(setting->name, '/');
    return last && strstr(last, "forward") ? STAGE_FORWARD : STAGE_FILTER;
}

static enum stage stage_of(const struct routes_object *object)
{
    switch (object->sort) {
    case ROUTES_RULE:
        return rule_stage(&object->rule);
    case ROUTES_ROUTE:
        return route_stage(&object->route);
    case ROUTES_SETTING:
        return setting_stage(&object->setting);
    }
    return STAGE_FORWARD;
}

static int compare_rules(const struct sys_rule *a, const struct sys_rule *b)
{
    int order = compare_numbers(a->family, b->family);
    if (order == 0)
        order = compare_numbers(a->priority, b->priority);
    if (order == 0)
        order = compare_numbers(a->table, b->table);
    return order ? order : strcmp(a->iif, b->iif);
}

/* The unreachable one, which has the higher metric, before the one that leads somewhere. */
static int compare_routes(const struct sys_route *a, const struct sys_route *b)
{
    int order = compare_numbers(a->destination.ip.family, b->destination.ip.family);
    if (order == 0)
        order = compare_numbers(a->table, b->table);
    if (order == 0)
        order = prefix_compare(&a->destination, &b->destination);
    if (order == 0)
        order = -compare_numbers(a->metric, b->metric);
    return order ? order : strcmp(a->interface, b->interface);
}

int routes_compare_turn(const struct routes_object *a, const struct routes_object *b)
{
    enum stage x = stage_of(a), y = stage_of(b);
    if (x != y)
        return x < y ? -1 : 1;
    if (a->sort != b->sort)
        return a->sort < b->sort ? -1 : 1;
    switch (a->sort) {
    case ROUTES_RULE:
        return compare_rules(&a->rule, &b->rule);
    case ROUTES_ROUTE:
        return compare_routes(&a->route, &b->route);
    case ROUTES_SETTING:
        return strcmp(a->setting.name, b->setting.name);
    }
    return 0;
}

/* ---- words ---- */

static const char *family_name(uint8_t family)
{
    return family == AF_INET ? "ipv4" : "ipv6";
}

void routes_rule_text(const struct sys_rule *rule, struct strbuf *out)
{
    strbuf_printf(out, "rule %u", rule->priority);
    if (rule->invert)
        strbuf_puts(out, " not");
    if (rule->mask && rule->mark)
        strbuf_printf(out, " fwmark 0x%08x/0x%08x", rule->mark, rule->mask);
    else if (rule->mask)
        strbuf_printf(out, " fwmark 0/0x%08x", rule->mask);
    if (*rule->iif)
        strbuf_printf(out, " iif %s", rule->iif);
    if (rule->other)
        strbuf_puts(out, " ...");
    if (rule->table == SYS_TABLE_MAIN)
        strbuf_puts(out, " lookup main");
    else if (rule->table)
        strbuf_printf(out, " lookup %u", rule->table);
    strbuf_printf(out, " (%s)", family_name(rule->family));
}

static uint32_t usual_metric(const struct sys_route *route)
{
    if (route->type == SYS_ROUTE_UNREACHABLE)
        return ROUTES_METRIC_LAST;
    return route->destination.ip.family == AF_INET6 ? ROUTES_METRIC6 : 0;
}

static void route_text(const struct sys_route *route, struct strbuf *out)
{
    static const char *const types[] = {
        [SYS_ROUTE_UNICAST] = "",
        [SYS_ROUTE_UNREACHABLE] = "unreachable ",
        [SYS_ROUTE_OTHER] = "other ",
    };
    char text[ADDR_TEXT_MAX];
    bool all = route->destination.len == 0;

    strbuf_printf(out, "route %s%s", types[route->type],
                  all ? "default" : prefix_format(&route->destination, text));
    if (*route->interface)
        strbuf_printf(out, " dev %s", route->interface);
    strbuf_printf(out, " table %u", route->table);
    if (route->metric != usual_metric(route))
        strbuf_printf(out, " metric %u", route->metric);
    if (all)
        strbuf_printf(out, " (%s)", family_name(route->destination.ip.family));
}

/* With points for slashes, and the other way round, as sysctl(8) writes it. */
static void setting_text(const struct routes_setting *setting, struct strbuf *out)
{
    strbuf_puts(out, "sysctl ");
    for (const char *c = setting->name; *c; c++)
        strbuf_putc(out, *c == '/' ? '.' : *c == '.' ? '/' : *c);
}

void routes_object_text(const struct routes_object *object, struct strbuf *out)
{
    switch (object->sort) {
    case ROUTES_RULE:
        routes_rule_text(&object->rule, out);
        return;
    case ROUTES_ROUTE:
        route_text(&object->route, out);
        return;
    case ROUTES_SETTING:
        setting_text(&object->setting, out);
        return;
    }
}

void routes_setting_name(char buf[static SETTING_NAME_MAX], const char *family, const char *scope,
                         const char *setting)
{
    snprintf(buf, SETTING_NAME_MAX, "net/%s/conf/%s/%s", family, scope, setting);
}
