/*
 * The difference between two sets of resources in force, resource by resource.
 */
#pragma once

#include "schema/resource.h"

struct change {
    struct resource *before; /* NULL: it is new */
    struct resource *after;  /* NULL: it is gone */
    /* The record of an earlier run shows `after` carried out, just as it is: what the live system
     * lacks of it has drifted, it is not pending. */
    bool applied;
};

struct changes {
    struct change *list; /* in the order of resource_compare() */
    size_t count, capacity;
};

/* Takes a reference of each. */
void changes_add(struct changes *changes, const struct resource *before,
                 const struct resource *after, bool applied);
void changes_sort(struct changes *changes);
void changes_clear(struct changes *changes);

static inline const struct resource *change_resource(const struct change *change)
{
    return change->after ? change->after : change->before;
}
