/*
 * Reads the machine around the cell: where the internet is, what is directly connected, whether it
 * forwards. Gets it from sys, hands it to the model as struct host.
 */
#pragma once

#include "reconcilers/model/host.h"
#include "reconcilers/sys/sys.h"
#include "schema/kinds/cell.h"

/* < 0: something could not be read, *ret is as it was. */
int surroundings_read(struct sys *sys, const struct cell_spec *cell, struct host *ret,
                      struct error **reterr);

/*
 * The part of it that follows from links and routes of the table main; the rest of *ret is zero.
 * Pure.
 *
 * - Uplinks are the interfaces of default routes of the lowest metric, per family (a default route
 *   may be written in pieces, such as 0.0.0.0/1 and 128.0.0.0/1), or network.uplink.
 * - The local network is network.lan, or every private prefix that is directly connected, but for
 *   those of our interfaces, of the container engine's bridges, and what overlaps our own prefixes.
 * - Near is all that has a route of its own by an interface which is not ours.
 */
void surroundings_derive(const struct cell_spec *cell, const struct sys_links *links,
                         const struct sys_routes *routes, struct host *ret);
