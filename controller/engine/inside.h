/*
 * What the files of the engine share: engine.c decides whose turn it is, run.c looks, plans and
 * carries out for one reconciler, waits.c says what has to wait, and for whom.
 */
#pragma once

#include "controller/engine/engine.h"
#include "controller/engine/fights.h"
#include "controller/engine/queue.h"
#include "controller/engine/troubles.h"

struct run {
    const struct reconciler *reconciler;
    void *observed;
    struct queue queue;

    bool happened;     /* something did, since the last plan was made */
    bool look;         /* read the system before the next plan */
    int64_t next_look; /* monotonic */

    /* The plan that is being carried out; count 0: none. */
    struct plan plan;
    size_t at;       /* steps before it are done */
    bool everything; /* the plan was about all keys */
    char **keys;     /* that it was made for, sorted */
    size_t key_count;

    struct troubles troubles; /* what the plan leaves out, and what of it failed */
    struct troubles former;   /* before the plan was made */

    struct fights fights;
    char author[48]; /* of the change that the system reported last; "": not known */

    bool careful; /* after a failure: step by step, leaving out what fails */
    unsigned failures;
    int64_t retry_at;    /* monotonic; 0: at once */
    int64_t retry_floor; /* events bring the next try forward to this: they may be our own */
    struct error *error;
    bool converged;
};

struct engine {
    struct sys *sys;
    struct model *model;
    const struct clock *clock;
    struct engine_hooks hooks;
    struct run *runs;
};

/* Begins a run, or carries out the next slice of the one under way. */
void run_turn(struct engine *engine, struct run *run, int64_t now);
/* The plan and the keys that it was made for. */
void run_drop_plan(struct run *run);

/* ---- waits.c ---- */

/* Why the step is not wanted, although the plan has it: suspended, or only observed. NULL: it is.
 */
const char *waits_withheld(const struct model *model, const struct step *step);
/* Have all others done, or tried, what they have to do? */
bool waits_over(const struct engine *engine, const struct run *run);
/* What keeps another reconciler from doing its part for the key of a guarded step, in words; NULL:
 * nothing. */
const char *waits_guard(const struct engine *engine, const struct run *run,
                        const struct step *step);
/* Is something about the key still to be done, under way, or failing in this run? */
bool run_has_open(const struct run *run, const char *key);
