/*
 * Addresses for peers that write none.
 */
#pragma once

#include "reconcilers/model/model.h"

/*
 * A free host of network.vpn: the remembered one if it is still free and fits, else one that
 * follows from the name alone (a hash, then the next free one), so that it is the same again when
 * everything remembered is lost. Family 0: the prefix is full.
 */
struct ip allocate_address(const struct model *model, const char *name,
                           const struct ip *remembered);

/* May a peer have this address? Not the cell, the network or broadcast address, nor a service's. */
bool allocate_fits(const struct cell_spec *cell, const struct ip *address);
