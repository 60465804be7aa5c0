#include "schema/base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

enum { CHUNK_MIN = 256, CHUNK_MAX = 256 * 1024 };

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    max_align_t data[];
};

void arena_init(struct arena *a, size_t first_size)
{
    *a = (struct arena){.next_size = first_size < CHUNK_MIN ? CHUNK_MIN : first_size};
}

void arena_clear(struct arena *a)
{
    while (a->chunks) {
        struct arena_chunk *next = a->chunks->next;
        if (a->wipe)
            mem_wipe(a->chunks->data, a->chunks->size);
        free(a->chunks);
        a->chunks = next;
    }
    a->used = 0;
}

static struct arena_chunk *chunk_new(size_t size)
{
    if (size > SIZE_MAX / 2)
        abort();
    struct arena_chunk *chunk = mem_alloc(sizeof(*chunk) + size);
    chunk->size = size;
    return chunk;
}

static void add_chunk(struct arena *a)
{
    struct arena_chunk *chunk = chunk_new(a->next_size);
    chunk->next = a->chunks;
    a->chunks = chunk;
    a->used = 0;
    if (a->next_size < CHUNK_MAX)
        a->next_size = a->next_size > CHUNK_MAX / 2 ? CHUNK_MAX : a->next_size * 2;
}

/* A block too big for the next chunk gets its own, behind the newest, whose free room stays in use.
 */
static void *alloc_big(struct arena *a, size_t size)
{
    struct arena_chunk *chunk = chunk_new(size);
    if (a->chunks) {
        chunk->next = a->chunks->next;
        a->chunks->next = chunk;
    } else {
        a->chunks = chunk;
        a->used = size;
    }
    return chunk->data;
}

void *arena_alloc(struct arena *a, size_t size)
{
    enum { ALIGN = _Alignof(max_align_t) };
    if (size > SIZE_MAX / 2)
        abort();
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->chunks || size > a->chunks->size - a->used) {
        if (size > a->next_size)
            return alloc_big(a, size);
        add_chunk(a);
    }
    void *block = (char *)a->chunks->data + a->used;
    a->used += size;
    return block;
}

char *arena_strdup(struct arena *a, const char *text)
{
    return arena_memdup(a, text, strlen(text) + 1);
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
    len = strnlen(text, len);
    char *copy = arena_alloc(a, len + 1);
    memcpy(copy, text, len);
    return copy;
}

void *arena_memdup(struct arena *a, const void *data, size_t len)
{
    void *copy = arena_alloc(a, len);
    if (len)
        memcpy(copy, data, len);
    return copy;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        abort();
    char *text = arena_alloc(a, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}
