/*
 * Fields that every kind takes.
 *
 * Columns: member, path, type, presence, default, words, low, high, disruption, enforcer, flags,
 * help
 */
#pragma once

#include "schema/field.h"

enum reconcile_mode { RECONCILE_CORRECT, RECONCILE_OBSERVE };

#define COMMON_FIELDS(F)                                                                           \
    F(enabled, "enabled", BOOL, OPTIONAL, "true", NULL, 0, 0, NONE, PICD, FIELD_PLAIN,             \
      "false: as if the resource were not there, but its addresses, ports, keys and data stay "    \
      "its own")                                                                                   \
    F(suspend, "suspend", BOOL, OPTIONAL, "false", NULL, 0, 0, NONE, PICD, FIELD_PLAIN,            \
      "true: keep what is live, change nothing")                                                   \
    F(reconcile, "reconcile", ENUM, OPTIONAL, "correct", "correct|observe", 0, 0, NONE, PICD,      \
      FIELD_PLAIN, "observe: report drift and do not repair it")

struct common_spec {
    COMMON_FIELDS(FIELD_MEMBER)
};
