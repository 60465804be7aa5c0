#include "reconcilers/firewall/firewall.h"

#include <string.h>

#include "schema/base/mem.h"

/* ---- steps and what they change ---- */

struct step *fw_step(struct fw_planner *p, enum verb verb, const char *format, ...)
{
    STRBUF_AUTO object = STRBUF_INIT;
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&object, format, args);
    va_end(args);
    return fw_step_of(p, verb, MODEL_KEY_CELL, p->cause, object.text);
}

struct step *fw_step_of(struct fw_planner *p, enum verb verb, const char *key, const char *cause,
                        const char *object)
{
    struct step *step = plan_add(p->plan, verb, key, cause, DISRUPTION_NONE, "%s", object);
    step->action = p->action = arena_alloc(&p->plan->arena, sizeof(*p->action));
    p->change_capacity = 0;
    return step;
}

struct nft_change *fw_change(struct fw_planner *p, enum nft_change_type type)
{
    struct fw_action *action = p->action;
    if (action->count == p->change_capacity) {
        p->change_capacity = p->change_capacity ? 2 * p->change_capacity : 2;
        struct nft_change *larger =
            arena_alloc(&p->plan->arena, p->change_capacity * sizeof(*larger));
        if (action->count)
            memcpy(larger, action->changes, action->count * sizeof(*larger));
        action->changes = larger;
    }
    struct nft_change *change = &action->changes[action->count++];
    change->type = type;
    change->family = NFT_FAMILY_INET;
    memcpy(change->table, FW_TABLE, sizeof(FW_TABLE));
    return change;
}

const struct nft_rule *fw_copy_rule(struct arena *arena, const struct nft_rule *rule)
{
    struct nft_rule *copy = arena_memdup(arena, rule, sizeof(*rule));
    if (rule->count)
        copy->instrs = arena_memdup(arena, rule->instrs, rule->count * sizeof(*rule->instrs));
    return copy;
}

void fw_change_set(struct fw_planner *p, enum nft_change_type type, const struct nft_set *set)
{
    struct nft_set *copy = arena_memdup(&p->plan->arena, set, sizeof(*set));
    copy->elements = NULL;
    copy->count = copy->capacity = 0;
    if ((type == NFT_ELEMENTS_ADD || type == NFT_ELEMENTS_DELETE) && set->count) {
        copy->count = set->count;
        copy->elements =
            arena_memdup(&p->plan->arena, set->elements, set->count * nft_set_element_size(set));
    }
    fw_change(p, type)->set = copy;
}

/* ---- the cause of what belongs to nobody in particular ---- */

static const char *unapplied_link(const struct model *model)
{
    const struct map_entry *entry;
    const char *id = NULL;
    size_t at = 0;
    while ((entry = map_next(&model->links, &at))) {
        const struct model_link *link = entry->value;
        if (!link->applied && (!id || strcmp(link->resource->id, id) < 0))
            id = link->resource->id;
    }
    at = 0;
    while (!id && (entry = map_next(&model->departed_links, &at)))
        id = ((const struct model_departed_link *)entry->value)->id;
    return id;
}

static const char *unapplied_subnets(const struct model *model)
{
    const struct map_entry *entry;
    const char *id = NULL;
    size_t at = 0;
    while ((entry = map_next(&model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        const struct peer_spec *spec = peer->resource->spec;
        bool had = peer->former_count || spec->subnets.count;
        if (!peer->applied && had && (!id || strcmp(peer->resource->id, id) < 0))
            id = peer->resource->id;
    }
    at = 0;
    while (!id && (entry = map_next(&model->departed, &at)))
        id = ((const struct model_departed *)entry->value)->id;
    return id;
}

static const char *structure_cause(const struct model *model)
{
    if (model->teardown)
        return "teardown";
    if (!model->cell.resource)
        return "Cell removed";
    if (!model->cell.applied)
        return model->cell.resource->id;
    const char *id = unapplied_link(model);
    if (!id)
        id = unapplied_subnets(model);
    return id ? id : CAUSE_DRIFT;
}

/* ---- the whole ---- */

static void plan_removal(struct fw_planner *p)
{
    fw_plan_docker(p, false);
    if (!p->observed->table.present)
        return;
    struct step *step = fw_step(p, VERB_DELETE, "table inet %s", FW_TABLE);
    step->last = step->guarded = true; /* what is still up is still confined */
    fw_change(p, NFT_TABLE_DELETE);
}

static void plan_flows(struct fw_planner *p)
{
    char key[MODEL_KEY_MAX], text[ADDR_TEXT_MAX];
    for (const struct fw_flow *flow = p->flows; flow; flow = flow->next) {
        const char *object =
            arena_printf(&p->scratch, "flows from %s", ip_format(&flow->source, text));
        fw_step_of(p, VERB_DELETE, model_peer_key(flow->key, key), flow->cause, object)
            ->disruption = DISRUPTION_RESTART;
        p->action->forget = flow->source;
    }
}

static void plan_everything(struct fw_planner *p)
{
    fw_plan_structure(p);
    fw_plan_elements(p);
    fw_plan_leftovers(p);
    fw_plan_docker(p, true);
}

void fw_plan(const void *desired, const void *observed, struct plan *plan)
{
    const struct fw_desired *d = desired;
    const struct fw_observed *o = observed;
    struct fw_planner p = {
        .desired = d, .observed = o, .model = d->model, .plan = plan, .cause = CAUSE_DRIFT};

    if (d->nothing_due || !o->known)
        return;
    arena_init(&p.scratch, 4096);
    if (!d->wanted || d->everything)
        p.cause = structure_cause(d->model);
    if (!d->wanted)
        plan_removal(&p);
    else if (d->everything)
        plan_everything(&p);
    else if (o->table.present)
        fw_plan_elements(&p);
    plan_flows(&p); /* last: see apply() */
    arena_clear(&p.scratch);
}
