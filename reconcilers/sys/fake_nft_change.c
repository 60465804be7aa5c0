#include "reconcilers/sys/fake_side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* ---- memory ---------------------------------------------------------------------------------- */

static void *copy_of(const void *data, size_t size)
{
    void *copy = mem_alloc(size);
    if (size)
        memcpy(copy, data, size);
    return copy;
}

static void rule_copy(struct nft_rule *to, const struct nft_rule *from)
{
    *to = *from;
    to->instrs = copy_of(from->instrs, from->count * sizeof(*from->instrs));
}

void fake_chain_copy(struct nft_chain *to, const struct nft_chain *from)
{
    *to = *from;
    to->rules = mem_alloc(from->rule_count * sizeof(*from->rules));
    for (size_t i = 0; i < from->rule_count; i++)
        rule_copy(&to->rules[i], &from->rules[i]);
}

void fake_set_copy(struct nft_set *to, const struct nft_set *from)
{
    *to = *from;
    to->capacity = from->count;
    to->elements = copy_of(from->elements, from->count * nft_set_element_size(from));
}

/* A place for one more at `at` of an array of `count`. */
static void *open_place(void *array, size_t count, size_t at, size_t size)
{
    char *bytes = mem_resize(array, (count + 1) * size);
    memmove(bytes + (at + 1) * size, bytes + at * size, (count - at) * size);
    return bytes;
}

static void close_place(void *array, size_t count, size_t at, size_t size)
{
    char *bytes = array;
    memmove(bytes + at * size, bytes + (at + 1) * size, (count - at - 1) * size);
}

static void drop_rules(struct nft_chain *chain)
{
    for (size_t i = 0; i < chain->rule_count; i++)
        free(chain->rules[i].instrs);
    chain->rule_count = 0;
}

void fake_tables_clear(struct fake_tables *tables)
{
    for (size_t i = 0; i < tables->count; i++)
        nft_ruleset_clear(&tables->list[i].has);
    free(tables->list);
    *tables = (struct fake_tables){0};
}

/* ---- tables ---------------------------------------------------------------------------------- */

struct fake_table *fake_find_table(const struct fake_tables *tables, uint8_t family,
                                   const char *name)
{
    for (size_t i = 0; i < tables->count; i++)
        if (tables->list[i].family == family && strcmp(tables->list[i].name, name) == 0)
            return &tables->list[i];
    return NULL;
}

static int add_table(struct fake_tables *tables, const struct nft_change *change)
{
    if (fake_find_table(tables, change->family, change->table))
        return 0;
    tables->list = open_place(tables->list, tables->count, tables->count, sizeof(*tables->list));
    struct fake_table *table = &tables->list[tables->count++];
    *table = (struct fake_table){.family = change->family};
    memcpy(table->name, change->table, sizeof(table->name));
    return 0;
}

static void delete_table(struct fake_tables *tables, struct fake_table *table)
{
    nft_ruleset_clear(&table->has);
    close_place(tables->list, tables->count, (size_t)(table - tables->list), sizeof(*tables->list));
    tables->count--;
}

/* ---- who refers to whom ---------------------------------------------------------------------- */

static bool looks_up(const struct nft_instr *instr)
{
    return instr->op == NFT_OP_LOOKUP || instr->op == NFT_OP_LOOKUP_MAP ||
           instr->op == NFT_OP_LOOKUP_VERDICT;
}

static bool leads_on(uint8_t verdict)
{
    return verdict == VERDICT_GOTO || verdict == VERDICT_JUMP;
}

static bool goes(const struct nft_instr *instr)
{
    return instr->op == NFT_OP_VERDICT && leads_on(instr->key);
}

/* Does a rule have an instruction of the kind that names it? */
static bool is_named(const struct fake_table *table, bool (*kind)(const struct nft_instr *instr),
                     const char *name)
{
    for (size_t i = 0; i < table->has.chain_count; i++) {
        const struct nft_chain *chain = &table->has.chains[i];
        for (size_t j = 0; j < chain->rule_count; j++)
            for (size_t k = 0; k < chain->rules[j].count; k++)
                if (kind(&chain->rules[j].instrs[k]) &&
                    strcmp(chain->rules[j].instrs[k].name, name) == 0)
                    return true;
    }
    return false;
}

static struct nft_element_verdict verdict_of(const struct nft_set *set, const uint8_t *element)
{
    struct nft_element_verdict verdict = {.verdict = VERDICT_CONTINUE};
    if (set->data[0] == NFT_TYPE_VERDICT)
        memcpy(&verdict, element + nft_set_element_size(set) - sizeof(verdict), sizeof(verdict));
    return verdict;
}

