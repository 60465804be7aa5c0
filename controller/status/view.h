/*
 * Everything that status is made of, looked at and never changed.
 */
#pragma once

#include "controller/engine/engine.h"
#include "controller/engine/inputs.h"
#include "controller/source/source.h"
#include "controller/status/journal.h"
#include "controller/store/store.h"

struct transitions;

struct view {
    const struct store *store;
    const struct model *model;
    const struct engine *engine;
    const struct source *source;
    const struct inputs *inputs;
    const struct sys *sys;
    const struct journal *journal;
    struct transitions *transitions; /* when each condition last changed */
    const struct clock *clock;
    bool ready;             /* converged at least once */
    const char *unrecorded; /* why the state on disk is behind; NULL: it is not */
    const char *unheard;    /* why an address of api.listen is not listened on; NULL: all are */
};
