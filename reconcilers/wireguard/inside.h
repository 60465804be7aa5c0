/*
 * What the two files of the plan share: plan.c makes, changes and takes away interfaces,
 * plan_peers.c what is on them.
 */
#pragma once

#include "reconcilers/wireguard/wireguard.h"

struct wg_planner {
    const struct wg_desired *desired;
    const struct model *model;
    const struct wg_observed *observed;
    struct plan *plan;
};

/* An interface as it should be, and as it is; `seen` NULL: a step of the plan makes it. */
struct wg_pair {
    const struct wg_desired_device *want;
    const struct wg_seen_device *seen;
};

/* The action of the step that was added last. */
struct wg_action *wg_action_new(struct wg_planner *p, enum wg_action_type type,
                                const char *interface, int index);
void wg_note_number(struct plan *plan, const char *field, bool has_before, unsigned before,
                    unsigned after);
void wg_note_prefixes(struct plan *plan, const char *field, const struct prefix *before,
                      size_t before_count, const struct prefix *after, size_t after_count);

void wg_plan_peers(struct wg_planner *p, const struct wg_pair *pairs, size_t count);
