#include "reconcilers/routes/routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Something that has to be done about an object. */
struct edit {
    enum verb verb;
    struct routes_object object;
    struct routes_owner owner;
    const struct routes_object *before; /* UPDATE of a route: what is in its place */
    const struct sys_rule *twin;        /* has to go before the rule can be made */
    const struct routes_due *due;       /* of a setting */
    unsigned copy;                      /* of a rule that exists too often: 2 for the first one */
};

struct edits {
    struct edit *list;
    size_t count, capacity;
};

struct planner {
    const struct routes_desired *desired;
    const struct routes_observed *observed;
    struct plan *plan;
    struct arena scratch;
    struct routes_strays strays;
    bool *rule_taken, *route_taken; /* of those observed: wanted, or dealt with */
    struct edits made, removed;
};

static struct edit *add(struct planner *p, struct edits *edits, enum verb verb,
                        const struct routes_object *object, struct routes_owner owner)
{
    if (edits->count == edits->capacity) {
        size_t capacity = edits->capacity ? 2 * edits->capacity : 32;
        struct edit *list = arena_alloc(&p->scratch, capacity * sizeof(*list));
        if (edits->count)
            memcpy(list, edits->list, edits->count * sizeof(*list));
        edits->list = list;
        edits->capacity = capacity;
    }
    struct edit *edit = &edits->list[edits->count++];
    *edit = (struct edit){.verb = verb, .object = *object, .owner = owner};
    return edit;
}

static void remove_object(struct planner *p, const struct routes_object *object)
{
    add(p, &p->removed, VERB_DELETE, object, routes_stray_owner(&p->strays, object));
}

/* ---- rules ---- */

/* Takes the first rule like this that nobody has taken yet. */
static const struct sys_rule *take_rule(struct planner *p, const struct sys_rule *rule)
{
    const struct sys_rules *rules = &p->observed->rules;
    for (size_t i = 0; i < rules->count; i++) {
        if (p->rule_taken[i] || !routes_same_rule(&rules->list[i], rule))
            continue;
        p->rule_taken[i] = true;
        return &rules->list[i];
    }
    return NULL;
}

/* While a rule's twin exists, other by `invert` only, the kernel does not let it be made. */
static void want_rule(struct planner *p, const struct routes_want *want)
{
    if (take_rule(p, &want->object.rule))
        return;
    struct sys_rule twin = want->object.rule;
    twin.invert = !twin.invert;
    add(p, &p->made, VERB_CREATE, &want->object, want->owner)->twin = take_rule(p, &twin);
}

static bool is_copy(const struct sys_rules *rules, size_t a, size_t b)
{
    return routes_is_our_rule(&rules->list[b]) &&
           routes_same_rule(&rules->list[a], &rules->list[b]);
}

static void remove_rules(struct planner *p)
{
    const struct sys_rules *rules = &p->observed->rules;
    for (size_t i = 0; i < rules->count; i++) {
        struct routes_object object = {.sort = ROUTES_RULE, .rule = rules->list[i]};
        if (p->rule_taken[i] || !routes_is_our_rule(&rules->list[i]))
            continue;
        remove_object(p, &object);
        struct edit *edit = &p->removed.list[p->removed.count - 1];
        for (size_t j = 0; j < i; j++)
            edit->copy += is_copy(rules, i, j);
        edit->copy += edit->copy > 0;
    }
}

/* ---- routes ---- */

/* Routes by an interface that cannot have them are left out, and come with it. */
static void want_route(struct planner *p, const struct routes_want *want)
{
    const struct sys_route *route = &want->object.route;
    const struct sys_routes *routes = &p->observed->routes;
    size_t first = routes_place_of(routes, route), end = first;
    for (; end < routes->count && routes_compare_place(&routes->list[end], route) == 0; end++) {
        if (!routes_same_route(&routes->list[end], route))
            continue;
        p->route_taken[end] = true;
        return;
    }
    if (route->type == SYS_ROUTE_UNICAST &&
        !routes_carries(p->observed, route->interface, route->destination.ip.family))
        return;
    struct edit *edit =
        add(p, &p->made, first < end ? VERB_UPDATE : VERB_CREATE, &want->object, want->owner);
    if (first == end)
        return;
    struct routes_object before = {.sort = ROUTES_ROUTE, .route = routes->list[first]};
    edit->before = arena_memdup(&p->scratch, &before, sizeof(before));
    p->route_taken[first] = true;
}

static void remove_route(struct planner *p, size_t at)
{
    struct routes_object object = {.sort = ROUTES_ROUTE, .route = p->observed->routes.list[at]};
    p->route_taken[at] = true;
    remove_object(p, &object);
}

