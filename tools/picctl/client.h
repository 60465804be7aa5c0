/*
 * Questions to the running picd, over its unix socket.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>

#include "controller/state/config.h"
#include "schema/base/error.h"

enum {
    CLIENT_NO_DAEMON = 1, /* picd does not run */
    CLIENT_NOT_FOUND = 2, /* it knows nothing of that name */
};

/* GET of a target such as "/v1/status": a new reference. */
int client_get(const struct config *config, const char *target, json_t **ret,
               struct error **reterr);

/* PUT /v1/control/<verb>: what it did, in words; the caller frees. */
int client_control(const struct config *config, const char *verb, char **ret,
                   struct error **reterr);

/* Does picd run? */
bool client_answers(const struct config *config);

/* The error of a verb that does nothing without picd. */
int client_missing(const struct config *config, struct error **reterr);
