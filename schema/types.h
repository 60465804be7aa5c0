/*
 * What can be done with a value of each field type: read it from text, write it, hash it. One row a
 * type; everything that handles fields goes through this table.
 */
#pragma once

#include "schema/base/arena.h"
#include "schema/base/strbuf.h"
#include "schema/field.h"

enum type_shape {
    SHAPE_BOOL,   /* a plain scalar `true` or `false`; JSON boolean */
    SHAPE_NUMBER, /* a plain scalar; JSON number */
    SHAPE_TEXT,   /* any scalar, kept as it is written; JSON string */
    SHAPE_SECRET, /* a map with the one key `file` */
    SHAPE_LIST,   /* a sequence of texts */
};

struct type {
    const char *name; /* for people: "IPv4 prefix" */
    enum type_shape shape;
    size_t size;     /* of a value; of one item for lists */
    const char *any; /* the word that a list or number takes for "all" or "you decide", or NULL */

    /*
     * Reads one value (one item of a list). Strings are copied into the arena. Returns 0, 1 done
     * with a remark in *retwhy (a warning: host bits), -EINVAL with *retwhy: what would be right.
     */
    int (*parse)(const struct field *field, const char *text, void *value, struct arena *arena,
                 const char **retwhy);
    /* Appends the value (one item) as parse() reads it. */
    void (*format)(const struct field *field, const void *value, struct strbuf *out);
};

const struct type *type_of(enum field_type type);

/* A 64-bit hash of the value, equal for equal meanings however they were written. */
uint64_t type_hash(const struct field *field, const void *spec, uint64_t seed);

/* Puts the row's default into the spec; absent without default: zero. Defaults are checked by a
 * test. */
void type_default(const struct field *field, void *spec, struct arena *arena);
bool type_is_default(const struct field *field, const void *spec);

static inline const void *field_value(const struct field *field, const void *spec)
{
    return (const char *)spec + field->offset;
}
static inline const char *list_text(const struct list *list, size_t i)
{
    return ((const char *const *)list->items)[i];
}
static inline const struct prefix *list_prefixes(const struct list *list)
{
    return list->items;
}
