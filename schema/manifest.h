/*
 * One manifest file, read: its resources, and what it says of those that it fails to say properly.
 */
#pragma once

#include "schema/resource.h"

struct manifest_entry {
    const char *id;            /* which resource the document means; NULL: it cannot be known */
    struct resource *resource; /* NULL: the document has an error */
    unsigned first_line, end_line;
};

struct manifest {
    char *path;
    struct manifest_entry *entries;
    size_t count, capacity;
    bool complete; /* parsed to its end: what is not here is not in the file */
    struct diags diags;
};

/* Pure: bytes in, manifest out; the caller frees. `path` is how the file is named in messages. */
struct manifest *manifest_parse(const char *path, const char *data, size_t len);
void manifest_free(struct manifest *manifest); /* takes NULL */

/* Names that are read: *.yaml, *.yml, *.json; not those starting with '.' or '#' or ending in '~'.
 */
bool manifest_name_read(const char *name);

/* The bytes of lines [first, end) of a text, lines counted from 1. */
void manifest_lines(const char *data, size_t len, unsigned first, unsigned end, size_t *retoffset,
                    size_t *retlength);
