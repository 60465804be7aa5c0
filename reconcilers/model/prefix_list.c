#include "reconcilers/model/prefix_list.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

static int order(const void *a, const void *b)
{
    return prefix_compare(a, b);
}

size_t prefix_list_sort(struct prefix *list, size_t count)
{
    size_t kept = 0;
    if (count)
        qsort(list, count, sizeof(*list), order);
    for (size_t i = 0; i < count; i++)
        if (!kept || prefix_compare(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    return kept;
}

void prefix_list_move(struct prefix **to, size_t *to_count, struct prefix **from,
                      size_t *from_count)
{
    size_t count = *to_count + *from_count;
    if (!*from_count) {
        mem_freep(from);
        return;
    }
    *from = mem_resize(*from, count * sizeof(**from));
    if (*to_count)
        memcpy(*from + *from_count, *to, *to_count * sizeof(**to));
    free(*to);
    *to = *from;
    *to_count = prefix_list_sort(*to, count);
    *from = NULL;
    *from_count = 0;
}

struct prefix *prefix_list_copy(const struct prefix *list, size_t count)
{
    if (!count)
        return NULL;
    struct prefix *copy = mem_alloc(count * sizeof(*copy));
    memcpy(copy, list, count * sizeof(*copy));
    return copy;
}

void prefix_list_subtract(struct prefix **list, size_t *count, const struct prefix *less,
                          size_t less_count)
{
    if (!*count || !less_count)
        return;
    MEM_AUTO struct prefix *sorted = prefix_list_copy(less, less_count);
    size_t kept = 0;
    qsort(sorted, less_count, sizeof(*sorted), order);
    for (size_t i = 0; i < *count; i++)
        if (!bsearch(&(*list)[i], sorted, less_count, sizeof(*sorted), order))
            (*list)[kept++] = (*list)[i];
    *count = kept;
    if (!kept)
        mem_freep(list);
}

bool prefix_list_equal(const struct prefix *a, size_t a_count, const struct prefix *b,
                       size_t b_count)
{
    return a_count == b_count && (!a_count || memcmp(a, b, a_count * sizeof(*a)) == 0);
}
