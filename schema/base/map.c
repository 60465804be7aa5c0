#include "schema/base/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"

/*
 * Invariant: between an entry's home slot (its hash modulo the capacity) and its slot none is free.
 * map_remove() keeps it by moving later entries of the run back, so there are no tombstones. At
 * most three quarters of the slots are used, so that every probe ends.
 */
enum { CAPACITY_MIN = 8 };

static uint32_t hash_key(const void *key, size_t key_len)
{
    return (uint32_t)hash_bytes(key, key_len, 0);
}

/* The slot that holds the key, or the free one where it belongs. */
static size_t find(const struct map *m, const void *key, size_t key_len, uint32_t hash)
{
    size_t mask = m->capacity - 1;
    size_t at = hash & mask;
    for (; m->entries[at].key; at = (at + 1) & mask) {
        const struct map_entry *e = &m->entries[at];
        if (e->hash == hash && e->key_len == key_len && memcmp(e->key, key, key_len) == 0)
            break;
    }
    return at;
}

static void grow(struct map *m)
{
    struct map bigger = {.capacity = m->capacity ? m->capacity * 2 : CAPACITY_MIN,
                         .count = m->count};
    bigger.entries = mem_alloc(bigger.capacity * sizeof(*bigger.entries));
    size_t mask = bigger.capacity - 1;
    for (size_t i = 0; i < m->capacity; i++) {
        if (!m->entries[i].key)
            continue;
        size_t at = m->entries[i].hash & mask;
        while (bigger.entries[at].key)
            at = (at + 1) & mask;
        bigger.entries[at] = m->entries[i];
    }
    free(m->entries);
    *m = bigger;
}

void map_clear(struct map *m)
{
    free(m->entries);
    *m = MAP_INIT;
}

void *map_get(const struct map *m, const void *key, size_t key_len)
{
    if (!m->count)
        return NULL;
    return m->entries[find(m, key, key_len, hash_key(key, key_len))].value;
}

void *map_get_text(const struct map *m, const char *key)
{
    return map_get(m, key, strlen(key));
}

void *map_put(struct map *m, const void *key, size_t key_len, void *value)
{
    assert(key && value && key_len <= UINT32_MAX);
    if (m->count >= m->capacity / 4 * 3)
        grow(m);
    uint32_t hash = hash_key(key, key_len);
    struct map_entry *e = &m->entries[find(m, key, key_len, hash)];
    void *former = e->value;
    if (!former)
        m->count++;
    *e = (struct map_entry){.key = key, .key_len = (uint32_t)key_len, .hash = hash, .value = value};
    return former;
}

void *map_put_text(struct map *m, const char *key, void *value)
{
    return map_put(m, key, strlen(key), value);
}

/* Whether an entry at `at` may move back to `hole`: its home is not in (hole, at], around the end.
 */
static bool may_move(size_t home, size_t hole, size_t at, size_t mask)
{
    return ((at - home) & mask) >= ((at - hole) & mask);
}

void *map_remove(struct map *m, const void *key, size_t key_len)
{
    if (!m->count)
        return NULL;
    size_t mask = m->capacity - 1;
    size_t hole = find(m, key, key_len, hash_key(key, key_len));
    void *value = m->entries[hole].value;
    if (!value)
        return NULL;
    for (size_t at = (hole + 1) & mask; m->entries[at].key; at = (at + 1) & mask) {
        if (may_move(m->entries[at].hash & mask, hole, at, mask)) {
            m->entries[hole] = m->entries[at];
            hole = at;
        }
    }
    m->entries[hole] = (struct map_entry){0};
    m->count--;
    return value;
}

void *map_remove_text(struct map *m, const char *key)
{
    return map_remove(m, key, strlen(key));
}

struct map_entry *map_next(const struct map *m, size_t *at)
{
    while (*at < m->capacity) {
        struct map_entry *e = &m->entries[(*at)++];
        if (e->key)
            return e;
    }
    return NULL;
}

static int compare_values(const void *a, const void *b, void *context)
{
    int (**compare)(const void *a, const void *b) = context;
    return (*compare)(*(void *const *)a, *(void *const *)b);
}

void **map_sorted(const struct map *m, int (*compare)(const void *a, const void *b))
{
    void **values = mem_alloc(m->count * sizeof(*values));
    size_t count = 0, at = 0;
    struct map_entry *e;
    while ((e = map_next(m, &at)))
        values[count++] = e->value;
    qsort_r(values, count, sizeof(*values), compare_values, &compare);
    return values;
}
