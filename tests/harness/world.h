/*
 * A whole cell in memory for tests: store, model and engine over the fake system, with a clock that
 * the test turns. Only secrets and state are real files, in a directory that goes with the world.
 */
#pragma once

#include "controller/engine/engine.h"
#include "controller/engine/inputs.h"
#include "controller/state/record.h"
#include "controller/store/store.h"
#include "reconcilers/sys/fake.h"

struct world {
    char *directory;
    struct config config;
    int64_t monotonic, realtime; /* nanoseconds */
    struct clock clock;
    struct sys *sys;
    struct store *store;
    struct model *model;
    struct inputs inputs;
    struct engine *engine;
    struct strbuf steps;   /* text of the steps that were carried out since world_forget_steps() */
    struct strbuf trouble; /* of steps and runs that failed */
};

/* `sys`: an existing system to wake up beside, as after a restart; NULL: a new one. `directory`
 * likewise. Both are then owned by the world. */
struct world *world_new(struct sys *sys, char *directory);
/* Ends like a killed process: the system and the directory live on. */
void world_kill(struct world *world, struct sys **retsys, char **retdirectory);
void world_free(struct world *world);

void world_put(struct world *world, const char *path, const char *text);
void world_gone(struct world *world, const char *path);
/* Commits and hands the changes to model and engine; returns them as text: "+Peer/a ~Peer/b
 * -Peer/c". */
char *world_commit(struct world *world);

/* Lets time pass and the engine turn until it has converged (true) or `seconds` have passed. */
bool world_run(struct world *world, unsigned seconds);
/* Reads everything again and runs; returns how many writes that made. */
uint64_t world_second_pass(struct world *world);
uint64_t world_writes(const struct world *world);

/* The usual manifests: a Cell alpha on 10.10.0.0/24, and peers with given addresses. */
extern const char world_cell[];
/* Text of a Peer, the caller frees; extra: more lines of the spec, or "". The key follows from `n`.
 */
char *world_peer(const char *name, unsigned n, const char *extra);
struct wgkey world_key(unsigned n);

/* The plan from the fake system, freshly read, to the model; nothing is carried out. */
void world_plan(const struct world *world, struct plan *ret);
/* The same of one reconciler only. */
void world_plan_of(const struct world *world, const struct reconciler *r, struct plan *ret);
