#include "reconcilers/sys/fake_side.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "reconcilers/sys/fake.h"
#include "reconcilers/sys/nft_words.h"
#include "reconcilers/sys/ops.h"
#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

/* ---- reading --------------------------------------------------------------------------------- */

int fake_nft_generation(void *side, uint32_t *ret, struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    *ret = fake->generation;
    return 0;
}

static void add_chains(const struct fake_table *table, struct nft_ruleset *ret)
{
    const struct nft_ruleset *has = &table->has;
    ret->chains =
        mem_resize(ret->chains, (ret->chain_count + has->chain_count) * sizeof(*ret->chains));
    for (size_t i = 0; i < has->chain_count; i++)
        fake_chain_copy(&ret->chains[ret->chain_count++], &has->chains[i]);
}

static void add_sets(const struct fake_table *table, struct nft_ruleset *ret)
{
    const struct nft_ruleset *has = &table->has;
    ret->sets = mem_resize(ret->sets, (ret->set_count + has->set_count) * sizeof(*ret->sets));
    for (size_t i = 0; i < has->set_count; i++)
        fake_set_copy(&ret->sets[ret->set_count++], &has->sets[i]);
}

int fake_nft_read(void *side, const char *table, struct nft_ruleset *ret, struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    ret->generation = fake->generation;
    if (!table) {
        for (uint8_t family = 0; family <= NFT_FAMILY_OTHER; family++)
            for (size_t i = 0; i < fake->tables.count; i++)
                if (fake->tables.list[i].family == family)
                    add_chains(&fake->tables.list[i], ret);
        return 0;
    }
    const struct fake_table *found = fake_find_table(&fake->tables, NFT_FAMILY_INET, table);
    ret->present = found;
    if (found) {
        add_chains(found, ret);
        add_sets(found, ret);
    }
    return 0;
}

/* ---- commits --------------------------------------------------------------------------------- */

static struct fake_tables tables_copy(const struct fake_tables *from)
{
    struct fake_tables to = {.list = mem_alloc(from->count * sizeof(*from->list)),
                             .count = from->count};
    for (size_t i = 0; i < from->count; i++) {
        to.list[i] = from->list[i];
        to.list[i].has = (struct nft_ruleset){0};
        add_chains(&from->list[i], &to.list[i].has);
        add_sets(&from->list[i], &to.list[i].has);
    }
    return to;
}

static void put_in_force(struct fake *fake, const struct fake_tables *tables)
{
    fake_tables_clear(&fake->tables);
    fake->tables = *tables;
    fake->generation++;
}

/* What the ruleset of a moment ago gets in the way of is over with the next reading. */
static int refused(const struct nft_change *change, int errnum, struct error **reterr)
{
    bool moved = errnum == ENOENT || errnum == EEXIST || errnum == EBUSY;
    STRBUF_AUTO what = STRBUF_INIT;
    nft_change_say(change, &what);
    return error_make_class(reterr, moved ? ERROR_TRANSIENT : error_class_of(errnum), errnum,
                            "cannot %s: %s", what.text, strerror(errnum));
}

int fake_nft_commit(void *side, const struct nft_change *changes, size_t count,
                    struct error **reterr)
{
    struct fake *fake = side;
    struct fake_tables tables = tables_copy(&fake->tables);
    for (size_t i = 0; i < count; i++) {
        int r = fake_nft_change(&tables, &changes[i]);
        if (r < 0) {
            fake_tables_clear(&tables);
            return refused(&changes[i], -r, reterr);
        }
    }
    put_in_force(fake, &tables);
    return 0;
}

/* ---- somebody else's hands ------------------------------------------------------------------- */

static void happen(struct fake *fake)
{
    fake_happen(fake, &(struct sys_event){.type = SYS_EVENT_NFT, .process = "nft[1234]"});
}

