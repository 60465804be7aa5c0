/*
 * Connections are forgotten when a peer leaves an exit, and at no other time.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "reconcilers/firewall/firewall.h"
#include "reconcilers/sys/fake.h"
#include "tests/harness/firewall_cases.h"

static size_t forgotten(struct sys *sys, const char *address)
{
    struct ip ip;
    cr_assert_eq(ip_parse(address, &ip), 0);
    return sys_fake_conntrack_forgotten(sys, &ip);
}

Test(firewall_flows, are_forgotten_when_a_peer_leaves_directly)
{
    struct sys *sys = sys_fake_new();
    struct house *h = firewall_house(sys);
    free(house_run(h, true));
    firewall_cases_leave_exit(h);
    free(house_run(h, false));
    cr_expect_eq(forgotten(sys, "10.10.0.34"), 1);
    cr_expect_eq(forgotten(sys, "fd10:a1fa:ce11::22"), 1);
    firewall_cases_return_to_exit(h);
    free(house_run(h, false));
    house_hears(h, "beta", false, false, false);
    free(house_run(h, false));
    cr_expect_eq(forgotten(sys, "10.10.0.34"), 1, "not on the way to an exit, nor when blocked");
    firewall_cases_leave_exit(h);
    free(house_run(h, false));
    cr_expect_eq(forgotten(sys, "10.10.0.34"), 2, "blocked is no way out either");
    house_free(h);
    sys_close(sys);
}

/* Nor by who comes back to a ruleset that is as it should be. */
Test(firewall_flows, are_left_alone_by_a_restart)
{
    struct sys *sys = sys_fake_new();
    struct house *h = firewall_house(sys);
    free(house_run(h, true));
    house_free(h);
    h = firewall_house(sys);
    free(house_run(h, true));
    house_free(h);
    cr_expect_eq(sys_counters(sys)->calls[SYS_CONNTRACK_FORGET], 0);
    cr_expect_eq(sys_counters(sys)->calls[SYS_NFT_COMMIT], 1);
    sys_close(sys);
}