static bool is_wanted(const struct model *model, const struct prefix *prefix)
{
    const struct map_entry *entry;
    size_t at = 0;
    if (model_owner(model, prefix))
        return true;
    while ((entry = map_next(&model->links, &at))) {
        const struct model_link *link = entry->value;
        for (size_t i = 0; i < link->prefix_count; i++)
            if (prefix_compare(&link->prefixes[i], prefix) == 0)
                return true;
    }
    return false;
}

/* What a peer had behind it, with the unreachable twins. */
static void remove_former(struct planner *p, const struct prefix *former, size_t count)
{
    const struct sys_routes *routes = &p->observed->routes;
    for (size_t i = 0; i < count; i++) {
        struct sys_route route = {.table = TABLE_OURS, .destination = former[i]};
        if (is_wanted(p->desired->model, &former[i]))
            continue;
        for (size_t at = routes_place_of(routes, &route); at < routes->count; at++) {
            const struct sys_route *seen = &routes->list[at];
            if (seen->table != TABLE_OURS || prefix_compare(&seen->destination, &former[i]) != 0)
                break;
            if (!p->route_taken[at])
                remove_route(p, at);
        }
    }
}

static void remove_peer(struct planner *p, const struct wgkey *key)
{
    const struct model_peer *peer = model_peer_by_key(p->desired->model, key);
    const struct model_departed *departed = model_departed(p->desired->model, key);
    if (peer)
        remove_former(p, peer->former, peer->former_count);
    if (!departed)
        return;
    const struct peer_spec *spec = departed->resource->spec;
    remove_former(p, departed->former, departed->former_count);
    remove_former(p, spec->subnets.items, spec->subnets.count);
}

/* ---- comparing ---- */

static int by_place(const void *a, const void *b)
{
    const struct sys_route *x = &(*(const struct routes_want *const *)a)->object.route;
    const struct sys_route *y = &(*(const struct routes_want *const *)b)->object.route;
    int order = routes_compare_place(x, y);
    return order ? order : strcmp(x->interface, y->interface);
}

/* Two for one place would displace each other for ever. */
static void want_routes(struct planner *p)
{
    const struct routes_desired *d = p->desired;
    const struct routes_want **list = arena_alloc(&p->scratch, (d->want_count + 1) * sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < d->want_count; i++)
        if (d->wants[i].object.sort == ROUTES_ROUTE)
            list[count++] = &d->wants[i];
    if (count > 1)
        qsort(list, count, sizeof(*list), by_place);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || routes_compare_place(&list[i - 1]->object.route, &list[i]->object.route) != 0)
            want_route(p, list[i]);
}

static void compare(struct planner *p)
{
    const struct routes_desired *d = p->desired;
    for (size_t i = 0; i < d->want_count; i++)
        if (d->wants[i].object.sort == ROUTES_RULE)
            want_rule(p, &d->wants[i]);
    want_routes(p);
    for (size_t i = 0; i < d->peer_count; i++)
        remove_peer(p, &d->peers[i]);
    if (!d->everything)
        return;
    remove_rules(p);
    for (size_t i = 0; i < p->observed->routes.count; i++)
        if (!p->route_taken[i])
            remove_route(p, i);
}

static void compare_settings(struct planner *p)
{
    struct routes_dues dues = {.arena = &p->scratch};
    if (!p->desired->everything)
        return;
    routes_settings_due(p->desired, p->observed, &dues);
    for (size_t i = 0; i < dues.count; i++) {
        struct routes_object object = {.sort = ROUTES_SETTING, .setting = dues.list[i].setting};
        struct edits *to = p->desired->wanted ? &p->made : &p->removed;
        add(p, to, VERB_UPDATE, &object, dues.list[i].owner)->due = &dues.list[i];
    }
}

/* ---- the steps ---- */

static void note_setting(struct plan *plan, const char *field, long before, long after)
{
    char was[24], is[24];
    snprintf(was, sizeof(was), "%ld", before);
    snprintf(is, sizeof(is), "%ld", after);
    plan_note(plan, field, was, is);
}

static void note_first(struct planner *p, const struct edit *edit)
{
    for (size_t i = 0; i < edit->due->first_count; i++) {
        struct routes_object first = {.sort = ROUTES_SETTING, .setting = edit->due->first[i]};
        STRBUF_AUTO text = STRBUF_INIT;
        long before = 0;
        routes_setting_value(p->observed, first.setting.name, &before);
        routes_object_text(&first, &text);
        note_setting(p->plan, text.text, before, first.setting.value);
    }
}

