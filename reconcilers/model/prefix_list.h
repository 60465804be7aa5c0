/*
 * Sets of prefixes in plain arrays: sorted, without twins. An empty one is NULL.
 */
#pragma once

#include "schema/base/addr.h"

/* Makes a set of an array, in place; returns how many are left. */
size_t prefix_list_sort(struct prefix *list, size_t count);
/* Moves everything from one array (of any order) into the set; `from` is empty afterwards. */
void prefix_list_move(struct prefix **to, size_t *to_count, struct prefix **from,
                      size_t *from_count);
/* Takes out of the set what stands in an array of any order. */
void prefix_list_subtract(struct prefix **list, size_t *count, const struct prefix *less,
                          size_t less_count);
bool prefix_list_equal(const struct prefix *a, size_t a_count, const struct prefix *b,
                       size_t b_count);
/* A copy for the caller to free; NULL when there is nothing to copy. */
struct prefix *prefix_list_copy(const struct prefix *list, size_t count);
