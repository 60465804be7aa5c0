/*
 * What would be done: everything but apply, for `picctl diff` and `picd --check`.
 */
#pragma once

#include "controller/state/config.h"
#include "controller/store/store.h"
#include "reconcilers/plan.h"
#include "reconcilers/sys/sys.h"

/*
 * The plan from the live system to what the store has in force. `changes` are those of load_tree().
 * Writes nothing, neither to the system nor to files. A hold (KeyLost, no Cell) is an error in
 * words.
 */
int preview_plan(struct sys *sys, const struct config *config, struct store *store,
                 const struct changes *changes, struct plan *ret, struct error **reterr);

/* The plan that takes everything of ours away, carried out at once: `picctl teardown` without picd.
 */
int preview_teardown(struct sys *sys, const struct config *config, struct store *store,
                     const struct changes *changes, struct plan *ret, struct error **reterr);
