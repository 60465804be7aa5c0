#include "schema/base/suggest.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

enum { WORD_MAX = 64 };

static bool same(char a, char b)
{
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static unsigned min(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/*
 * Letters to insert, remove, replace or swap with a neighbour on the way from a to b, case aside.
 * Row i of the classic table holds the distances from the first i letters of a; a swap looks two
 * rows back.
 */
static unsigned distance(const char *a, const char *b)
{
    size_t b_len = strlen(b);
    unsigned rows[3][WORD_MAX + 1];
    unsigned *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        unsigned *oldest = before;
        before = above, above = row, row = oldest;
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            row[j] = min(min(above[j], row[j - 1]) + 1, above[j - 1] + !same(a[i - 1], b[j - 1]));
            if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
                row[j] = min(row[j], before[j - 2] + 1);
        }
    }
    return row[b_len];
}

const char *suggest_nearest(const char *word, const char *(*next)(const void *context, size_t i),
                            const void *context)
{
    size_t len = strlen(word);
    if (len > WORD_MAX)
        return NULL;
    const char *nearest = NULL, *candidate;
    unsigned least = (unsigned)len / 3 + 1;
    for (size_t i = 0; (candidate = next(context, i)); i++) {
        if (strlen(candidate) > WORD_MAX)
            continue;
        unsigned d = distance(word, candidate);
        if (d < least) {
            least = d;
            nearest = candidate;
        }
    }
    return nearest;
}
