/*
 * Which resources the words of a command line mean, by kubectl's grammar:
 *
 *     all    peers    peer laptop phone    peer/laptop cell/alpha
 */
#pragma once

#include "schema/resource.h"
#include "tools/picctl/command.h"

struct target {
    const struct kind *kind;
    const char *name; /* NULL: all of the kind */
};

struct targets {
    struct target *list;
    size_t count, capacity;
};

void targets_clear(struct targets *targets);
#define TARGETS_AUTO __attribute__((cleanup(targets_clear))) struct targets

/* -EINVAL: the words are wrong. The names stay where the words are. */
int targets_read(const struct words *words, struct targets *ret, struct error **reterr);
/* The same where each target must be one resource. */
int targets_read_named(const struct words *words, struct targets *ret, struct error **reterr);

/* Does the target mean this resource? */
bool target_matches(const struct target *target, const struct kind *kind, const char *name);

/* The error of a resource that is not there; names that come near it are in `resources`' ids. */
int target_absent(const struct target *target, const char *nearest, struct error **reterr);
