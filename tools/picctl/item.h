/*
 * A resource as JSON, as picd serves it: {apiVersion, kind, metadata, spec, status}. Everything
 * returned is borrowed from it.
 */
#pragma once

#include <jansson.h>

#include "schema/resource.h"

const char *item_name(const json_t *item);
const struct kind *item_kind(const json_t *item); /* NULL: one that this picctl does not know */

/* A text of metadata.labels, or NULL. */
const char *item_label(const json_t *item, const char *key);

/* What the spec says at a path ("network.vpn"), else the text of the row's default, else NULL. */
const char *item_spec(const json_t *item, const char *path);

/* A value, or its text, below status; NULL. */
const json_t *item_status(const json_t *item, const char *key);
const char *item_status_text(const json_t *item, const char *key);

/* The condition of a type, {status, reason, message, lastTransitionTime}, or NULL; and a text of
 * it. */
const json_t *item_condition(const json_t *item, const char *type);
const char *condition_text(const json_t *condition, const char *key);
