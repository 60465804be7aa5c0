#include "reconcilers/routes/routes.h"

#include <string.h>

#include "schema/base/mem.h"

enum { TABLE_LOCAL = 255, RULE_FIRST = 1 };

/* ---- rules of others ---- */

/* Only for packets with marks that are other people's? Ours have none of those bits. */
static bool is_for_other_marks(const struct sys_rule *rule)
{
    return !rule->invert && (rule->mark & rule->mask & ~(uint32_t)(MARK_MASK | MARK_ACCEPTED));
}

/* Only for what comes in by an interface that neither we nor our uplinks have? */
static bool is_for_other_interfaces(const struct model *model, const struct sys_rule *rule)
{
    const struct host *host = &model->host;
    if (!*rule->iif || rule->invert || model_link_by_interface(model, rule->iif) ||
        strcmp(rule->iif, model->cell.spec->interface) == 0)
        return false;
    for (size_t i = 0; i < host->interface_count; i++)
        if (strcmp(rule->iif, host->interfaces[i].name) == 0)
            return false;
    return true;
}

/*
 * Might it take a packet before our rules do? One that was added without a priority stands right
 * before the first that there was. The kernel's own at 0 asks the table `local` only, wherever
 * somebody has moved it.
 */
static bool is_ahead(const struct model *model, const struct sys_rule *rule)
{
    if (routes_is_our_rule(rule) || rule->priority < RULE_FIRST || rule->priority > RULE_UNMARKED)
        return false;
    if (rule->family == AF_INET6 && !routes_has_ipv6(model))
        return false;
    if (rule->table == TABLE_LOCAL && !rule->other)
        return false;
    return !is_for_other_marks(rule) && !is_for_other_interfaces(model, rule);
}

static json_t *foreign_rules(const struct model *model, const struct routes_observed *o)
{
    json_t *list = json_array();
    for (size_t i = 0; i < o->rules.count; i++) {
        const struct sys_rule *rule = &o->rules.list[i];
        STRBUF_AUTO text = STRBUF_INIT;
        if (!is_ahead(model, rule))
            continue;
        routes_rule_text(rule, &text);
        strbuf_printf(&text, ", protocol %u", rule->protocol);
        json_array_append_new(list, json_string(text.text));
    }
    return list;
}

/* ---- problems ---- */

static bool has_exits(const struct model *model)
{
    const struct map_entry *entry;
    size_t at = 0;
    while ((entry = map_next(&model->links, &at)))
        if (routes_is_exit(entry->value))
            return true;
    return false;
}

static void add_problem(json_t *list, const char *text)
{
    json_array_append_new(list, json_string(text));
}

static bool lacks_ipv6(const struct model *model, const struct routes_observed *o)
{
    const char *interface = model->cell.spec->interface;
    return routes_has_ipv6(model) && routes_carries(o, interface, AF_INET) &&
           !routes_carries(o, interface, AF_INET6);
}

static json_t *problems(const struct model *model, const struct routes_observed *o,
                        bool any_foreign)
{
    json_t *list = json_array();
    if (!o->default4 && has_exits(model))
        add_problem(list, "the table \"main\" has no default route for IPv4: replies from the "
                          "internet that come through a link are dropped (rp_filter); add one");
    if (any_foreign)
        add_problem(list, "rules of other programs stand before ours and may take packets of "
                          "peers: give them a priority above 90");
    if (lacks_ipv6(model, o))
        add_problem(list, "IPv6 is switched off on the peers' interface (disable_ipv6): it has no "
                          "routes for network.vpn6");
    return list;
}

/* ---- resources ---- */

static size_t count_rules(const struct routes_observed *o)
{
    size_t count = 0;
    for (size_t i = 0; i < o->rules.count; i++)
        count += routes_is_our_rule(&o->rules.list[i]);
    return count;
}

static size_t count_routes(const struct routes_observed *o)
{
    size_t count = 0;
    for (size_t i = 0; i < o->routes.count; i++)
        count += o->routes.list[i].protocol == SYS_OWNER;
    return count;
}

static void cell_status(const struct model *model, const struct routes_observed *o, json_t *status)
{
    json_t *routing = json_object(), *foreign = foreign_rules(model, o);
    bool any_foreign = json_array_size(foreign) > 0;

    json_object_set_new(routing, "rules", json_integer((json_int_t)count_rules(o)));
    json_object_set_new(routing, "routes", json_integer((json_int_t)count_routes(o)));
    json_object_set_new(routing, "foreignRules", foreign);
    json_object_set_new(routing, "problems", problems(model, o, any_foreign));
    json_object_set_new(status, "routing", routing);
}

static void link_status(const struct model *model, const struct resource *resource, json_t *status)
{
    const struct model_link *link = model_link_by_name(model, resource->name);
    if (!link || !routes_is_exit(link))
        return;
    MEM_AUTO char *mark = mem_printf("0x%08x/0x%08x", link->number << MARK_SHIFT, MARK_MASK);
    json_object_set_new(status, "exitMark", json_string(mark));
    json_object_set_new(status, "exitTable",
                        json_integer(TABLE_BLOCKED + (json_int_t)link->number));
}

void routes_status(const struct model *model, const void *observed, const struct resource *resource,
                   json_t *status)
{
    const struct routes_observed *o = observed;
    if (!o->looked)
        return;
    if (resource->kind == &kind_link)
        link_status(model, resource, status);
    else if (resource->kind == &kind_cell && model->cell.spec)
        cell_status(model, o, status);
}
