/*
 * Who is undone again and again does not fight: an object that drifted too often in a short time is
 * left alone for a while, longer each time, and said so. By object; forgotten when it stays calm.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/base/map.h"
#include "schema/base/strbuf.h"

struct fights {
    struct map by_object; /* → struct fight */
};

/* A repair of the object succeeded. Times are monotonic nanoseconds. */
void fights_repaired(struct fights *fights, const char *object, int64_t now);
/* Is the object to be left alone now? Then until when, and in words why; `author`: who undoes it,
 * or "". */
bool fights_rest(const struct fights *fights, const char *object, int64_t now, const char *author,
                 int64_t *retuntil, struct strbuf *why);
/* Forgets what has been calm. */
void fights_tidy(struct fights *fights, int64_t now);
void fights_clear(struct fights *fights);