static bool maps_to(const struct fake_table *table, const char *chain)
{
    for (size_t i = 0; i < table->has.set_count; i++) {
        const struct nft_set *set = &table->has.sets[i];
        for (size_t j = 0; j < set->count; j++) {
            struct nft_element_verdict verdict = verdict_of(set, nft_set_at(set, j));
            if (leads_on(verdict.verdict) && strcmp(verdict.chain, chain) == 0)
                return true;
        }
    }
    return false;
}

/* The kernel does not let a rule go to a chain that packets reach by a hook. */
static int check_way(const struct fake_table *table, uint8_t verdict, const char *name)
{
    if (!leads_on(verdict))
        return 0;
    const struct nft_chain *chain = nft_find_chain(&table->has, name);
    if (!chain)
        return -ENOENT;
    return chain->hook == NFT_HOOK_NONE ? 0 : -EOPNOTSUPP;
}

static int check_lookup(const struct fake_table *table, const struct nft_instr *instr)
{
    const struct nft_set *set = nft_find_set(&table->has, instr->name);
    if (!set)
        return -ENOENT;
    bool map = set->data[0] != NFT_TYPE_NONE, verdicts = set->data[0] == NFT_TYPE_VERDICT;
    if (instr->op == NFT_OP_LOOKUP_MAP)
        return map && !verdicts ? 0 : -EINVAL;
    return instr->op == NFT_OP_LOOKUP || verdicts ? 0 : -EINVAL;
}

static int check_rule(const struct fake_table *table, const struct nft_rule *rule)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < rule->count; i++) {
        const struct nft_instr *instr = &rule->instrs[i];
        if (looks_up(instr))
            r = check_lookup(table, instr);
        else if (instr->op == NFT_OP_VERDICT)
            r = check_way(table, instr->key, instr->name);
    }
    return r;
}

/* ---- chains and rules ------------------------------------------------------------------------ */

/* Of a chain that is there only the policy can change. */
static int change_chain(struct nft_chain *chain, const struct nft_chain *wanted)
{
    if (wanted->hook == NFT_HOOK_NONE)
        return 0;
    if (chain->hook == NFT_HOOK_NONE)
        return -EEXIST;
    if (wanted->hook != chain->hook || wanted->type != chain->type ||
        wanted->priority != chain->priority)
        return -EOPNOTSUPP;
    chain->policy_drop = wanted->policy_drop;
    return 0;
}

static int add_chain(struct fake_table *table, const struct nft_chain *wanted)
{
    struct nft_ruleset *has = &table->has;
    struct nft_chain *chain = nft_find_chain(has, wanted->name);
    if (chain)
        return change_chain(chain, wanted);
    has->chains = open_place(has->chains, has->chain_count, has->chain_count, sizeof(*chain));
    chain = &has->chains[has->chain_count++];
    *chain = (struct nft_chain){.family = table->family, .hook = wanted->hook};
    memcpy(chain->table, table->name, sizeof(chain->table));
    memcpy(chain->name, wanted->name, sizeof(chain->name));
    if (wanted->hook != NFT_HOOK_NONE) {
        chain->type = wanted->type;
        chain->priority = wanted->priority;
        chain->policy_drop = wanted->policy_drop;
    }
    table->last_handle++;
    return 0;
}

/* Its rules go first, and with them what they refer to is free. */
static int delete_chain(struct fake_table *table, struct nft_chain *chain)
{
    struct nft_ruleset *has = &table->has;
    drop_rules(chain);
    if (is_named(table, goes, chain->name) || maps_to(table, chain->name))
        return -EBUSY;
    free(chain->rules);
    close_place(has->chains, has->chain_count--, (size_t)(chain - has->chains), sizeof(*chain));
    return 0;
}

static int add_rule(struct fake_table *table, struct nft_chain *chain, size_t at,
                    const struct nft_rule *rule)
{
    int r = check_rule(table, rule);
    if (r < 0)
        return r;
    chain->rules = open_place(chain->rules, chain->rule_count++, at, sizeof(*chain->rules));
    rule_copy(&chain->rules[at], rule);
    chain->rules[at].handle = ++table->last_handle;
    return 0;
}

static int delete_rule(struct nft_chain *chain, uint64_t handle)
{
    for (size_t i = 0; i < chain->rule_count; i++) {
        if (chain->rules[i].handle != handle)
            continue;
        free(chain->rules[i].instrs);
        close_place(chain->rules, chain->rule_count--, i, sizeof(*chain->rules));
        return 0;
    }
    return -ENOENT;
}

/* ---- sets and elements ----------------------------------------------------------------------- */

static bool same_kind(const struct nft_set *a, const struct nft_set *b)
{
    return memcmp(a->key, b->key, sizeof(a->key)) == 0 &&
           memcmp(a->data, b->data, sizeof(a->data)) == 0 && a->interval == b->interval;
}

