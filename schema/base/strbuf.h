/*
 * A growing string. `STRBUF_INIT` is an empty one that owns nothing; `text` is always terminated.
 *
 *     struct strbuf b = STRBUF_INIT;
 *     strbuf_printf(&b, "peer %s", name);
 *     …
 *     strbuf_clear(&b);
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
    char *text;
    size_t len;
    size_t capacity; /* 0: text is not owned */
};

extern char strbuf_empty[];
#define STRBUF_INIT ((struct strbuf){.text = strbuf_empty})
#define STRBUF_AUTO __attribute__((cleanup(strbuf_clear))) struct strbuf

void strbuf_clear(struct strbuf *b); /* frees; usable again afterwards */
void strbuf_reset(struct strbuf *b); /* len 0, keeps the memory */
void strbuf_reserve(struct strbuf *b, size_t extra);
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_puts(struct strbuf *b, const char *text);
void strbuf_putc(struct strbuf *b, char c);
void strbuf_printf(struct strbuf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *b, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
char *strbuf_steal(struct strbuf *b); /* the caller frees; b is empty afterwards */
