/*
 * Checks of a resource against the Cell that it will be in force under.
 */
#pragma once

#include "schema/resource.h"

/* Is everything in the resource right for this cell? Findings on the resource; `own_key` is the
 * cell's public key, or NULL when it is not known. */
void cross_check(const struct resource *cell, const struct wgkey *own_key,
                 const struct resource *resource, struct diags *diags);
