/*
 * The store: from manifest files to the set of resources in force.
 *
 * Files are put in and taken out; commit() then decides, for what was touched only: which document
 * counts for each resource, which keeps its last good version, who loses a conflict, and whether
 * removals are held back. Either a resource's whole new version comes into force, or its old one
 * stays. Pure: no I/O, no clock.
 *
 * Resources in force are immutable and counted; a change of them is a struct change. That a commit
 * is one step is the caller's assurance that nobody sees half of it.
 */
#pragma once

#include "schema/changes.h"
#include "schema/check/claims.h"
#include "schema/manifest.h"

struct store;

/* What holds a resource back, told with it. */
enum object_state {
    OBJECT_IN_FORCE,  /* the manifest's version is in force */
    OBJECT_STALE,     /* the manifest's version is wrong: the last good one is in force, or none */
    OBJECT_CONFLICT,  /* it claims what another resource has */
    OBJECT_DUPLICATE, /* another document of the same kind and name is in force */
    OBJECT_HELD,      /* gone from the manifests; the prune guard keeps it */
};

/* A resource that is in force, or would like to be. */
struct object {
    char *id;
    struct resource *force; /* NULL: not in force */
    const char *source;     /* the file that `force` came from; NULL without it */
    enum object_state state;
    char *message;       /* why the state is what it is, in words; NULL when all is well */
    uint64_t generation; /* counts versions in force, from 1 */
    bool recorded;       /* `force` came from the record of an earlier run */
};

/* `cell`: the name of the Cell that we are; NULL: the only one in the tree. */
struct store *store_new(const char *cell);
void store_free(struct store *store);

/* Before the first commit: what the record of an earlier run says was in force, by source file. */
void store_record(struct store *store, struct manifest *manifest);

/* The file's new content; takes the manifest over. `path` is relative to the manifest directory. */
void store_put(struct store *store, struct manifest *manifest);
/* The file is gone for certain. */
void store_gone(struct store *store, const char *path);
/* Paths of all files that are known, sorted by nothing; the caller frees the array, not the texts.
 */
const char **store_paths(const struct store *store, size_t *retcount);
/* Is this content, by size and hash, what the file had when it was put? */
bool store_has(const struct store *store, const char *path, uint64_t content_hash);
void store_set_content_hash(struct store *store, const char *path, uint64_t content_hash);

/* The key that the cell really has: a Peer with it is refused. */
void store_set_own_key(struct store *store, const struct wgkey *key);

/*
 * Decides; appends what comes into force or goes to `changes`, sorted. `complete`: the files put
 * are all that there are. When the directory could not be read to its end nothing is removed.
 */
void store_commit(struct store *store, bool complete, struct changes *changes);

/* The Cell went with the last commit: another one may take its place with the next, now. */
bool store_is_unsettled(const struct store *store);

/* Lets go what the prune guard holds; the next commit removes it. Returns how many. */
size_t store_release(struct store *store);
size_t store_held(const struct store *store);

/* The Cell in force, or NULL. */
const struct resource *store_cell(const struct store *store);
/* Why there is no Cell to work for although there are manifests ("two Cells: name one"), or NULL.
 */
const char *store_cell_problem(const struct store *store);

const struct object *store_object(const struct store *store, const char *id);
size_t store_count(const struct store *store);
/* All objects in the order of resource_compare(); the caller frees the array. */
const struct object **store_objects(const struct store *store, size_t *retcount);

/* Findings of all files and of the checks across resources, appended; sorted by file and line. */
void store_diags(const struct store *store, struct diags *ret);
/* Only those of what was put or decided since the last call; they are handed over. */
void store_recent_diags(struct store *store, struct diags *ret);
/* Is the file whole and right? Then its bytes may be recorded as they are. */
bool store_file_good(const struct store *store, const char *path);
