/*
 * A resource: kind, name and spec as one manifest document says them. Immutable once made; shared
 * by counting references. Run-time state never enters it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/arena.h"
#include "schema/base/diag.h"
#include "schema/field.h"

struct resource;

struct kind {
    const char *name;       /* "Peer" */
    const char *plural;     /* "peers" */
    const char *short_name; /* "po"; NULL: none */
    const char *help;
    const struct field *fields;
    size_t field_count;
    size_t spec_size;
    /* Checks across the fields of one resource; all findings, not the first. */
    void (*check)(const struct resource *resource, struct diags *diags);
};

/* Every kind, in the order in which resources are shown and applied: a Cell first. */
extern const struct kind *const kinds[];
extern const size_t kind_count;
/* By name, plural or short name, whatever the case; NULL: none. */
const struct kind *kind_find(const char *word);

struct label {
    const char *key, *value;
};

struct resource {
    unsigned references;
    const struct kind *kind;
    const char *name;
    const char *id; /* "Peer/laptop": what everything calls it */
    struct label *labels, *annotations;
    uint32_t label_count, annotation_count;

    struct place place;            /* of its document's first line of content */
    unsigned first_line, end_line; /* its document's lines in the file: [first, end) */
    uint32_t *field_place; /* line << 8 | column of each written row, in the order of rows */

    uint64_t present; /* bit = row: written in the manifest */
    uint64_t hash;    /* over all that it says; defaults written out or not are the same */
    const void *spec; /* struct <kind>_spec, defaults filled in */

    struct arena arena; /* everything above lies here */
};

struct resource *resource_ref(const struct resource *resource);
void resource_unref(const struct resource *resource); /* takes NULL */

/* Order of kinds, then names: the order of everything that is listed. For sort and search. */
int resource_compare(const void *a, const void *b);

/* Is row i written in the manifest? */
static inline bool resource_has(const struct resource *resource, unsigned row)
{
    return resource->present >> row & 1;
}

/* Bitmap of the rows in which the two (same kind) differ. */
uint64_t resource_changed(const struct resource *a, const struct resource *b);

/* The place of a row's value, or of the document. */
struct place resource_field_place(const struct resource *resource, unsigned row);

/* `metadata.name`: 1–63 of a-z 0-9 - . , first and last a letter or digit, no "..". */
bool resource_name_valid(const char *name);

enum { RESOURCE_NAME_MAX = 63, RESOURCE_ID_MAX = 63 + 1 + 32 };
