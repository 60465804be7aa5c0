/*
 * One reading of everything, for verbs that work without picd: the recorded last good versions,
 * then the manifests as they lie there.
 */
#pragma once

#include "controller/store/store.h"
#include "schema/base/error.h"

/* Reads one manifest file of the directory into a manifest (errors of reading become diags). Also
 * returns the hash of its bytes. Absent: NULL and *reterr. */
struct manifest *load_file(const char *directory, const char *path, uint64_t *rethash,
                           struct error **reterr);

/*
 * `state`: the state directory whose record of last good versions counts, or NULL for none.
 * `replace`: manifests (their path says which file they stand in for) to use in place of files or
 * besides them; they are taken over. The store has been committed once; `changes` may be NULL.
 */
int load_tree(const char *directory, const char *state, const char *cell, struct manifest **replace,
              size_t replace_count, struct store **ret, struct changes *changes,
              struct error **reterr);
