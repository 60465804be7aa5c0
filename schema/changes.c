#include "schema/changes.h"

#include <stdlib.h>

#include "schema/base/mem.h"

void changes_add(struct changes *c, const struct resource *before, const struct resource *after,
                 bool applied)
{
    c->list = mem_grow(c->list, c->count, &c->capacity, sizeof(*c->list));
    c->list[c->count++] = (struct change){
        .before = before ? resource_ref(before) : NULL,
        .after = after ? resource_ref(after) : NULL,
        .applied = applied,
    };
}

static int compare(const void *a, const void *b)
{
    return resource_compare(change_resource(a), change_resource(b));
}

void changes_sort(struct changes *c)
{
    if (c->count > 1)
        qsort(c->list, c->count, sizeof(*c->list), compare);
}

void changes_clear(struct changes *c)
{
    for (size_t i = 0; i < c->count; i++) {
        resource_unref(c->list[i].before);
        resource_unref(c->list[i].after);
    }
    mem_freep(&c->list);
    *c = (struct changes){0};
}
