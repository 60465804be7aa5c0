/*
 * What is wrong with manifests: a list of findings with their places, all of them, not the first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/strbuf.h"

enum severity { SEVERITY_ERROR, SEVERITY_WARNING };

struct place {
    const char *file;      /* may be NULL: no file yet */
    unsigned line, column; /* from 1; 0: unknown */
};

struct diag {
    enum severity severity;
    char *file;
    unsigned line, column;
    char *subject; /* "Peer/laptop", or NULL when not known */
    char *message;
};

struct diags {
    struct diag *list;
    size_t count, capacity;
    size_t errors; /* how many are errors */
};

#define DIAGS_INIT ((struct diags){0})
#define DIAGS_AUTO __attribute__((cleanup(diags_clear))) struct diags

void diags_clear(struct diags *d);
void diags_add(struct diags *d, enum severity severity, const struct place *place,
               const char *subject, const char *format, ...) __attribute__((format(printf, 5, 6)));
void diags_move(struct diags *to, struct diags *from); /* from is empty afterwards */
/* "file:line:col: error: Peer/laptop: …\n" */
void diag_print(const struct diag *d, struct strbuf *out);
