/*
 * What `picctl get` shows of each kind.
 */
#pragma once

#include <jansson.h>

#include "tools/picctl/table.h"

struct columns_options {
    bool wide;   /* the wide columns too */
    bool header; /* the first line */
    bool prefix; /* KIND/NAME for the name */
    bool colour;
};

/* Prints items of one kind, at least one. */
void columns_print(const json_t *const *items, size_t count, const struct columns_options *options,
                   struct strbuf *out);
