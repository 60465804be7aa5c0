/*
 * Memory of one lifetime: many small allocations, one free. Blocks are zeroed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
    struct arena_chunk *chunks; /* newest first; the newest has the free room */
    size_t used;                /* bytes used in the newest chunk */
    size_t next_size;           /* size of the next chunk */
    bool wipe;                  /* holds secrets: arena_clear() overwrites it first */
};

/* `first_size`: bytes of the first chunk, chosen for what the arena will hold; later ones double up
 * to 256 KiB. Nothing is allocated before the first use. */
void arena_init(struct arena *a, size_t first_size);
void arena_clear(struct arena *a);

void *arena_alloc(struct arena *a, size_t size); /* aligned for any type */
char *arena_strdup(struct arena *a, const char *text);
char *arena_strndup(struct arena *a, const char *text, size_t len);
void *arena_memdup(struct arena *a, const void *data, size_t len);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
