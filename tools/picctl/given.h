/*
 * What -f names: files, "-" for standard input, directories with manifests in them.
 */
#pragma once

#include "schema/base/strbuf.h"
#include "schema/manifest.h"
#include "tools/picctl/command.h"

struct given_file {
    char *name; /* as messages call it */
    struct strbuf bytes;
    struct manifest *manifest;
    bool in_place; /* it lies in the manifest directory already */
};

struct given {
    struct given_file *list;
    size_t count, capacity;
};

void given_clear(struct given *given);
#define GIVEN_AUTO __attribute__((cleanup(given_clear))) struct given

/* Reads them all. Mistakes in them are findings for given_wrong(), not errors. */
int given_read(const struct config *config, const struct words *files, struct given *ret,
               struct error **reterr);

/* Says all findings on stderr; true when one is an error, or when there is no resource at all. */
bool given_wrong(const struct given *given);
