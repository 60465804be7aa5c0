#include "reconcilers/sys/nft_wire.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/sys/nft_value.h"
#include "schema/base/mem.h"

enum {
    NEST_MAX = UINT16_MAX, /* the length of an attribute has 16 bits */
    ELEMENT_ROOM = 512,    /* more than one element can take, both its bounds counted */
    ELEMENT_MAX = 2 * NFT_KEY_MAX + NFT_KEY_MAX,
};

/* The kernel has plain intervals in a tree: the first key, and the one behind the last, which is
 * marked as an end. Those of several parts are one element with two keys. */
static bool is_tree(const struct nft_set *set)
{
    return set->interval && set->key[1] == NFT_TYPE_NONE;
}

/* Steps to the next key, as bytes. False: there is none. */
static bool step_up(uint8_t *key, size_t size)
{
    while (size-- > 0)
        if (++key[size] != 0)
            return true;
    return false;
}

static void step_down(uint8_t *key, size_t size)
{
    while (size-- > 0)
        if (key[size]-- != 0)
            return;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_data(struct nlmsghdr *msg, const struct nft_set *set, const uint8_t *data)
{
    struct nft_element_verdict verdict;
    if (set->data[0] == NFT_TYPE_NONE)
        return;
    if (set->data[0] != NFT_TYPE_VERDICT) {
        nft_value_put(msg, NFTA_SET_ELEM_DATA, data, nft_set_data_size(set));
        return;
    }
    memcpy(&verdict, data, sizeof(verdict));
    nft_verdict_put(msg, NFTA_SET_ELEM_DATA, verdict.verdict, verdict.chain);
}

static void put_end(struct nlmsghdr *msg, const uint8_t *last, size_t size)
{
    uint8_t key[NFT_KEY_MAX];
    memcpy(key, last, size);
    if (!step_up(key, size)) /* to the end of the address space: open */
        return;
    struct nlattr *element = mnl_attr_nest_start(msg, NFTA_LIST_ELEM);
    nft_value_put(msg, NFTA_SET_ELEM_KEY, key, size);
    nfnl_put_number(msg, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
    mnl_attr_nest_end(msg, element);
}

static void put_element(struct nlmsghdr *msg, const struct nft_set *set, const uint8_t *bytes,
                        bool with_data)
{
    size_t size = nft_set_key_size(set);
    struct nlattr *element = mnl_attr_nest_start(msg, NFTA_LIST_ELEM);
    nft_value_put(msg, NFTA_SET_ELEM_KEY, bytes, size);
    if (set->interval && !is_tree(set))
        nft_value_put(msg, NFTA_SET_ELEM_KEY_END, bytes + size, size);
    if (with_data)
        put_data(msg, set, bytes + (set->interval ? 2 * size : size));
    mnl_attr_nest_end(msg, element);
    if (is_tree(set))
        put_end(msg, bytes + size, size);
}

void nft_wire_elements_put(struct nfnl_batch *batch, int type, int flags, uint8_t family,
                           const char *table, const struct nft_set *set)
{
    for (size_t i = 0; i < set->count;) {
        struct nlmsghdr *msg = nfnl_batch_begin(batch, NFNL_SUBSYS_NFTABLES, type, flags, family,
                                                NFT_WIRE_ROOM + NEST_MAX);
        mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_TABLE, table);
        mnl_attr_put_strz(msg, NFTA_SET_ELEM_LIST_SET, set->name);
        struct nlattr *list = mnl_attr_nest_start(msg, NFTA_SET_ELEM_LIST_ELEMENTS);
        const char *full = (const char *)list + NEST_MAX - ELEMENT_ROOM;
        while (i < set->count && (const char *)mnl_nlmsg_get_payload_tail(msg) < full)
            put_element(msg, set, nft_set_at(set, i++), type == NFT_MSG_NEWSETELEM);
        mnl_attr_nest_end(msg, list);
        nfnl_batch_end(batch, msg);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool get_data(const struct nlattr *nest, const struct nft_set *set, uint8_t *ret)
{
    struct nft_element_verdict verdict = {0};
    size_t size = nft_set_data_size(set);
    if (set->data[0] == NFT_TYPE_NONE)
        return true;
    if (set->data[0] != NFT_TYPE_VERDICT)
        return nft_value_get(nest, ret, size) == size;
    if (!nft_verdict_get(nest, &verdict.verdict, verdict.chain))
        return false;
    memcpy(ret, &verdict, sizeof(verdict));
    return true;
}

/*
 * A bound is a key, a byte (0 end, 1 beginning) and the data of a beginning. Sorted as bytes, where
 * one interval ends and the next begins, the end comes first.
 */
enum { BOUND_END, BOUND_BEGIN };

static size_t bound_size(const struct nft_set *set)
{
    return nft_set_key_size(set) + 1 + nft_set_data_size(set);
}

static void get_bound(struct nft_wire_elements *elements, const struct nfnl_attrs *attrs)
{
    struct nft_set *set = elements->set;
    uint8_t bound[ELEMENT_MAX + 1] = {0};
    size_t key = nft_set_key_size(set), size = bound_size(set);
    bool end = nfnl_number_or(attrs->at[NFTA_SET_ELEM_FLAGS], 0) & NFT_SET_ELEM_INTERVAL_END;
    bound[key] = end ? BOUND_END : BOUND_BEGIN;
    if (nft_value_get(attrs->at[NFTA_SET_ELEM_KEY], bound, key) != key ||
        (!end && !get_data(attrs->at[NFTA_SET_ELEM_DATA], set, bound + key + 1))) {
        set->other = true;
        return;
    }
    elements->bounds = mem_grow(elements->bounds, elements->count, &elements->capacity, size);
    memcpy(elements->bounds + elements->count++ * size, bound, size);
}

static void get_whole(struct nft_set *set, const struct nfnl_attrs *attrs)
{
    uint8_t element[ELEMENT_MAX];
    size_t key = nft_set_key_size(set);
    const struct nlattr *last = attrs->at[NFTA_SET_ELEM_KEY_END];
    if (!last) /* one key alone */
        last = attrs->at[NFTA_SET_ELEM_KEY];
    bool whole = nft_value_get(attrs->at[NFTA_SET_ELEM_KEY], element, key) == key;
    if (set->interval)
        whole &= nft_value_get(last, element + key, key) == key;
    whole = whole &&
            get_data(attrs->at[NFTA_SET_ELEM_DATA], set, element + (set->interval ? 2 * key : key));
    if (whole)
        nft_set_append(set, element);
    else
        set->other = true;
}

void nft_wire_elements_get(struct nft_wire_elements *elements, const struct nlmsghdr *row)
{
    struct nfnl_attrs attrs;
    const struct nlattr *list, *element;
    elements->rows++;
    nfnl_attrs_of_message(row, &attrs);
    list = attrs.at[NFTA_SET_ELEM_LIST_ELEMENTS];
    if (!list)
        return;
    mnl_attr_for_each_nested(element, list)
    {
        nfnl_attrs_of(element, &attrs);
        if (is_tree(elements->set))
            get_bound(elements, &attrs);
        else
            get_whole(elements->set, &attrs);
    }
}

static int by_bytes(const void *a, const void *b, void *size)
{
    return memcmp(a, b, *(const size_t *)size);
}

/* Ends that follow no beginning are left out: nft(8) puts one at the start of the address space.
 * A beginning without an end goes on to the next beginning, or to the end of the space. */
static void join_bounds(struct nft_wire_elements *elements)
{
    struct nft_set *set = elements->set;
    uint8_t element[ELEMENT_MAX];
    size_t key = nft_set_key_size(set), data = nft_set_data_size(set), size = bound_size(set);
    for (size_t i = 0; i < elements->count; i++) {
        const uint8_t *bound = elements->bounds + i * size;
        if (bound[key] != BOUND_BEGIN)
            continue;
        memcpy(element, bound, key);
        if (i + 1 < elements->count)
            memcpy(element + key, bound + size, key);
        else
            memset(element + key, 0, key);
        step_down(element + key, key); /* from 0 to the last of all */
        memcpy(element + 2 * key, bound + key + 1, data);
        nft_set_append(set, element);
    }
}

void nft_wire_elements_done(struct nft_wire_elements *elements)
{
    size_t compared = nft_set_key_size(elements->set) + 1;
    if (elements->count) {
        qsort_r(elements->bounds, elements->count, bound_size(elements->set), by_bytes, &compared);
        join_bounds(elements);
    }
    free(elements->bounds);
    elements->bounds = NULL;
    elements->count = elements->capacity = 0;
    nft_set_sort(elements->set);
}
