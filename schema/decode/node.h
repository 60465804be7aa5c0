/*
 * A YAML document as a tree of nodes that know their places. Lives in an arena; read only.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/arena.h"
#include "schema/base/diag.h"

enum node_type { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct node {
    enum node_type type;
    unsigned line, column;
    bool plain;       /* a scalar without quotes: may mean null, true, a number */
    const char *text; /* scalar; no NUL inside */
    const char *key;  /* in a map: the key, with its place */
    unsigned key_line, key_column;
    struct node *next;  /* in a map or list */
    struct node *first; /* of a map or list */
    unsigned count;     /* of a map: its keys */
};

/* The value of a key, or NULL; map may be NULL or no map. */
const struct node *node_get(const struct node *map, const char *key);
/* A plain scalar that YAML readers take for null: nothing, ~, null. */
bool node_is_null(const struct node *node);

struct document {
    struct node *root;     /* NULL: the document has an error of its own (in the diags) */
    unsigned line, column; /* of its first node */
    unsigned first_line,
        end_line; /* its lines of the file, separator line included: [first, end) */
    struct document *next;
};

/* Limits, checked before anything is allocated for what they limit. */
enum {
    YAML_FILE_MAX = 4 << 20,
    YAML_TOTAL_MAX = 64 << 20, /* all manifests together */
    YAML_SCALAR_MAX = 1 << 20,
    YAML_DEPTH_MAX = 64,
    YAML_KEYS_MAX = 1024, /* of one map: the search for duplicates is quadratic in it */
    YAML_NODES_MAX = 2000000,
};

/*
 * Reads a file's bytes. Documents with a mistake of their own (a duplicate key, an alias) are
 * listed with root NULL; empty ones are left out. Returns 0, or 1 when the text could not be parsed
 * to its end: then `*ret` has the documents before that place, and what came after is unknown.
 */
int yaml_read(const char *file, const char *data, size_t len, struct arena *arena,
              struct document **ret, struct diags *diags);
