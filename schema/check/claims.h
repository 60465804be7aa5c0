/*
 * What a resource claims for itself alone: a key, an address, a prefix. Two resources cannot have
 * the same; the table says who holds what, and costs what a change touches.
 */
#pragma once

#include "schema/base/map.h"
#include "schema/resource.h"

struct claims {
    struct map held; /* by claim text → struct claim */
};

void claims_clear(struct claims *claims);

/* Who else holds something that the resource claims: that resource and, in *retwhat, what it is
 * ("the key", "address 10.10.0.34", in `buf`); NULL: nobody, and nothing is changed either way. */
const struct resource *claims_conflict(const struct claims *claims, const struct resource *resource,
                                       char buf[static 96]);

/* Enters the resource's claims; it must not conflict. Takes it out again. */
void claims_take(struct claims *claims, const struct resource *resource);
void claims_release(struct claims *claims, const struct resource *resource);
