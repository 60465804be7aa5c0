/*
 * What the files of the store share. store.c keeps files and objects; scope.c says which Cell a
 * path belongs to; commit.c decides; report.c tells, reference.c what is named and not there.
 */
#pragma once

#include "controller/store/store.h"

struct store_file {
    struct manifest *manifest;
    uint64_t content_hash;
};

/* A document that means the object; `entry` lies in the file's manifest. */
struct candidate {
    struct store_file *file;
    const struct manifest_entry *entry;
};

struct inner {
    struct object object; /* first: the public part */
    struct candidate *candidates;
    size_t candidate_count;
    const struct candidate *winner; /* as decided by the last commit; NULL: none */
    struct diags *findings;         /* of the checks across resources; NULL: none */
    bool touched;                   /* stands in store.touched */
    bool released;                  /* the guard lets it go */
};

struct store {
    char *wanted_cell;  /* --cell, or NULL */
    struct map files;   /* by path → struct store_file */
    struct map objects; /* by id → struct inner */
    struct inner **touched;
    size_t touched_count, touched_capacity;
    struct map
        waiting; /* by id → struct inner: not in force because of others; tried again each time */
    struct claims claims;
    struct inner *cell; /* the Cell that we are, or NULL */
    char *cell_problem;
    struct inner **cells; /* every Cell of the tree, ours or not */
    size_t cell_count;
    bool scopes_changed; /* a Cell came, went or moved: every path may belong to another */
    bool committed;      /* at least once */
    bool incomplete;     /* the last commit could not know what is gone */
    struct wgkey own_key;
    struct diags recent; /* findings since store_recent_diags() */
};

void store_touch(struct store *store, struct inner *inner);
struct inner *store_inner(struct store *store, const char *id);
void inner_free(struct inner *inner);

/* ---- report.c ---- */

void report_object(const struct store *store, const struct inner *inner, struct diags *ret);
void report_file(const struct store_file *file, struct diags *ret);

/* ---- reference.c ---- */

/* What the resource names and there is not, or is otherwise: links of a peer, the Cell of the same
 * tree that a link means. It is in force all the same. */
void reference_check(const struct store *store, const struct resource *resource, struct diags *ret);

/* ---- scope.c ---- */

/* The Cell in whose directory the path lies (the id of its object), or NULL: it belongs to all. */
const char *scope_of(const struct store *store, const char *path);
/* Does a document at this path count for us, and before a common one? 0 no, 1 common, 2 our own. */
int scope_rank(const struct store *store, const char *path);
/* Lists the cells, chooses store.cell, and touches everything, if scopes changed. */
void scope_choose_cell(struct store *store);
/* The object of a Cell is about to be freed. */
void scope_forget_cell(struct store *store, const struct inner *cell);
/* The Cell in whose directory this one lies although it should have its own: an error on this one.
 * NULL: none. */
const char *scope_nested_in(const struct store *store, const struct inner *cell);
