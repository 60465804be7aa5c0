/*
 * Sets of IP addresses as intervals, for kernels that refuse two prefixes of which one lies in the
 * other.
 *
 *     INTERVALS_AUTO near = {0};
 *     intervals_add(&near, &prefix);
 *     …
 *     intervals_normalise(&near);
 *     if (intervals_contain(&near, &ip))
 *
 * A list may hold both families, and an interval is always of one. What reads a list needs it
 * normalised.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/addr.h"

struct interval {
    struct ip first, last; /* both belong to it */
};

struct intervals {
    struct interval *list;
    size_t count, capacity;
};
#define INTERVALS_AUTO __attribute__((cleanup(intervals_clear))) struct intervals
void intervals_clear(struct intervals *intervals);

struct interval interval_of_prefix(const struct prefix *prefix);

/* Appends the addresses of the prefix, wherever they belong. */
void intervals_add(struct intervals *intervals, const struct prefix *prefix);
/* Sorts, IPv4 first, and makes one interval of those that overlap or touch. */
void intervals_normalise(struct intervals *intervals);

/* Takes the addresses of `what` out of `from`; both are normalised, and `from` stays so. */
void intervals_subtract(struct intervals *from, const struct intervals *what);
bool intervals_contain(const struct intervals *intervals, const struct ip *ip);
