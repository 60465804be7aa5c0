/*
 * A table of texts, laid out in columns that are as wide as their longest cell. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/arena.h"
#include "schema/base/strbuf.h"

enum tint { TINT_PLAIN, TINT_GOOD, TINT_BAD, TINT_DOUBT, TINT_COUNT };

struct table_cell {
    const char *text;
    enum tint tint;
};

struct table {
    size_t columns;
    struct table_cell *cells; /* row after row; the first row is the header */
    size_t count, capacity;
    struct arena arena;
};

void table_init(struct table *table, size_t columns);
void table_clear(struct table *table);
#define TABLE_AUTO __attribute__((cleanup(table_clear))) struct table

/* The next cell, copied; control characters, which a terminal would obey, become '?'; "" becomes
 * "-". */
void table_add(struct table *table, const char *text, enum tint tint);
void table_print(const struct table *table, bool header, bool colour, struct strbuf *out);
