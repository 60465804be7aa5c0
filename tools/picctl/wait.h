/*
 * Waiting for picd to carry out what was written.
 */
#pragma once

#include "controller/state/config.h"
#include "schema/resource.h"

/*
 * Until the resource is in force as it is here, and ready, or *seconds are over (they become what
 * is left). -ETIMEDOUT with what picd says of it; -ENOENT: picd does not run.
 */
int wait_ready(const struct config *config, const struct resource *resource, int64_t *seconds,
               struct error **reterr);
