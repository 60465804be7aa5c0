/*
 * A hash table from byte strings to pointers, for sets too: open addressing, linear probing, no
 * allocation on look-up, cost independent of what else is in it.
 *
 * Keys are NOT copied: they must live as long as their entry, usually inside the value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry {
    const void *key; /* NULL: free */
    uint32_t key_len;
    uint32_t hash;
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

#define MAP_INIT ((struct map){0})

void map_clear(struct map *m); /* frees the table, not the values */

/* The value, or NULL. */
void *map_get(const struct map *m, const void *key, size_t key_len);
void *map_get_text(const struct map *m, const char *key);

/* Inserts or replaces (the key pointer too); returns the former value or NULL. value is never NULL:
 * that means absent. */
void *map_put(struct map *m, const void *key, size_t key_len, void *value);
void *map_put_text(struct map *m, const char *key, void *value);

/* Removes; returns the value or NULL. */
void *map_remove(struct map *m, const void *key, size_t key_len);
void *map_remove_text(struct map *m, const char *key);

/* Iterates in no order; the map must not change meanwhile.
 *     size_t at = 0; struct map_entry *e;
 *     while ((e = map_next(&m, &at))) … */
struct map_entry *map_next(const struct map *m, size_t *at);

/* All values, sorted by compare(a, b) on the values; the caller frees. */
void **map_sorted(const struct map *m, int (*compare)(const void *a, const void *b));
