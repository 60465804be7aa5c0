#include "tools/picctl/table.h"

#include <string.h>

#include "schema/base/mem.h"

enum { GAP = 3, TABLE_ARENA_FIRST = 4096 };

static const char *const tints[] = {
    [TINT_PLAIN] = "",
    [TINT_GOOD] = "\033[32m",
    [TINT_BAD] = "\033[31m",
    [TINT_DOUBT] = "\033[33m",
};
_Static_assert(ARRAY_SIZE(tints) == TINT_COUNT, "every tint has its sequence");

void table_init(struct table *table, size_t columns)
{
    *table = (struct table){.columns = columns};
    arena_init(&table->arena, TABLE_ARENA_FIRST);
}

void table_clear(struct table *table)
{
    mem_freep(&table->cells);
    arena_clear(&table->arena);
    *table = (struct table){0};
}

void table_add(struct table *table, const char *text, enum tint tint)
{
    char *copy = arena_strdup(&table->arena, *text ? text : "-");
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    table->cells = mem_grow(table->cells, table->count, &table->capacity, sizeof(*table->cells));
    table->cells[table->count++] = (struct table_cell){copy, tint};
}

/* Characters, not bytes: all but the continuation bytes of UTF-8. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void print_cell(const struct table_cell *cell, size_t pad, bool colour, struct strbuf *out)
{
    bool tinted = colour && *tints[cell->tint];
    if (tinted)
        strbuf_puts(out, tints[cell->tint]);
    strbuf_puts(out, cell->text);
    if (tinted)
        strbuf_puts(out, "\033[0m");
    strbuf_printf(out, "%*s", (int)pad, "");
}

void table_print(const struct table *table, bool header, bool colour, struct strbuf *out)
{
    size_t columns = table->columns, first = header ? 0 : columns;
    MEM_AUTO size_t *widths = mem_alloc(columns * sizeof(*widths));

    for (size_t i = first; i < table->count; i++) {
        size_t width = width_of(table->cells[i].text);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (size_t i = first; i < table->count; i++) {
        const struct table_cell *cell = &table->cells[i];
        bool last = (i + 1) % columns == 0;
        size_t pad = last ? 0 : widths[i % columns] - width_of(cell->text) + GAP;
        print_cell(cell, pad, colour, out);
        if (last)
            strbuf_putc(out, '\n');
    }
}
