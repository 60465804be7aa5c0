/*
 * What can happen to a firewall: manifests, the other cells' words, somebody's hands. Each case is
 * a plan word for word (tests/golden/firewall/<name>.txt) and must converge, on either side of the
 * system boundary.
 */
#pragma once

#include "tests/harness/house.h"

struct firewall_case {
    const char *name;
    void (*happens)(struct house *house); /* to a house that has converged; NULL: nothing */
    bool look; /* at everything afterwards, not only at what was marked */
};

extern const struct firewall_case firewall_cases[];
extern const size_t firewall_case_count;

/* A house with one peer that leaves directly, one by the link beta, one confined, and the link
 * gamma. Nothing has run yet. */
struct house *firewall_house(struct sys *sys);
/* The peer that leaves by beta leaves directly; and by beta again. */
void firewall_cases_leave_exit(struct house *house);
void firewall_cases_return_to_exit(struct house *house);
/* The phone has subnets: 10.9.0.0/24 and fd99::/64. */
void firewall_cases_add_subnets(struct house *house);
/* Converges, lets it happen, compares the plan, carries it out, and looks that nothing is left. */
void firewall_case_check(const struct firewall_case *c, struct sys *sys);
