/*
 * What the model needs besides manifests: identity, remembered addresses, secrets, the uplink's
 * MTU, the clock.
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
    struct model_inputs model;
};

void inputs_init(struct inputs *inputs, struct sys *sys, const struct config *config,
                 const struct clock *clock);
void inputs_clear(struct inputs *inputs);

/* Finds out who we are under this Cell; what is unknown becomes model->hold. Without a Cell: holds.
 */
void inputs_identify(struct inputs *inputs, const struct resource *cell, enum identity_mode mode,
                     struct model *model);
/* Reads the time and the path to the internet. */
void inputs_refresh(struct inputs *inputs);
