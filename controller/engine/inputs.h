/*
 * What the model needs besides manifests: identity, remembered addresses, secrets, the machine
 * around the cell, names that were resolved, what linked cells said last, the clock.
 */
#pragma once

#include "controller/state/allocations.h"
#include "controller/state/config.h"
#include "controller/state/identity.h"
#include "reconcilers/model/model.h"
#include "schema/base/clock.h"

struct inputs {
    struct sys *sys;
    const struct config *config;
    const struct clock *clock;
    struct allocations allocations;
    char *allocations_problem; /* or NULL */
    struct identity identity;
    bool has_identity;
    int64_t newest_manifest; /* modification time, seconds: the clock cannot be earlier */
    struct resource *cell;   /* that we are under, or NULL */
    /* This machine, as last read, and what was wrong with that, or NULL. */
    struct host host;
    char *surroundings_problem;
    bool surroundings_stale; /* something happened since: it is read again at the next chance */
    bool host_changed;       /* since inputs_follow_host() was last asked */
    struct map names;        /* of endpoints → what they stand for */
    struct model_inputs model;
};

void inputs_init(struct inputs *inputs, struct sys *sys, const struct config *config,
                 const struct clock *clock);
void inputs_clear(struct inputs *inputs);

/* Finds out who we are under this Cell; what is unknown becomes model->hold. Without a Cell: holds.
 */
void inputs_identify(struct inputs *inputs, const struct resource *cell, enum identity_mode mode,
                     struct model *model);
/* Reads the time, and the machine around the cell if that is stale. */
void inputs_refresh(struct inputs *inputs);

/* Something happened to the live system: is the machine around the cell to be read again? Only
 * marks. */
void inputs_happened(struct inputs *inputs, const struct sys_event *event);
/* Reads it again if it is stale. Is the host another than when this was last asked? Then the model
 * is to be refreshed. */
bool inputs_follow_host(struct inputs *inputs);

/* A name of an endpoint has this address. Another than before? Then the links with that name are to
 * be refreshed. */
bool inputs_name_resolved(struct inputs *inputs, const char *host, const struct ip *address);
