/*
 * What both sides of the boundary know about routes and the rules of policy routing.
 */
#pragma once

#include "reconcilers/sys/sys.h"

/* Can it be made? Returns 0 or -EINVAL. */
int route_check(const struct sys_route *route, struct error **reterr);

/* The first one exactly like it, or NULL. */
const struct sys_rule *rule_find(const struct sys_rules *rules, const struct sys_rule *rule);
/* Can it be made? Returns 0 or -EINVAL. */
int rule_check(const struct sys_rule *rule, struct error **reterr);
/* The error for one whose twin exists: -EEXIST. */
int rule_refuse_twin(const struct sys_rule *rule, struct error **reterr);