void sys_fake_nft_commit(struct sys *sys, const struct nft_change *changes, size_t count)
{
    ERROR_AUTO error = NULL;
    int r = fake_nft_commit(sys_side(sys), changes, count, &error);
    assert(r == 0);
    (void)r;
    happen(sys_side(sys));
}

void sys_fake_nft_flush(struct sys *sys)
{
    put_in_force(sys_side(sys), &(struct fake_tables){0});
    happen(sys_side(sys));
}

static struct nft_change change_of(enum nft_change_type type, enum nft_family family,
                                   const char *table)
{
    struct nft_change change = {.type = type, .family = (uint8_t)family};
    snprintf(change.table, sizeof(change.table), "%s", table);
    return change;
}

void sys_fake_nft_chain(struct sys *sys, const struct nft_chain *chain)
{
    MEM_AUTO struct nft_change *changes = mem_alloc((2 + chain->rule_count) * sizeof(*changes));
    size_t count = 0;
    changes[count++] = change_of(NFT_TABLE_ADD, chain->family, chain->table);
    changes[count++] = change_of(NFT_CHAIN_ADD, chain->family, chain->table);
    for (size_t i = 0; i < chain->rule_count; i++) {
        changes[count] = change_of(NFT_RULE_APPEND, chain->family, chain->table);
        changes[count++].rule = &chain->rules[i];
    }
    for (size_t i = 1; i < count; i++)
        changes[i].chain = chain;
    sys_fake_nft_commit(sys, changes, count);
}

static const struct nft_chain *chain_of(struct sys *sys, enum nft_family family, const char *table,
                                        const char *chain)
{
    const struct fake *fake = sys_side(sys);
    const struct fake_table *found = fake_find_table(&fake->tables, (uint8_t)family, table);
    const struct nft_chain *ret = found ? nft_find_chain(&found->has, chain) : NULL;
    assert(ret);
    return ret;
}

void sys_fake_nft_chain_flush(struct sys *sys, enum nft_family family, const char *table,
                              const char *chain)
{
    struct nft_change change = change_of(NFT_CHAIN_FLUSH, family, table);
    change.chain = chain_of(sys, family, table, chain);
    sys_fake_nft_commit(sys, &change, 1);
}

void sys_fake_nft_rule_delete(struct sys *sys, enum nft_family family, const char *table,
                              const char *chain, size_t number)
{
    struct nft_change change = change_of(NFT_RULE_DELETE, family, table);
    change.chain = chain_of(sys, family, table, chain);
    assert(number < change.chain->rule_count);
    change.rule = &change.chain->rules[number];
    sys_fake_nft_commit(sys, &change, 1);
}

void sys_fake_nft_element_delete(struct sys *sys, const char *table, const char *set, size_t number)
{
    const struct fake *fake = sys_side(sys);
    const struct fake_table *found = fake_find_table(&fake->tables, NFT_FAMILY_INET, table);
    const struct nft_set *from = found ? nft_find_set(&found->has, set) : NULL;
    assert(from && number < from->count);
    struct nft_set one = *from;
    one.elements += number * nft_set_element_size(from);
    one.count = 1;
    struct nft_change change = change_of(NFT_ELEMENTS_DELETE, NFT_FAMILY_INET, table);
    change.set = &one;
    sys_fake_nft_commit(sys, &change, 1);
}

/* ---- conntrack ------------------------------------------------------------------------------- */

int fake_conntrack_forget(void *side, const struct ip *source, struct error **reterr)
{
    (void)reterr;
    struct fake *fake = side;
    fake->forgotten = mem_grow(fake->forgotten, fake->forgotten_count, &fake->forgotten_capacity,
                               sizeof(*fake->forgotten));
    fake->forgotten[fake->forgotten_count++] = *source;
    return 0;
}

size_t sys_fake_conntrack_forgotten(struct sys *sys, const struct ip *source)
{
    const struct fake *fake = sys_side(sys);
    size_t times = 0;
    for (size_t i = 0; i < fake->forgotten_count; i++)
        times += ip_equal(&fake->forgotten[i], source);
    return times;
}
