/*
 * The contract: a reconciler converges one sort of live object. It is a const struct of functions
 * in the one array of registry.c; the engine calls the hooks in the order in which they stand here.
 */
#pragma once

#include <jansson.h>

#include "reconcilers/model/model.h"
#include "reconcilers/plan.h"
#include "reconcilers/sys/sys.h"

/* Which keys a run is about. */
struct keys {
    const char *const *list; /* model keys, sorted; NULL: everything */
    size_t count;
};

struct reconciler {
    const char *name;
    enum enforcer enforcer;

    /* The least time between two readings of an unchanged system, and how much of one core readings
     * may cost: the engine reads again after max(period, cost × share). */
    int64_t period; /* nanoseconds */
    unsigned share; /* 100: one per cent */

    /* Steps of one call to apply(), at most; 0: a few dozen. What must be one transaction says
     * SIZE_MAX. */
    size_t slice;

    /* Does what the kernel reported concern it? Pure. */
    bool (*concerned)(const struct model *model, const struct sys_event *event);

    /* What was last seen of the system, and what was acknowledged since. Owned by the engine. */
    void *(*observed_new)(void);
    void (*observed_free)(void *observed);

    /* The model's wishes for the keys, in a form that can be compared with what is observed. Pure;
     * the result lies in the arena and may point into the model, so it lives no longer than this
     * turn. */
    const void *(*desired)(const struct model *model, const struct keys *keys, struct arena *arena);

    /* Reads the whole of what it owns from the system. Reads only; may block for the calls'
     * deadlines. On < 0 `observed` is as it was. */
    int (*observe)(struct sys *sys, const struct model *model, void *observed,
                   struct error **reterr);

    /* Compares, and appends what has to be done. Pure: its parameters leave it no way to the
     * system. Steps are in a safe order, and carry copies of all that apply() needs. */
    void (*plan)(const void *desired, const void *observed, struct plan *plan);

    /* Carries out steps [from, to) in order, as few calls as possible. Decides nothing. After an
     * error any part of them may be in force: the engine observes again before it plans again. */
    int (*apply)(struct sys *sys, const struct plan *plan, size_t from, size_t to,
                 struct error **reterr);

    /* Folds the acknowledged steps [from, to) into what is observed. Pure. */
    void (*learn)(void *observed, const struct plan *plan, size_t from, size_t to);

    /* Adds what it knows of the resource's live objects to the JSON object `status`. Pure. */
    void (*status)(const struct model *model, const void *observed, const struct resource *resource,
                   json_t *status);
};

/* All reconcilers, in dependency order: applied from first to last. */
extern const struct reconciler *const reconcilers[];
extern const size_t reconciler_count;
/* Bitmap of enum enforcer that the array covers. */
uint64_t reconcilers_enforce(void);
