/*
 * What `picctl get` shows of each kind.
 */
#pragma once

#include <jansson.h>

#include "tools/picctl/table.h"

/* Prints items of one kind; `prefix` writes KIND/NAME for the name. */
void columns_print(const json_t *const *items, size_t count, bool wide, bool header, bool prefix,
                   bool colour, struct strbuf *out);
