/*
 * For tests of routes.
 */
#pragma once

#include "tests/sys/side.h"

/* Of the twins that keep traffic from taking another way. */
#define UNREACHABLE_METRIC 4278198272U

/* Of ours; without an interface: unreachable. */
struct sys_route route_to(const char *destination, uint32_t table, uint32_t metric,
                          const char *interface);
/* How many are listed that are just like it? */
size_t routes_like(struct sys *sys, const struct sys_route *route);
size_t routes_in(struct sys *sys, uint32_t table, uint8_t protocol);
/* An interface of others, up. */
void bring_up(const struct side *side, struct sys *sys, const char *name);