static void describe_route(const struct sys_route *route, struct strbuf *out)
{
    char text[ADDR_TEXT_MAX];
    strbuf_puts(out, route->type == SYS_ROUTE_UNICAST       ? "dev "
                     : route->type == SYS_ROUTE_UNREACHABLE ? "unreachable"
                                                            : "other");
    strbuf_puts(out, route->interface);
    if (route->gateway)
        strbuf_puts(out, " by a router");
    if (route->source.family)
        strbuf_printf(out, " src %s", ip_format(&route->source, text));
    if (route->protocol != SYS_OWNER)
        strbuf_printf(out, " protocol %u", route->protocol);
}

static void note(struct planner *p, const struct edit *edit)
{
    STRBUF_AUTO was = STRBUF_INIT;
    STRBUF_AUTO is = STRBUF_INIT;
    if (edit->due) {
        note_first(p, edit);
        note_setting(p->plan, "value", edit->due->before, edit->object.setting.value);
    } else if (edit->before) {
        describe_route(&edit->before->route, &was);
        describe_route(&edit->object.route, &is);
        plan_note(p->plan, "route", was.text, is.text);
    } else if (edit->object.sort == ROUTES_ROUTE && edit->verb == VERB_DELETE &&
               edit->object.route.protocol != SYS_OWNER) {
        describe_route(&edit->object.route, &was);
        plan_note(p->plan, "route", was.text, NULL);
    }
}

/* What refuses goes when nothing is left to be refused. */
static bool goes_last(const struct planner *p, const struct edit *edit)
{
    return !p->desired->wanted && edit->object.sort != ROUTES_SETTING;
}

static void emit(struct planner *p, const struct edit *edit)
{
    STRBUF_AUTO text = STRBUF_INIT;
    routes_object_text(&edit->object, &text);
    if (edit->copy)
        strbuf_printf(&text, " (copy %u)", edit->copy);
    struct step *step = plan_add(p->plan, edit->verb, edit->owner.key, edit->owner.cause,
                                 DISRUPTION_NONE, "%s", text.text);
    struct routes_action *action = arena_alloc(&p->plan->arena, sizeof(*action));
    action->remove = edit->verb == VERB_DELETE;
    action->object = edit->object;
    if (edit->due && edit->due->first_count) {
        action->first_count = edit->due->first_count;
        action->first = arena_memdup(&p->plan->arena, edit->due->first,
                                     action->first_count * sizeof(*action->first));
    }
    step->action = action;
    step->last = goes_last(p, edit);
    note(p, edit);
}

static void emit_made(struct planner *p, const struct edit *edit)
{
    if (edit->twin) {
        struct routes_object twin = {.sort = ROUTES_RULE, .rule = *edit->twin};
        struct routes_owner owner = {.key = edit->owner.key, .cause = CAUSE_DRIFT};
        emit(p, &(struct edit){.verb = VERB_DELETE, .object = twin, .owner = owner});
    }
    emit(p, edit);
}

static int by_turn(const void *a, const void *b)
{
    const struct edit *x = a, *y = b;
    int order = routes_compare_turn(&x->object, &y->object);
    return order ? order : x->copy < y->copy ? -1 : x->copy > y->copy;
}

static void sort(struct edits *edits)
{
    if (edits->count > 1)
        qsort(edits->list, edits->count, sizeof(*edits->list), by_turn);
}

static void emit_all(struct planner *p)
{
    sort(&p->made);
    sort(&p->removed);
    for (size_t i = 0; i < p->made.count; i++)
        emit_made(p, &p->made.list[i]);
    for (size_t i = p->removed.count; i-- > 0;)
        emit(p, &p->removed.list[i]);
}

void routes_plan(const void *desired, const void *observed, struct plan *plan)
{
    struct planner p = {.desired = desired, .observed = observed, .plan = plan};
    if (p.desired->nothing_due || !p.observed->looked)
        return;
    if (!p.desired->everything && !p.desired->want_count && !p.desired->peer_count)
        return;
    arena_init(&p.scratch, 4096);
    p.strays = (struct routes_strays){.model = p.desired->model, .arena = &p.scratch};
    p.rule_taken = arena_alloc(&p.scratch, p.observed->rules.count + 1);
    p.route_taken = arena_alloc(&p.scratch, p.observed->routes.count + 1);
    compare(&p);
    compare_settings(&p);
    emit_all(&p);
    routes_strays_clear(&p.strays);
    arena_clear(&p.scratch);
}
