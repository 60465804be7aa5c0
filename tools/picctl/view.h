/*
 * Resources to show: from picd with their status, or from the manifests when it does not run.
 */
#pragma once

#include "tools/picctl/client.h"
#include "tools/picctl/target.h"

struct view {
    json_t *items; /* an array, kind by kind, by name */
    bool live;     /* from picd */
    char *problem; /* with the manifests: why there is no Cell; NULL */
    size_t errors; /* in them */
};

/* A target of a name that is not there: -ENOENT. */
int view_load(const struct config *config, const struct targets *targets, struct view *ret,
              struct error **reterr);
/* Says on stderr when the items are not from picd. */
void view_say(const struct view *view);
void view_clear(struct view *view);
#define VIEW_AUTO __attribute__((cleanup(view_clear))) struct view
