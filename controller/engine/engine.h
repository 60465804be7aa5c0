/*
 * The engine: runs each reconciler when its keys are due, in slices, until the live system is what
 * the model says, and again when somebody else changes it.
 *
 * It knows no loop: whoever drives it calls engine_turn() and then sleeps until the time that it
 * returns. Start-up, a change, drift and recovery are the same path.
 */
#pragma once

#include "reconcilers/reconciler.h"
#include "schema/base/clock.h"

struct engine;

/* What the engine tells its driver; all may be NULL. */
struct engine_hooks {
    /* A step was carried out (error NULL), or failed, or is withheld by suspend or observe. */
    void (*step)(void *context, const struct reconciler *reconciler, const struct step *step,
                 const char *error, bool withheld);
    /* A run of this reconciler failed or, error NULL, works again. */
    void (*run)(void *context, const struct reconciler *reconciler, const struct error *error);
    /* Something converged: what is remembered on disk may have to follow. */
    void (*converged)(void *context);
    void *context;
};

/* Borrows sys, model and clock. */
struct engine *engine_new(struct sys *sys, struct model *model, const struct clock *clock,
                          const struct engine_hooks *hooks);
void engine_free(struct engine *engine);

/* The key's desired state may be another. Only marks. */
void engine_mark(struct engine *engine, const char *key);
/* Something happened to the live system. Only marks. */
void engine_look(struct engine *engine, const struct sys_event *event);
/* Anything may have happened. */
void engine_look_at_all(struct engine *engine);

/* Does what is due, at most one slice of work; returns the monotonic time of the next turn. */
int64_t engine_turn(struct engine *engine);

/* Nothing waits, nothing failed, and the last look found what the model says. */
bool engine_is_converged(const struct engine *engine);
/* Nothing is under way: what is still to be done waits for its next try, or is withheld. */
bool engine_is_settled(const struct engine *engine);

/* Why the key is not carried out: a failure, or that it is suspended; NULL: nothing known against
 * it. Valid until the next turn. */
const char *engine_trouble(const struct engine *engine, const char *key);
/* All of them, of every reconciler. */
void engine_each_trouble(const struct engine *engine, const char *key,
                         void (*tell)(void *context, const char *message), void *context);
/* The failure of a whole reconciler, or NULL. */
const struct error *engine_failure(const struct engine *engine,
                                   const struct reconciler *reconciler);

/* The plan as of the last look, over everything; nothing is read or written. */
void engine_plan(const struct engine *engine, struct plan *ret);
/* What the reconcilers know of the resource's live objects. */
void engine_status(const struct engine *engine, const struct resource *resource, json_t *status);
