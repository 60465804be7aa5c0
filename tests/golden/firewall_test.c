/*
 * What happens to a firewall, as plans word for word: tests/golden/firewall. PIC_REGENERATE=1
 * writes them anew.
 */
#include <criterion/criterion.h>

#include "reconcilers/sys/fake.h"
#include "tests/harness/firewall_cases.h"

Test(golden, firewall)
{
    for (size_t i = 0; i < firewall_case_count; i++) {
        struct sys *sys = sys_fake_new();
        firewall_case_check(&firewall_cases[i], sys);
        sys_close(sys);
    }
}
