/*
 * The allowed IPs that a request adds to some peer. Taking one of these away in the same request is
 * a move: the one who adds it wins, whatever the order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "reconcilers/sys/sys.h"
#include "schema/base/map.h"

struct added {
    struct prefix *list; /* normalised; the keys of the map */
    struct map map;
};

#define ADDED_AUTO __attribute__((cleanup(added_clear))) struct added

void added_collect(struct added *added, const struct sys_wg_peer_change *peers, size_t count);
void added_clear(struct added *added);
bool added_has(const struct added *added, const struct prefix *normalised);
