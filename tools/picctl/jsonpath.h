/*
 * A small JSONPath, as kubectl's -o jsonpath takes it. Pure.
 *
 *     {.metadata.name}   {.items[0].spec}   {.items[*].metadata.name}   {.items[-1]}   {['a.b']}
 *     {range .items[*]}{.metadata.name}{"\t"}{.spec.address}{"\n"}{end}
 *
 * Text outside braces is copied; a path alone may stand without braces. What is not there gives
 * nothing. There are no filters and no recursive descent.
 */
#pragma once

#include <jansson.h>

#include "schema/base/error.h"
#include "schema/base/strbuf.h"

enum {
    JSONPATH_TEMPLATE_MAX = 4096,
    JSONPATH_KEY_MAX = 255,
    JSONPATH_RANGES_MAX = 8, /* one inside another */
};

/* Appends what the template makes of the value. -EINVAL: the template is wrong, said with the place
 * in it; `out` may have a part then. */
int jsonpath_print(const char *template, const json_t *root, struct strbuf *out,
                   struct error **reterr);

/* The first value that a path (with or without braces) leads to: borrowed; NULL in *ret: none. */
int jsonpath_first(const char *path, const json_t *root, const json_t **ret, struct error **reterr);
