/*
 * Prefixes for a new cell: at random, so that two households never have the same, and free on this
 * host.
 */
#pragma once

#include "reconcilers/sys/sys.h"

/* 10.x.y.0/24 that overlaps no route of the host. -ENOSPC: none was found. */
int prefixes_choose(const struct sys_routes *routes, struct prefix *ret, struct error **reterr);

/* A unique local /64: fd, 40 random bits (RFC 4193), subnet 0. */
int prefixes_choose6(const struct sys_routes *routes, struct prefix *ret, struct error **reterr);

/* The route of the host that a prefix overlaps, or NULL. Default routes overlap nothing here. */
const struct sys_route *prefixes_overlap(const struct sys_routes *routes,
                                         const struct prefix *prefix);
