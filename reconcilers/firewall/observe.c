#include "reconcilers/firewall/firewall.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

void *fw_observed_new(void)
{
    struct fw_observed *o = mem_alloc(sizeof(*o));
    o->problems = STRBUF_INIT;
    return o;
}

static void forget(struct fw_observed *o)
{
    nft_ruleset_clear(&o->table);
    memset(o->sets, 0, sizeof(o->sets));
    for (size_t i = 0; i < ARRAY_SIZE(o->docker); i++)
        fw_docker_clear(&o->docker[i]);
    strbuf_reset(&o->problems);
}

void fw_observed_free(void *observed)
{
    struct fw_observed *o = observed;
    if (!o)
        return;
    forget(o);
    strbuf_clear(&o->problems);
    free(o);
}

static int by_name(const void *a, const void *b)
{
    const struct nft_set *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static void find_sets(struct fw_observed *o)
{
    size_t count = o->table.set_count;
    MEM_AUTO struct nft_set **sorted = mem_alloc((count + 1) * sizeof(*sorted));

    for (size_t i = 0; i < count; i++)
        sorted[i] = &o->table.sets[i];
    if (count > 1)
        qsort(sorted, count, sizeof(*sorted), by_name);
    for (unsigned i = 0; count && i < FW_INSTANCES; i++) {
        struct nft_set sought;
        const struct nft_set *key = &sought;
        fw_instance_name(i, sought.name);
        struct nft_set **found = bsearch(&key, sorted, count, sizeof(*sorted), by_name);
        o->sets[i] = found ? *found : NULL;
    }
}

int fw_observe(struct sys *sys, const struct model *model, void *observed, struct error **reterr)
{
    struct fw_observed *o = observed;
    struct nft_ruleset table = {0}, all = {0};
    uint64_t samples = fw_problems_samples(model);
    uint32_t generation;

    int result = sys_nft_generation(sys, &generation, reterr);
    if (result < 0 || (o->known && generation == o->generation && samples == o->samples))
        return result;
    result = sys_nft_read(sys, FW_TABLE, &table, reterr);
    if (result == 0)
        result = sys_nft_read(sys, NULL, &all, reterr);
    if (result == 0) {
        forget(o);
        o->table = table;
        table = (struct nft_ruleset){0};
        find_sets(o);
        fw_docker_look(&all, model, o->docker);
        fw_problems_look(&all, model, &o->problems);
        /* What changed between the two readings is read the next time. */
        o->generation = o->table.generation;
        o->samples = samples;
        o->known = true;
    }
    nft_ruleset_clear(&table);
    nft_ruleset_clear(&all);
    return result;
}

/* ---- what was acknowledged ---- */

static bool is_elements(const struct nft_change *change)
{
    return change->type == NFT_ELEMENTS_ADD || change->type == NFT_ELEMENTS_DELETE;
}

/* Many are sorted in once, at the end. */
static void learn_change(struct fw_observed *o, const struct nft_change *change, bool many)
{
    struct nft_set *set = nft_find_set(&o->table, change->set->name);
    for (size_t i = 0; set && i < change->set->count; i++) {
        const uint8_t *element = nft_set_at(change->set, i);
        if (change->type == NFT_ELEMENTS_DELETE)
            nft_set_remove(set, element);
        else if (many)
            nft_set_append(set, element);
        else
            nft_set_put(set, element);
    }
}

/* All changes of one sort; what is taken away comes first, as in apply(). */
static void learn_all(struct fw_observed *o, const struct plan *plan, size_t from, size_t to,
                      enum nft_change_type type)
{
    enum { MANY = 64 };
    bool many = to - from > MANY;
    for (size_t i = from; i < to; i++) {
        const struct fw_action *action = plan->steps[i].action;
        for (size_t j = 0; j < action->count; j++)
            if (action->changes[j].type == type)
                learn_change(o, &action->changes[j], many);
    }
    for (size_t i = 0; many && i < o->table.set_count; i++)
        nft_set_sort(&o->table.sets[i]);
}

/* Changes of elements are folded in; after any other the system is read again. */
void fw_learn(void *observed, const struct plan *plan, size_t from, size_t to)
{
    struct fw_observed *o = observed;
    size_t changes = 0;

    for (size_t i = from; i < to; i++) {
        const struct fw_action *action = plan->steps[i].action;
        changes += action->count;
        for (size_t j = 0; j < action->count; j++)
            o->known &= is_elements(&action->changes[j]);
    }
    o->generation += changes > 0; /* one transaction: see apply() */
    if (!o->known)
        return;
    learn_all(o, plan, from, to, NFT_ELEMENTS_DELETE);
    learn_all(o, plan, from, to, NFT_ELEMENTS_ADD);
}
