/*
 * The keeper of what is remembered on disk: writes allocations and the record of last good
 * manifests after the live system has followed, a few files a turn, and only what changed.
 */
#pragma once

#include "controller/loop/log.h"
#include "controller/state/allocations.h"
#include "controller/state/config.h"
#include "controller/store/store.h"

struct keeper {
    const struct config *config;
    struct map paths; /* manifest paths whose record may be out of date; texts owned */
    bool follow;      /* allocations are to be compared with the model */
    int64_t due;      /* monotonic; 0: nothing to do */
    int64_t retry;
    char *problem; /* why something could not be written; NULL: all was */
};

void keeper_init(struct keeper *keeper, const struct config *config);
void keeper_clear(struct keeper *keeper);

/* A resource came into force or went. */
void keeper_touch(struct keeper *keeper, const struct change *change);
/* The live system has followed: write now. */
void keeper_settled(struct keeper *keeper, int64_t now);

/* Writes a few of them; returns when to come again (monotonic). A failure is logged and tried
 * later. */
int64_t keeper_turn(struct keeper *keeper, const struct store *store, const struct model *model,
                    struct allocations *allocations, const struct log *log);
/* Writes all that is left, before the process ends. */
void keeper_finish(struct keeper *keeper, const struct store *store, const struct model *model,
                   struct allocations *allocations, const struct log *log);
