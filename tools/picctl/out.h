/*
 * What picctl says: results on stdout, everything else on stderr. Errors read `error: …`; several
 * findings stand one a line with their place first.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "schema/base/diag.h"
#include "schema/base/error.h"
#include "schema/base/strbuf.h"

enum {
    STATUS_FAILED = 1,
    STATUS_MISUSED = 64, /* the command line is wrong */
};

/* Each says the error on stderr and returns the exit status that it means. */
int out_failed(const struct error *error);
int out_refused(const char *format, ...) __attribute__((format(printf, 1, 2)));
int out_misused(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Something to know that is no error: a line on stderr. */
void out_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

void out_text(const struct strbuf *text);
void out_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_findings(FILE *file, const struct diags *diags);
/* Indented, keys in their order, with a final newline. */
void out_json(const json_t *value);

/* May there be colour in what goes to this stream? */
bool out_coloured(FILE *file);

/* Asks on the terminal; true only for "yes" or "y". False when nobody is there to answer. */
bool out_asked(const char *question);
