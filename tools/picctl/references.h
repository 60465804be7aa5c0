/*
 * Which resources speak of which others.
 */
#pragma once

#include "tools/picctl/draft.h"

/* Appends a line for each resource of the draft that would be left with a name that means nothing,
 * if the ids went. Resources among the ids do not count. Returns how many. */
size_t references_dangling(const struct draft *draft, const char *const *ids, size_t count,
                           struct strbuf *out);
