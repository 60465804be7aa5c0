#include "reconcilers/firewall/firewall.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* The changes of several steps, as they go into one transaction. */
struct batch {
    struct nft_change *list;
    size_t count, capacity;
    struct arena arena;
};

static bool is_elements(const struct nft_change *change)
{
    return change->type == NFT_ELEMENTS_ADD || change->type == NFT_ELEMENTS_DELETE;
}

/* What is taken away before what is added, then by set. */
static int by_set(const void *a, const void *b)
{
    const struct nft_change *x = *(const struct nft_change *const *)a;
    const struct nft_change *y = *(const struct nft_change *const *)b;
    if (x->type != y->type)
        return x->type == NFT_ELEMENTS_DELETE ? -1 : 1;
    return strcmp(x->set->name, y->set->name);
}

static struct nft_change *append(struct batch *b, const struct nft_change *change)
{
    b->list = mem_grow(b->list, b->count, &b->capacity, sizeof(*b->list));
    b->list[b->count] = *change;
    return &b->list[b->count++];
}

/* Changes [from, to), all of the same sort in the same set, become one. */
static void append_merged(struct batch *b, const struct nft_change *const *changes, size_t from,
                          size_t to)
{
    struct nft_set *set = arena_memdup(&b->arena, changes[from]->set, sizeof(*set));
    set->elements = NULL;
    set->count = set->capacity = 0;
    for (size_t i = from; i < to; i++)
        for (size_t j = 0; j < changes[i]->set->count; j++)
            fw_put_element(set, nft_set_at(changes[i]->set, j), &b->arena);
    nft_set_sort(set);
    append(b, changes[from])->set = set;
}

/* Thousands of peers are some elements each of a few sets: one message for each set. */
static void append_elements(struct batch *b, const struct nft_change **changes, size_t count)
{
    qsort(changes, count, sizeof(*changes), by_set);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && by_set(&changes[from], &changes[to]) == 0;)
            to++;
        append_merged(b, changes, from, to);
    }
}

static void fill_batch(struct batch *b, const struct nft_change *const *changes, size_t count)
{
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from; to < count && is_elements(changes[to]);)
            to++;
        if (to > from) {
            append_elements(b, (const struct nft_change **)changes + from, to - from);
        } else {
            append(b, changes[from]);
            to++;
        }
    }
}

static const struct fw_action *action_at(const struct plan *plan, size_t i)
{
    return plan->steps[i].action;
}

/* Steps [from, to) in one transaction. */
static int commit(struct sys *sys, const struct plan *plan, size_t from, size_t to,
                  struct error **reterr)
{
    struct batch batch = {.list = NULL};
    size_t count = 0;

    arena_init(&batch.arena, 4096);
    for (size_t i = from; i < to; i++)
        count += action_at(plan, i)->count;
    MEM_AUTO const struct nft_change **changes = mem_alloc((count + 1) * sizeof(*changes));
    count = 0;
    for (size_t i = from; i < to; i++)
        for (size_t j = 0; j < action_at(plan, i)->count; j++)
            changes[count++] = &action_at(plan, i)->changes[j];
    fill_batch(&batch, changes, count);
    int result = sys_nft_commit(sys, batch.list, batch.count, reterr);
    mem_freep(&batch.list);
    arena_clear(&batch.arena);
    return result;
}

/* Flows are forgotten after the transaction that makes that right: plan() has them last. */
int fw_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
             struct error **reterr)
{
    size_t flows = from;
    while (flows < to && !action_at(plan, flows)->forget.family)
        flows++;
    int result = flows > from ? commit(sys, plan, from, flows, reterr) : 0;
    if (result < 0) /* of several it names the one itself */
        return flows - from > 1 ? result : error_wrap(reterr, "%s", plan->steps[from].object);
    for (size_t i = flows; i < to; i++)
        if (sys_conntrack_forget(sys, &action_at(plan, i)->forget, reterr) < 0)
            return error_wrap(reterr, "%s", plan->steps[i].object);
    return 0;
}
