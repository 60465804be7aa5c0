/*
 * The table: its sets and its chains. Elements are of concern only where it is made anew.
 */
#include "reconcilers/firewall/firewall.h"

#include <stdio.h>
#include <string.h>

/* Without its rules: they are changes of their own. */
static const struct nft_chain *copy_chain(struct arena *arena, const struct nft_chain *chain)
{
    struct nft_chain *copy = arena_memdup(arena, chain, sizeof(*chain));
    copy->rules = NULL;
    copy->rule_count = 0;
    return copy;
}

static void change_chain(struct fw_planner *p, enum nft_change_type type,
                         const struct nft_chain *chain)
{
    fw_change(p, type)->chain = copy_chain(&p->plan->arena, chain);
}

static void add_rules(struct fw_planner *p, const struct nft_chain *chain)
{
    const struct nft_chain *copy = copy_chain(&p->plan->arena, chain);
    for (size_t i = 0; i < chain->rule_count; i++) {
        struct nft_change *change = fw_change(p, NFT_RULE_APPEND);
        change->chain = copy;
        change->rule = fw_copy_rule(&p->plan->arena, &chain->rules[i]);
    }
}

static bool same_base(const struct nft_chain *a, const struct nft_chain *b)
{
    return a->hook == b->hook && a->policy_drop == b->policy_drop &&
           (a->hook == NFT_HOOK_NONE || (a->type == b->type && a->priority == b->priority));
}

static bool same_rule(const struct nft_rule *a, const struct nft_rule *b)
{
    return a->count == b->count && memcmp(a->instrs, b->instrs, a->count * sizeof(*a->instrs)) == 0;
}

const struct nft_set *fw_live(const struct fw_planner *p, unsigned instance)
{
    const struct nft_set *live = p->observed->sets[instance];
    const struct nft_set *desired = &p->desired->sets[instance];
    return p->observed->table.present && live && *desired->name && fw_same_definition(live, desired)
               ? live
               : NULL;
}

/* A chain or set that is there as something else, which the kernel does not change: appended to
 * `why`. */
static void find_wrong(const struct fw_planner *p, struct strbuf *why)
{
    const struct fw_desired *d = p->desired;
    for (size_t i = 0; i < d->chain_count; i++) {
        const struct nft_chain *live = nft_find_chain(&p->observed->table, d->chains[i].name);
        if (live && !same_base(live, &d->chains[i]))
            strbuf_printf(why, "%schain %s", why->len ? ", " : "", live->name);
    }
    for (unsigned i = 0; i < FW_INSTANCES; i++)
        if (*d->sets[i].name && p->observed->sets[i] && !fw_live(p, i))
            strbuf_printf(why, "%sset %s", why->len ? ", " : "", d->sets[i].name);
}

/* Those of peers that are there and may stay go into the new table as they are: what is wrong with
 * them is said, peer by peer, in the steps that follow. */
static void add_elements(struct fw_planner *p, unsigned instance)
{
    const struct nft_set *set =
        fw_owner_of(instance) == FW_OF_PEER ? fw_live(p, instance) : &p->desired->sets[instance];
    if (set && set->count)
        fw_change_set(p, NFT_ELEMENTS_ADD, set);
}

static void plan_table(struct fw_planner *p, const char *wrong)
{
    const struct fw_desired *d = p->desired;
    fw_step(p, wrong ? VERB_UPDATE : VERB_CREATE, "table inet %s", FW_TABLE)->needed = true;
    if (wrong) {
        plan_note(p->plan, "of another form", wrong, NULL);
        fw_change(p, NFT_TABLE_DELETE);
    }
    fw_change(p, NFT_TABLE_ADD);
    for (unsigned i = 0; i < FW_INSTANCES; i++) {
        if (!*d->sets[i].name)
            continue;
        fw_change_set(p, NFT_SET_ADD, &d->sets[i]);
        add_elements(p, i);
    }
    for (size_t i = 0; i < d->chain_count; i++)
        change_chain(p, NFT_CHAIN_ADD, &d->chains[i]);
    for (size_t i = 0; i < d->chain_count; i++)
        add_rules(p, &d->chains[i]);
}

static void plan_sets(struct fw_planner *p)
{
    bool any = false;
    for (unsigned i = 0; i < FW_INSTANCES; i++) {
        const struct nft_set *set = &p->desired->sets[i];
        if (!*set->name || p->observed->sets[i])
            continue;
        if (!any)
            fw_step(p, VERB_CREATE, "sets in table inet %s", FW_TABLE);
        any = true;
        plan_note(p->plan, "set", NULL, set->name);
        fw_change_set(p, NFT_SET_ADD, set);
    }
}

