/*
 * Edits of manifest texts as bytes: a document is put in the place of another, or taken out, and
 * every other byte stays as it was. Pure; who calls reads the result again and compares (see
 * draft.c), so that a text which is stranger than this file thinks is refused, never damaged.
 *
 *     # a comment                      not part of any document
 *     ---                              the document's separator: goes when the document goes
 *     apiVersion: pic/v1               its content: what is replaced
 *     …
 *                                      blank lines and comments that begin in the first column: not
 * part # a comment                      of a document either, for nobody knows which they belong to
 *     ---
 *
 * Lines end in LF or CRLF here. YAML knows rarer ends; a text with those comes out wrong, and is
 * refused.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/strbuf.h"

struct edit_place {
    size_t separator;  /* offset where its separator begins; == start when it has none */
    size_t start, end; /* of its content */
};

/* How far a text has been searched: documents are looked up in their order, so that a file with
 * thousands of them is read through once. Starts as EDIT_CURSOR_INIT. */
struct edit_cursor {
    size_t offset; /* of the beginning of `line` */
    unsigned line;
};
#define EDIT_CURSOR_INIT                                                                           \
    {                                                                                              \
        .line = 1                                                                                  \
    }

/* The place of the document that has lines [first, end_line) by the parser's count, from the cursor
 * on. */
struct edit_place edit_find(const char *data, size_t len, struct edit_cursor *cursor,
                            unsigned first, unsigned end_line);

/* What becomes of one document: `text` in its place, or NULL: taken out. */
struct edit {
    struct edit_place place;
    const char *text;
    size_t text_len;
};

/* Carries out edits, in the order of their places, and appends the new text to `out`. Lines end as
 * those of `data` do (CRLF or LF); a text that lacks its last line end gets one. */
void edit_apply(const char *data, size_t len, const struct edit *edits, size_t count,
                struct strbuf *out);

/* Is there nothing in the text but comments, separators and blank lines? */
bool edit_is_empty(const char *data, size_t len);

/*
 * Writes "key: value" into the spec of a document in block style, as a line of its own after the
 * first field. Returns 0, or EDIT_UNSURE: the text has no such place, and `out` is untouched.
 */
enum { EDIT_UNSURE = 1 };
int edit_add_field(const char *text, size_t len, const char *key, const char *value,
                   struct strbuf *out);

/* Puts `after` in the place of the one occurrence of `before`; EDIT_UNSURE unless there is just
 * one. */
int edit_replace_word(const char *text, size_t len, const char *before, const char *after,
                      struct strbuf *out);

/* Does a comment stand in the text, as far as can be told without parsing? */
bool edit_has_comment(const char *text, size_t len);
