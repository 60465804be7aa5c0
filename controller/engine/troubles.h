/*
 * What is not carried out at the moment, and why: steps that failed and wait for their next try,
 * and steps that `suspend` or `reconcile: observe` withhold. By model key and object, for one key
 * may stand for several objects (the Cell's interface, its port, its addresses), and each fails by
 * itself.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/base/map.h"

struct trouble {
    struct trouble *next; /* another one of the same key */
    char *key, *object;
    char *message;
    bool withheld;       /* nothing failed: it is not wanted */
    unsigned failures;   /* in a row */
    int64_t retry_at;    /* monotonic; not before, unless the key is marked */
    int64_t retry_floor; /* something that happened brings the next try forward to this */
};

struct troubles {
    struct map by_key; /* → struct trouble, the newest first */
};

bool troubles_any(const struct troubles *troubles);
/* The trouble with that object, or with any if NULL; NULL: none. */
const struct trouble *troubles_find(const struct troubles *troubles, const char *key,
                                    const char *object);
/* The next key's first trouble, in no order; *at begins with 0. */
const struct trouble *troubles_next(const struct troubles *troubles, size_t *at);
/* Enters a new one; the texts are copied, the rest is for the caller to fill in. The object must
 * have none yet. */
struct trouble *troubles_add(struct troubles *troubles, const char *key, const char *object,
                             const char *message);
void troubles_forget(struct troubles *troubles, const char *key);
void troubles_clear(struct troubles *troubles);
