/*
 * A manifest directory, read once: every file that counts, what was ignored and why.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "schema/base/error.h"
#include "schema/base/strbuf.h"

struct tree_file {
    char *path;    /* relative to the directory, '/' between */
    int64_t mtime; /* nanoseconds */
    int64_t size;
    uint64_t inode;
};

struct tree {
    struct tree_file *files; /* sorted by path */
    size_t count, capacity;
    char **ignored; /* "path: why", sorted */
    size_t ignored_count, ignored_capacity;
    char **directories; /* relative; "" is the directory itself */
    size_t directory_count, directory_capacity;
};

/*
 * Lists the tree. Symbolic links are followed (sync tools swap them); one with a manifest's name
 * that leads nowhere is listed, for what it stood for is not gone. Hidden names are left out. When
 * any part cannot be read the whole listing fails: an incomplete one must never look like fewer
 * files.
 */
int tree_list(const char *directory, struct tree *ret, struct error **reterr);
void tree_clear(struct tree *tree);
/* By binary search; NULL: not in the tree. */
const struct tree_file *tree_find(const struct tree *tree, const char *path);
