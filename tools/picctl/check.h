/*
 * Everything that can be found wrong in manifests without looking at a live system.
 */
#pragma once

#include "controller/state/config.h"
#include "schema/base/diag.h"

struct check_counts {
    size_t files, resources, cells;
};

/* A whole tree, for each of its Cells (or the one that --cell names). Each finding once, with its
 * file's whole path. */
int check_tree(const struct config *config, const char *directory, struct diags *ret,
               struct check_counts *counts, struct error **reterr);

/* Files by themselves; together with each other if a Cell is among them. */
int check_files(const struct config *config, const char *const *paths, size_t count,
                struct diags *ret, struct check_counts *counts, struct error **reterr);