static int add_set(struct fake_table *table, const struct nft_set *wanted)
{
    struct nft_ruleset *has = &table->has;
    struct nft_set *set = nft_find_set(has, wanted->name);
    if (set)
        return same_kind(set, wanted) ? 0 : -EEXIST;
    has->sets = open_place(has->sets, has->set_count, has->set_count, sizeof(*set));
    set = &has->sets[has->set_count++];
    *set = *wanted;
    set->elements = NULL;
    set->count = set->capacity = 0;
    table->last_handle++;
    return 0;
}

static int delete_set(struct fake_table *table, struct nft_set *set)
{
    struct nft_ruleset *has = &table->has;
    if (is_named(table, looks_up, set->name))
        return -EBUSY;
    free(set->elements);
    close_place(has->sets, has->set_count--, (size_t)(set - has->sets), sizeof(*set));
    return 0;
}

/* Intervals of a concatenation are boxes: they overlap when they do in every part. */
static bool overlap(const struct nft_set *set, const uint8_t *a, const uint8_t *b)
{
    size_t key = nft_set_key_size(set), at = 0;
    for (size_t i = 0; i < NFT_PARTS_MAX && set->key[i] != NFT_TYPE_NONE; i++) {
        size_t size = nft_type_size(set->key[i]);
        if (memcmp(a + at, b + key + at, size) > 0 || memcmp(b + at, a + key + at, size) > 0)
            return false;
        at += (size + 3) / 4 * 4;
    }
    return true;
}

static int check_room(const struct nft_set *set, const uint8_t *element)
{
    if (!set->interval)
        return 0;
    if (!overlap(set, element, element))
        return -EINVAL; /* it ends before it begins */
    for (size_t i = 0; i < set->count; i++)
        if (overlap(set, element, nft_set_at(set, i)))
            return -EEXIST;
    return 0;
}

static int add_element(struct fake_table *table, struct nft_set *set, const uint8_t *element)
{
    size_t at;
    if (nft_set_find(set, element, &at))
        return memcmp(nft_set_at(set, at), element, nft_set_element_size(set)) == 0 ? 0 : -EEXIST;
    struct nft_element_verdict verdict = verdict_of(set, element);
    int r = check_way(table, verdict.verdict, verdict.chain);
    if (r == 0)
        r = check_room(set, element);
    if (r == 0)
        nft_set_put(set, element);
    return r;
}

static int delete_element(struct nft_set *set, const uint8_t *element)
{
    size_t at;
    if (!nft_set_find(set, element, &at))
        return -ENOENT;
    nft_set_remove(set, element);
    return 0;
}

static int change_elements(struct fake_table *table, struct nft_set *set,
                           const struct nft_change *change)
{
    int r = same_kind(set, change->set) ? 0 : -EINVAL;
    for (size_t i = 0; r == 0 && i < change->set->count; i++) {
        const uint8_t *element = nft_set_at(change->set, i);
        r = change->type == NFT_ELEMENTS_ADD ? add_element(table, set, element)
                                             : delete_element(set, element);
    }
    return r;
}

/* ---- one change ------------------------------------------------------------------------------ */

static int change_in_chain(struct fake_table *table, const struct nft_change *change)
{
    struct nft_chain *chain = nft_find_chain(&table->has, change->chain->name);
    if (!chain)
        return -ENOENT;
    if (change->type == NFT_CHAIN_DELETE)
        return delete_chain(table, chain);
    if (change->type == NFT_RULE_DELETE)
        return delete_rule(chain, change->rule->handle);
    if (change->type == NFT_CHAIN_FLUSH) {
        drop_rules(chain);
        return 0;
    }
    return add_rule(table, chain, change->type == NFT_RULE_INSERT ? 0 : chain->rule_count,
                    change->rule);
}

static int change_in_set(struct fake_table *table, const struct nft_change *change)
{
    struct nft_set *set = nft_find_set(&table->has, change->set->name);
    if (!set)
        return -ENOENT;
    return change->type == NFT_SET_DELETE ? delete_set(table, set)
                                          : change_elements(table, set, change);
}

int fake_nft_change(struct fake_tables *tables, const struct nft_change *change)
{
    struct fake_table *table = fake_find_table(tables, change->family, change->table);
    if (change->type == NFT_TABLE_ADD)
        return add_table(tables, change);
    if (!table)
        return -ENOENT;
    if (change->type == NFT_TABLE_DELETE) {
        delete_table(tables, table);
        return 0;
    }
    if (change->type == NFT_CHAIN_ADD)
        return add_chain(table, change->chain);
    if (change->type == NFT_SET_ADD)
        return add_set(table, change->set);
    return change->chain ? change_in_chain(table, change) : change_in_set(table, change);
}
