/*
 * What the files of the draft share: draft.c reads and finds, draft_build.c makes the new bytes,
 * draft_write.c writes them.
 */
#pragma once

#include "schema/manifest.h"
#include "tools/picctl/draft.h"

/* What becomes of one document of a file. */
struct draft_edit {
    size_t entry; /* of the file's manifest */
    char *text;   /* NULL: it goes */
    size_t len;
    struct resource *resource; /* what text says */
};

struct draft_file {
    char *path; /* below the directory */
    bool exists;
    char *new_id; /* of the document that a new file has */
    struct strbuf before;
    struct manifest *manifest; /* of `before` */
    struct draft_edit *edits;
    size_t edit_count, edit_capacity;

    struct strbuf after;    /* made by draft_build() */
    struct manifest *built; /* of `after`; NULL: not changed */
    bool goes;              /* nothing is left in it */
    bool written;
};

/* Where a document stands. */
struct draft_document {
    struct draft_file *file;
    size_t entry;
};

struct draft_file *draft_add_file(struct draft *draft, const char *path);
