#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "reconcilers/sys/nft_wire.h"
#include "schema/base/mem.h"

enum {
    READ_ATTEMPTS = 10,
    READ_PAUSE_NS = 500 * 1000, /* before the second attempt; doubles with each */
};

uint32_t real_nft_port(const struct real *real)
{
    return nfnl_port(real->nfnl);
}

/* ---- generations ----------------------------------------------------------------------------- */

static int read_generation_row(const struct nlmsghdr *row, void *context)
{
    struct nfnl_attrs attrs;
    uint64_t number;
    nfnl_attrs_of_message(row, &attrs);
    if (!nfnl_number(attrs.at[NFTA_GEN_ID], &number))
        return -EBADMSG;
    *(uint32_t *)context = (uint32_t)number;
    return 0;
}

/* -ENOTSUP: the kernel has no such socket, or nobody on it who knows this question. */
static int read_generation(struct real *real, uint32_t *ret)
{
    struct nfnl_question room;
    struct nfnl_reader reader = {.row = read_generation_row, .context = ret};
    int r = nfnl_ask(real->nfnl,
                     nfnl_question(&room, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, 0, NFPROTO_UNSPEC),
                     &reader);
    return r == -EPROTONOSUPPORT || r == -EINVAL ? -ENOTSUP : r;
}

static int fail(struct real *real, int errnum, struct error **reterr, const char *what)
{
    if (errnum == ENOTSUP)
        return error_make(reterr, errnum, "%s: this kernel has no nf_tables", what);
    return nfnl_fail(real->nfnl, error_class_of(errnum), errnum, reterr, "%s", what);
}

int real_nft_generation(void *side, uint32_t *ret, struct error **reterr)
{
    struct real *real = side;
    uint32_t generation;
    int r = read_generation(real, &generation);
    if (r < 0)
        return fail(real, -r, reterr, "cannot read the generation of nftables");
    *ret = generation;
    return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reading {
    struct nfnl *nfnl;
    struct nft_ruleset *ret;
    const char *table; /* NULL: all */
    enum nft_family family;
    size_t chain; /* where the last rule was put; before it come those of other families */
    size_t chain_capacity, rule_capacity, set_capacity;
};

static int ask(struct reading *reading, uint8_t family, int type, const char *set,
               int (*row)(const struct nlmsghdr *row, void *context), void *context)
{
    struct nfnl_question room;
    struct nfnl_reader reader = {.row = row, .context = context};
    struct nlmsghdr *msg = nfnl_question(&room, NFNL_SUBSYS_NFTABLES, type, NLM_F_DUMP, family);
    /* A filter of the kernel's where there is one; it has the same number for all of these. */
    _Static_assert((int)NFTA_RULE_TABLE == (int)NFTA_SET_TABLE &&
                       (int)NFTA_RULE_TABLE == (int)NFTA_SET_ELEM_LIST_TABLE,
                   "the table is named by one attribute");
    if (reading->table && type != NFT_MSG_GETCHAIN)
        mnl_attr_put_strz(msg, NFTA_RULE_TABLE, reading->table);
    if (set)
        mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, set);
    return nfnl_ask(reading->nfnl, msg, &reader);
}

static int read_chain(const struct nlmsghdr *row, void *context)
{
    struct reading *reading = context;
    struct nft_ruleset *ret = reading->ret;
    struct nft_chain chain;
    if (!nft_wire_chain_get(row, reading->family, &chain) ||
        (reading->table && strcmp(chain.table, reading->table) != 0))
        return 0;
    ret->chains =
        mem_grow(ret->chains, ret->chain_count, &reading->chain_capacity, sizeof(*ret->chains));
    ret->chains[ret->chain_count++] = chain;
    return 0;
}

/* Rules come chain by chain, in the order in which the chains came. */
static int read_rule(const struct nlmsghdr *row, void *context)
{
    struct reading *reading = context;
    struct nft_ruleset *ret = reading->ret;
    while (reading->chain < ret->chain_count &&
           !nft_wire_rule_is_of(row, &ret->chains[reading->chain])) {
        reading->chain++;
        reading->rule_capacity = 0;
    }
    if (reading->chain == ret->chain_count)
        return -EAGAIN; /* its chain is newer than the list of chains */
    struct nft_chain *chain = &ret->chains[reading->chain];
    struct nft_rule rule;
    if (!nft_wire_rule_get(row, &rule))
        return 0;
    chain->rules = mem_grow(chain->rules, chain->rule_count, &reading->rule_capacity, sizeof(rule));
    chain->rules[chain->rule_count++] = rule;
    return 0;
}

static int read_chains(struct reading *reading, uint8_t family)
{
    size_t first = reading->ret->chain_count;
    int r = ask(reading, family, NFT_MSG_GETCHAIN, NULL, read_chain, reading);
    if (r < 0)
        return r;
    reading->chain = first;
    reading->rule_capacity = 0;
    return ask(reading, family, NFT_MSG_GETRULE, NULL, read_rule, reading);
}

static int read_set(const struct nlmsghdr *row, void *context)
{
    struct reading *reading = context;
    struct nft_ruleset *ret = reading->ret;
    struct nft_set set;
    if (!nft_wire_set_get(row, &set))
        return 0;
    ret->sets = mem_grow(ret->sets, ret->set_count, &reading->set_capacity, sizeof(*ret->sets));
    ret->sets[ret->set_count++] = set;
    return 0;
}

