/*
 * The firewall against the real kernel: the same cases that the goldens hold for the fake.
 */
#include <criterion/criterion.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/harness/firewall_cases.h"
#include "tests/sys/real_hands.h"

Test(firewall, cases_on_the_kernel)
{
    if (unshare(CLONE_NEWNET) < 0)
        cr_skip_test("needs root");
    for (size_t i = 0; i < firewall_case_count; i++) {
        struct sys *sys;
        ERROR_AUTO error = NULL;
        cr_assert_eq(unshare(CLONE_NEWNET), 0);
        cr_assert_eq(sys_open(&sys, &error), 0, "%s", error ? error->message : "");
        firewall_case_check(&firewall_cases[i], sys);
        sys_close(sys);
    }
}

static void text_of(const char *const *argv, struct strbuf *ret)
{
    strbuf_reset(ret);
    output_of(argv, ret);
}

static const char *const docker_chain[][8] = {
    {"iptables-nft", "-N", "DOCKER-USER"},
    {"iptables-nft", "-A", "FORWARD", "-j", "DOCKER-USER"},
    {"iptables-nft", "-A", "DOCKER-USER", "-j", "RETURN"},
};

/* After iptables-restore our rule is made of other words; it is still ours, and still works. */
ON_REAL_SIDE(firewall, rule_in_docker_user_survives_iptables_restore)
{
    STRBUF_AUTO saved = STRBUF_INIT;
    struct house *h = firewall_house(sys);
    for (size_t i = 0; i < ARRAY_SIZE(docker_chain); i++)
        run(docker_chain[i]);
    free(house_run(h, true));
    text_of((const char *[]){"iptables-nft-save", NULL}, &saved);
    cr_assert(strstr(saved.text, "-A DOCKER-USER -m mark --mark 0x40000000/0x40000000 -m comment "
                                 "--comment \"pic:0123456789abcdef0123456789abcdef\" -j ACCEPT"),
              "%s", saved.text);
    run((const char *[]){"sh", "-c", "iptables-nft-save | iptables-nft-restore", NULL});
    MEM_AUTO char *plan = house_run(h, true);
    cr_expect_str_eq(plan, "");
    house_free(h);
}

/* Whatever happens to ours, what is not ours is left byte for byte. */
ON_REAL_SIDE(firewall, tables_of_others_are_left_alone)
{
    static const char *const list[] = {"nft", "list", "ruleset", NULL};
    STRBUF_AUTO before = STRBUF_INIT;
    STRBUF_AUTO after = STRBUF_INIT;
    run((const char *[]){"nft",
                         "table inet theirs { set s { type ipv4_addr; elements = { 10.10.0.34 } }; "
                         "chain c { type filter hook forward priority 5; ip saddr @s counter "
                         "packets 0 bytes 0 accept; }; }",
                         NULL});
    text_of(list, &before);
    struct house *h = firewall_house(sys);
    free(house_run(h, true));
    firewall_cases_add_subnets(h);
    free(house_run(h, false));
    h->model->teardown = true;
    free(house_run(h, true));
    text_of(list, &after);
    cr_expect_str_eq(before.text, after.text);
    house_free(h);
}
