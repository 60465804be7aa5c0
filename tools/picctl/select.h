/*
 * Choosing and ordering items. Pure.
 */
#pragma once

#include <jansson.h>

#include "schema/base/error.h"

/* Takes out of the array what does not fit "a=b,a!=b,a,!a" (labels). -EINVAL: it cannot be read. */
int select_labels(json_t *items, const char *selector, struct error **reterr);

/* Orders the array by what a jsonpath leads to in each item: numbers by value, before texts; what
 * has nothing there comes first. Equal ones keep their order. */
int select_sort(json_t *items, const char *path, struct error **reterr);
