#include "schema/base/interval.h"

#include <stdlib.h>

#include "schema/base/mem.h"

void intervals_clear(struct intervals *intervals)
{
    free(intervals->list);
    *intervals = (struct intervals){0};
}

struct interval interval_of_prefix(const struct prefix *prefix)
{
    struct ip first = prefix_normalise(prefix).ip, last = first;
    for (unsigned bit = prefix->len; bit < ip_bits(&last); bit++)
        last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    return (struct interval){.first = first, .last = last};
}

static void append(struct intervals *intervals, const struct interval *interval)
{
    intervals->list =
        mem_grow(intervals->list, intervals->count, &intervals->capacity, sizeof(*intervals->list));
    intervals->list[intervals->count++] = *interval;
}

void intervals_add(struct intervals *intervals, const struct prefix *prefix)
{
    struct interval interval = interval_of_prefix(prefix);
    append(intervals, &interval);
}

/* The address behind it; the last of a family is followed by the first. */
static struct ip after(struct ip ip)
{
    for (unsigned i = ip_bits(&ip) / 8; i-- > 0;)
        if (++ip.bytes[i] != 0)
            break;
    return ip;
}

static struct ip before(struct ip ip)
{
    for (unsigned i = ip_bits(&ip) / 8; i-- > 0;)
        if (ip.bytes[i]-- != 0)
            break;
    return ip;
}

static int by_first(const void *a, const void *b)
{
    const struct interval *one = a, *other = b;
    return ip_compare(&one->first, &other->first);
}

/* Nothing lies between them; `b` does not begin before `a`. Behind the last address of a family
 * comes its first, where `b` can begin only if it overlaps `a` anyway. */
static bool touch(const struct interval *a, const struct interval *b)
{
    struct ip behind = after(a->last);
    return ip_compare(&b->first, &a->last) <= 0 || ip_equal(&b->first, &behind);
}

void intervals_normalise(struct intervals *intervals)
{
    size_t kept = 0;
    if (intervals->count < 2)
        return;
    qsort(intervals->list, intervals->count, sizeof(*intervals->list), by_first);
    for (size_t i = 1; i < intervals->count; i++) {
        struct interval *into = &intervals->list[kept], *next = &intervals->list[i];
        if (!touch(into, next))
            intervals->list[++kept] = *next;
        else if (ip_compare(&next->last, &into->last) > 0)
            into->last = next->last;
    }
    intervals->count = kept + 1;
}

/* Appends what remains of `whole` without those of `what` from number `i` on. */
static void append_rest(struct intervals *to, struct interval whole, const struct intervals *what,
                        size_t i)
{
    for (; i < what->count && ip_compare(&what->list[i].first, &whole.last) <= 0; i++) {
        const struct interval *hole = &what->list[i];
        if (ip_compare(&hole->first, &whole.first) > 0)
            append(to, &(struct interval){whole.first, before(hole->first)});
        if (ip_compare(&hole->last, &whole.last) >= 0)
            return;
        whole.first = after(hole->last);
    }
    append(to, &whole);
}

void intervals_subtract(struct intervals *from, const struct intervals *what)
{
    struct intervals rest = {0};
    size_t next = 0;
    for (size_t i = 0; i < from->count; i++) {
        while (next < what->count && ip_compare(&what->list[next].last, &from->list[i].first) < 0)
            next++;
        append_rest(&rest, from->list[i], what, next);
    }
    intervals_clear(from);
    *from = rest;
}

bool intervals_contain(const struct intervals *intervals, const struct ip *ip)
{
    size_t low = 0, high = intervals->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ip_compare(&intervals->list[middle].last, ip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < intervals->count && ip_compare(&intervals->list[low].first, ip) <= 0;
}
