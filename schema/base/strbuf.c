#include "schema/base/strbuf.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* Shared by all empty buffers and never written: every write reserves room first. */
char strbuf_empty[1];

enum { CAPACITY_MIN = 64 };

void strbuf_clear(struct strbuf *b)
{
    if (b->capacity)
        free(b->text);
    *b = STRBUF_INIT;
}

void strbuf_reset(struct strbuf *b)
{
    b->len = 0;
    if (b->capacity)
        b->text[0] = '\0';
}

void strbuf_reserve(struct strbuf *b, size_t extra)
{
    if (extra < b->capacity - b->len) /* one byte stays for the end; an empty one has 0 - 0 */
        return;
    if (extra > SIZE_MAX / 4 - b->len)
        abort();
    size_t capacity = b->capacity ? b->capacity : CAPACITY_MIN;
    while (capacity <= b->len + extra)
        capacity *= 2;
    b->text = mem_resize(b->capacity ? b->text : NULL, capacity);
    b->text[b->len] = '\0';
    b->capacity = capacity;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
    if (!len)
        return;
    strbuf_reserve(b, len);
    memcpy(b->text + b->len, data, len);
    b->len += len;
    b->text[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *text)
{
    strbuf_add(b, text, strlen(text));
}

void strbuf_putc(struct strbuf *b, char c)
{
    strbuf_add(b, &c, 1);
}

void strbuf_printf(struct strbuf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_vprintf(b, format, args);
    va_end(args);
}

void strbuf_vprintf(struct strbuf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    strbuf_reserve(b, 0);
    size_t room = b->capacity - b->len;
    int len = vsnprintf(b->text + b->len, room, format, args);
    assert(len >= 0);
    if ((size_t)len >= room) {
        strbuf_reserve(b, (size_t)len);
        vsnprintf(b->text + b->len, (size_t)len + 1, format, again);
    }
    b->len += (size_t)len;
    va_end(again);
}

char *strbuf_steal(struct strbuf *b)
{
    strbuf_reserve(b, 0); /* an empty one owns nothing that could be given away */
    char *text = b->text;
    *b = STRBUF_INIT;
    return text;
}
