#include "reconcilers/sys/nft.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

static const size_t sizes[] = {
    [NFT_TYPE_IPV4] = 4,
    [NFT_TYPE_IPV6] = 16,
    [NFT_TYPE_IFNAME] = 16,
    [NFT_TYPE_MARK] = 4,
    [NFT_TYPE_PROTO] = 1,
    [NFT_TYPE_PORT] = 2,
    [NFT_TYPE_VERDICT] = sizeof(struct nft_element_verdict),
    [NFT_TYPE_OTHER] = 0,
};

size_t nft_type_size(enum nft_type type)
{
    return sizes[type];
}

/* One part alone is as long as it is; in a concatenation each is padded to a register of 4 bytes.
 */
static size_t parts_size(const uint8_t parts[static NFT_PARTS_MAX])
{
    size_t size = 0;
    if (parts[1] == NFT_TYPE_NONE)
        return nft_type_size(parts[0]);
    for (size_t i = 0; i < NFT_PARTS_MAX; i++)
        size += (nft_type_size(parts[i]) + 3) / 4 * 4;
    return size;
}

size_t nft_set_key_size(const struct nft_set *set)
{
    return parts_size(set->key);
}

size_t nft_set_data_size(const struct nft_set *set)
{
    return parts_size(set->data);
}

size_t nft_set_element_size(const struct nft_set *set)
{
    return nft_set_key_size(set) * (set->interval ? 2 : 1) + nft_set_data_size(set);
}

bool nft_set_find(const struct nft_set *set, const uint8_t *element, size_t *retindex)
{
    size_t low = 0, high = set->count;
    size_t compared = nft_set_element_size(set) - nft_set_data_size(set);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(nft_set_at(set, middle), element, compared);
        if (order == 0) {
            *retindex = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *retindex = low;
    return false;
}

void nft_set_append(struct nft_set *set, const uint8_t *element)
{
    size_t size = nft_set_element_size(set);
    set->elements = mem_grow(set->elements, set->count, &set->capacity, size);
    memcpy(set->elements + set->count++ * size, element, size);
}

void nft_set_put(struct nft_set *set, const uint8_t *element)
{
    size_t at, size = nft_set_element_size(set);
    if (!nft_set_find(set, element, &at)) {
        nft_set_append(set, element);
        memmove(set->elements + (at + 1) * size, set->elements + at * size,
                (set->count - 1 - at) * size);
    }
    memcpy(set->elements + at * size, element, size);
}

void nft_set_remove(struct nft_set *set, const uint8_t *element)
{
    size_t at, size = nft_set_element_size(set);
    if (!nft_set_find(set, element, &at))
        return;
    set->count--;
    memmove(set->elements + at * size, set->elements + (at + 1) * size, (set->count - at) * size);
}

static int by_bytes(const void *a, const void *b, void *size)
{
    return memcmp(a, b, *(const size_t *)size);
}

void nft_set_sort(struct nft_set *set)
{
    size_t size = nft_set_element_size(set), kept = 0;
    size_t compared = size - nft_set_data_size(set);
    if (set->count < 2)
        return;
    qsort_r(set->elements, set->count, size, by_bytes, &compared);
    for (size_t i = 0; i < set->count; i++) {
        if (kept && memcmp(nft_set_at(set, kept - 1), nft_set_at(set, i), compared) == 0)
            continue;
        if (kept != i)
            memcpy(set->elements + kept * size, set->elements + i * size, size);
        kept++;
    }
    set->count = kept;
}

void nft_ruleset_clear(struct nft_ruleset *ruleset)
{
    for (size_t i = 0; i < ruleset->chain_count; i++) {
        struct nft_chain *chain = &ruleset->chains[i];
        for (size_t j = 0; j < chain->rule_count; j++)
            free(chain->rules[j].instrs);
        free(chain->rules);
    }
    for (size_t i = 0; i < ruleset->set_count; i++)
        free(ruleset->sets[i].elements);
    free(ruleset->chains);
    free(ruleset->sets);
    *ruleset = (struct nft_ruleset){0};
}

struct nft_chain *nft_find_chain(const struct nft_ruleset *ruleset, const char *name)
{
    for (size_t i = 0; i < ruleset->chain_count; i++)
        if (strcmp(ruleset->chains[i].name, name) == 0)
            return &ruleset->chains[i];
    return NULL;
}

struct nft_set *nft_find_set(const struct nft_ruleset *ruleset, const char *name)
{
    for (size_t i = 0; i < ruleset->set_count; i++)
        if (strcmp(ruleset->sets[i].name, name) == 0)
            return &ruleset->sets[i];
    return NULL;
}