static int read_elements_row(const struct nlmsghdr *row, void *context)
{
    nft_wire_elements_get(context, row);
    return 0;
}

static int read_elements_once(struct reading *reading, uint8_t family, struct nft_set *set,
                              size_t *retrows)
{
    struct nft_wire_elements elements = {.set = set};
    int r = ask(reading, family, NFT_MSG_GETSETELEM, set->name, read_elements_row, &elements);
    nft_wire_elements_done(&elements);
    *retrows = elements.rows;
    return r;
}

static bool same_elements(const struct nft_set *a, const struct nft_set *b)
{
    size_t size = a->count * nft_set_element_size(a);
    return a->count == b->count && (size == 0 || memcmp(a->elements, b->elements, size) == 0);
}

/*
 * Plain sets are hash tables, which the kernel makes larger or smaller some time after a commit,
 * without a new generation. A dump that takes several messages goes on by counting, so that
 * meanwhile it leaves out some elements and has others twice (measured: 18,000 of 100,000 were
 * missing). Only two dumps that agree are believed.
 */
static int read_elements(struct reading *reading, uint8_t family, struct nft_set *set)
{
    struct timespec pause = {.tv_nsec = READ_PAUSE_NS};
    for (unsigned attempt = 1; attempt <= READ_ATTEMPTS; attempt++) {
        struct nft_set before = *set;
        size_t rows;
        set->elements = NULL;
        set->count = set->capacity = 0;
        int r = read_elements_once(reading, family, set, &rows);
        bool agree = attempt > 1 && same_elements(&before, set);
        free(before.elements);
        if (r < 0 || set->interval || rows <= 1 || agree)
            return r;
        if (attempt == 1)
            continue;
        nanosleep(&pause, NULL);
        pause.tv_nsec *= 2;
    }
    return -EAGAIN;
}

static int read_sets(struct reading *reading, uint8_t family)
{
    int r = ask(reading, family, NFT_MSG_GETSET, NULL, read_set, reading);
    for (size_t i = 0; r == 0 && i < reading->ret->set_count; i++)
        if (!reading->ret->sets[i].other)
            r = read_elements(reading, family, &reading->ret->sets[i]);
    return r;
}

static int read_table_row(const struct nlmsghdr *row, void *context)
{
    (void)row;
    *(bool *)context = true;
    return 0;
}

static int read_table(struct reading *reading)
{
    struct nfnl_question room;
    struct nfnl_reader reader = {.row = read_table_row, .context = &reading->ret->present};
    struct nlmsghdr *msg =
        nfnl_question(&room, NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, 0, NFPROTO_INET);
    mnl_attr_put_strz(msg, NFTA_TABLE_NAME, reading->table);
    int r = nfnl_ask(reading->nfnl, msg, &reader);
    if (r == -ENOENT)
        return 0;
    if (r == 0)
        r = read_chains(reading, NFPROTO_INET);
    return r == 0 ? read_sets(reading, NFPROTO_INET) : r;
}

static int read_all(struct reading *reading)
{
    static const struct {
        uint8_t number;
        enum nft_family family;
    } families[] = {
        {NFPROTO_INET, NFT_FAMILY_INET},    {NFPROTO_IPV4, NFT_FAMILY_IP},
        {NFPROTO_IPV6, NFT_FAMILY_IP6},     {NFPROTO_ARP, NFT_FAMILY_OTHER},
        {NFPROTO_BRIDGE, NFT_FAMILY_OTHER}, {NFPROTO_NETDEV, NFT_FAMILY_OTHER},
    };
    int r = 0;
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(families); i++) {
        reading->family = families[i].family;
        r = read_chains(reading, families[i].number);
    }
    return r;
}

/* What was read is of one generation when that is the same before and after; an error counts only
 * then, too: what was being read may have gone meanwhile. */
static int read_once(struct real *real, const char *table, struct nft_ruleset *ret)
{
    struct reading reading = {.nfnl = real->nfnl, .ret = ret, .table = table};
    uint32_t after;
    int r = read_generation(real, &ret->generation);
    if (r < 0)
        return r;
    int result = table ? read_table(&reading) : read_all(&reading);
    r = read_generation(real, &after);
    if (r < 0)
        return r;
    return after == ret->generation ? result : -EAGAIN;
}

int real_nft_read(void *side, const char *table, struct nft_ruleset *ret, struct error **reterr)
{
    struct real *real = side;
    struct timespec pause = {.tv_nsec = READ_PAUSE_NS};
    int r;
    nft_ruleset_clear(ret);
    for (unsigned attempt = 1; (r = read_once(real, table, ret)) < 0; attempt++) {
        nft_ruleset_clear(ret);
        if (r != -EAGAIN || attempt == READ_ATTEMPTS)
            break;
        nanosleep(&pause, NULL);
        pause.tv_nsec *= 2;
    }
    if (r == -EAGAIN)
        return error_make(reterr, EAGAIN,
                          "cannot read nftables: it kept changing while it was read");
    return r < 0 ? fail(real, -r, reterr, "cannot read nftables") : 0;
}