/* What the live rules and ours have in common at the beginning, and then at the end. */
static size_t common_head(const struct nft_chain *live, const struct nft_chain *chain)
{
    size_t i = 0;
    while (i < live->rule_count && i < chain->rule_count &&
           same_rule(&live->rules[i], &chain->rules[i]))
        i++;
    return i;
}

static size_t common_tail(const struct nft_chain *live, const struct nft_chain *chain, size_t head)
{
    size_t i = 0;
    while (
        head + i < live->rule_count && head + i < chain->rule_count &&
        same_rule(&live->rules[live->rule_count - 1 - i], &chain->rules[chain->rule_count - 1 - i]))
        i++;
    return i;
}

static void note_rules(struct fw_planner *p, const struct nft_chain *live,
                       const struct nft_chain *chain, size_t head)
{
    size_t same = head + common_tail(live, chain, head);
    char field[32], before[32], after[32];
    snprintf(field, sizeof(field), "rules from %zu on", head + 1);
    snprintf(before, sizeof(before), "%zu other", live->rule_count - same);
    snprintf(after, sizeof(after), "%zu of ours", chain->rule_count - same);
    plan_note(p->plan, field, live->rule_count > same ? before : NULL,
              chain->rule_count > same ? after : NULL);
}

static void plan_chain(struct fw_planner *p, const struct nft_chain *chain)
{
    const struct nft_chain *live = nft_find_chain(&p->observed->table, chain->name);
    size_t at = live ? common_head(live, chain) : 0;

    if (live && at == live->rule_count && at == chain->rule_count)
        return;
    fw_step(p, live ? VERB_UPDATE : VERB_CREATE, "chain %s", chain->name);
    if (live) {
        note_rules(p, live, chain, at);
        change_chain(p, NFT_CHAIN_FLUSH, chain);
    } else {
        change_chain(p, NFT_CHAIN_ADD, chain);
    }
    add_rules(p, chain);
}

/* Those that are called come before their callers. */
static void plan_chains(struct fw_planner *p)
{
    for (size_t i = p->desired->chain_count; i-- > 0;)
        plan_chain(p, &p->desired->chains[i]);
}

static bool is_wanted_chain(const struct fw_planner *p, const char *name)
{
    for (size_t i = 0; i < p->desired->chain_count; i++)
        if (strcmp(p->desired->chains[i].name, name) == 0)
            return true;
    return false;
}

static bool is_wanted_set(const struct fw_planner *p, const struct nft_set *set)
{
    for (unsigned i = 0; i < FW_INSTANCES; i++)
        if (p->observed->sets[i] == set)
            return *p->desired->sets[i].name;
    return false;
}

/* What nothing of ours uses any more, and what somebody else has put into our table. Such chains
 * may call each other and use such sets: all are emptied first. */
void fw_plan_leftovers(struct fw_planner *p)
{
    const struct nft_ruleset *live = &p->observed->table;
    const struct nft_chain **chains = arena_alloc(&p->scratch, live->chain_count * sizeof(*chains));
    const struct nft_set **sets = arena_alloc(&p->scratch, live->set_count * sizeof(*sets));
    size_t chain_count = 0, set_count = 0;

    if (p->remade)
        return;
    for (size_t i = 0; i < live->chain_count; i++)
        if (!is_wanted_chain(p, live->chains[i].name))
            chains[chain_count++] = &live->chains[i];
    for (size_t i = 0; i < live->set_count; i++)
        if (!is_wanted_set(p, &live->sets[i]))
            sets[set_count++] = &live->sets[i];
    if (chain_count + set_count == 0)
        return;
    fw_step(p, VERB_DELETE, "leftovers in table inet %s", FW_TABLE);
    for (size_t i = 0; i < chain_count; i++) {
        plan_note(p->plan, "chain", chains[i]->name, NULL);
        change_chain(p, NFT_CHAIN_FLUSH, chains[i]);
    }
    for (size_t i = 0; i < chain_count; i++)
        change_chain(p, NFT_CHAIN_DELETE, chains[i]);
    for (size_t i = 0; i < set_count; i++) {
        plan_note(p->plan, "set", sets[i]->name, NULL);
        fw_change_set(p, NFT_SET_DELETE, sets[i]);
    }
}

void fw_plan_structure(struct fw_planner *p)
{
    STRBUF_AUTO wrong = STRBUF_INIT;
    find_wrong(p, &wrong);
    p->remade = !p->observed->table.present || wrong.len;
    if (p->remade) {
        plan_table(p, wrong.len ? wrong.text : NULL);
    } else {
        plan_sets(p);
        plan_chains(p);
    }
}
