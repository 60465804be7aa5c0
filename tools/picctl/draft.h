/*
 * The manifest directory as it lies there, with changes that are not written yet: whole documents
 * put in, put in place of others, or taken out, as bytes. What was not asked for stays as it is, to
 * the byte; each changed file is read again before it is written, and refused if any other resource
 * in it came out different.
 */
#pragma once

#include "controller/state/config.h"
#include "controller/store/store.h"

struct draft_file;

struct draft {
    const struct config *config;
    struct draft_file **files;
    size_t count, capacity;
    struct map documents; /* by id → where it stands, for documents that count for our cell */
    char **cells;         /* directories of all Cells of the tree, below the manifest directory */
    size_t cell_count, cell_capacity;
    const char *cell_directory; /* of our Cell; "" the manifest directory itself; NULL: no Cell */
};

/* Reads everything. An absent directory is -ENOENT with what to do. */
int draft_open(const struct config *config, struct draft *ret, struct error **reterr);
void draft_clear(struct draft *draft);
#define DRAFT_AUTO __attribute__((cleanup(draft_clear))) struct draft

/* Is there a document of this id, right or wrong? */
bool draft_has(const struct draft *draft, const char *id);
/* What it says as it lies there; NULL: there is none, or it is wrong. */
const struct resource *draft_resource(const struct draft *draft, const char *id);
/* Its content as it lies there, appended; false: there is none. */
bool draft_content(const struct draft *draft, const char *id, struct strbuf *ret);
/* The file, below the directory, where it stands or will stand. NULL: nobody speaks of it. */
const char *draft_path(const struct draft *draft, const char *id);
/* Calls visit() for each resource as it lies there, in the order of files. */
void draft_each(const struct draft *draft,
                void (*visit)(const struct resource *resource, void *context), void *context);

/*
 * Puts a document in: in the place of the one with its id, else as a new file <kind>-<name>.yaml.
 * `text` says what `resource` is, without a separator. Again for the same id: the last one counts.
 */
int draft_put(struct draft *draft, const struct resource *resource, const char *text, size_t len,
              struct error **reterr);
/* Takes the document out; the file goes too when nothing but comments is left. */
int draft_remove(struct draft *draft, const char *id, struct error **reterr);

/* Reads the changed files again and compares. After that the functions below may be called. */
int draft_build(struct draft *draft, struct error **reterr);

/* One reading of the tree as it lies there, and then the changed files on top of it, as picd will
 * see it: who was there first keeps what it claims. Each appends its changes. */
int draft_load(const struct draft *draft, struct store **ret, struct changes *changes,
               struct error **reterr);
void draft_enter(const struct draft *draft, struct store *store, struct changes *changes);
/* One reading of the tree as it would be, with all changes from nothing; see load_tree(). */
int draft_preview(const struct draft *draft, struct store **ret, struct changes *changes,
                  struct error **reterr);
/* The resource as the built draft has it: with its place in the file to be. */
const struct resource *draft_built(const struct draft *draft, const char *id);

/* Is there anything to write? */
bool draft_changed(const struct draft *draft);
/* Writes all changed files, or none: after an error those that were written are put back. */
int draft_write(struct draft *draft, struct error **reterr);
