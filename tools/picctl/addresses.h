/*
 * The addresses of peers, as picd would give them: by its own model, fed with the same memory.
 */
#pragma once

#include "controller/state/config.h"
#include "reconcilers/model/model.h"

/* All resources in force, from the changes of one reading of the tree and then (NULL: none) of
 * another. Free with model_free(). */
struct model *addresses_model(const struct config *config, const struct changes *first,
                              const struct changes *then);

/* The addresses of one peer; family 0: it has none. False: the peer is not in force. */
bool addresses_of(const struct model *model, const char *name, struct ip *ret, struct ip *ret6);
