#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/side.h"

ON_BOTH_SIDES(gate, names)
{
    for (enum sys_call call = 0; call < SYS_CALL_COUNT; call++) {
        cr_expect(sys_call_name(call) && sys_call_name(call)[0]);
        for (enum sys_call other = 0; other < call; other++)
            cr_expect_str_neq(sys_call_name(call), sys_call_name(other));
    }
    cr_expect(sys_call_writes(SYS_WG_SET) && sys_call_writes(SYS_LINK_DELETE));
    cr_expect(!sys_call_writes(SYS_WG_GET) && !sys_call_writes(SYS_PATH_MTU));
}

ON_BOTH_SIDES(gate, counters)
{
    struct sys_link link;
    struct sys_wg_device device;
    CHECK(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), 0);
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), 0);
    CHECK(sys_link_get(sys, "a/b", &link, &error), -EINVAL);
    const struct sys_counters *counters = sys_counters(sys);
    cr_expect_eq(counters->calls[SYS_LINK_GET], 2U);
    cr_expect_eq(counters->calls[SYS_WG_CREATE], 1U);
    cr_expect_eq(counters->calls[SYS_WG_GET], 2U);
    cr_expect_eq(counters->reads, 4U);
    cr_expect_eq(counters->writes, 1U);
    cr_expect_eq(counters->failures, 1U, "absence is no failure");
}

/* ---- faults ---------------------------------------------------------------------------------- */

static struct sys_wg_peer_change peer(unsigned key)
{
    return (struct sys_wg_peer_change){.public_key = key_of(key), .create = true};
}

/* A set of four peers fails: how many are there afterwards? */
static const struct {
    enum sys_fault_kind kind;
    size_t carried_out;
} fault_rows[] = {
    {SYS_FAULT_BEFORE, 0},
    {SYS_FAULT_AFTER, 4},
    {SYS_FAULT_SHORT, 2},
};

ON_BOTH_SIDES(gate, failing_writes)
{
    SEEN_AUTO seen = {0};
    struct sys_wg_peer_change peers[] = {peer(1), peer(2), peer(3), peer(4)};
    struct sys_wg_peer_change removal[ARRAY_SIZE(peers)];
    for (size_t i = 0; i < ARRAY_SIZE(peers); i++)
        removal[i] = (struct sys_wg_peer_change){.public_key = peers[i].public_key, .remove = true};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(fault_rows); i++) {
        sys_fault(sys, 1, ENOBUFS, fault_rows[i].kind);
        CHECK(sys_wg_set(sys, "pic0", NULL, peers, ARRAY_SIZE(peers), &error), -ENOBUFS);
        seen_read(&seen, sys, "pic0");
        cr_expect_eq(seen.count, fault_rows[i].carried_out, "kind %zu", i);
        for (unsigned key = 1; key <= seen.count; key++)
            cr_expect(seen_find(&seen, key), "the first ones");
        CHECK(sys_wg_set(sys, "pic0", NULL, removal, ARRAY_SIZE(removal), &error), 0);
    }
    cr_expect_eq(sys_counters(sys)->failures, ARRAY_SIZE(fault_rows));
}

ON_BOTH_SIDES(gate, failing_reads)
{
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    struct sys_link link = {.index = -1};
    struct sys_addrs addrs = {0};
    struct prefix prefix = prefix_of("10.0.0.1/24");
    int index = link_of(sys, "pic0").index;
    CHECK(sys_addr_add(sys, index, &prefix, false, &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(fault_rows); i++) {
        sys_fault(sys, 1, EIO, fault_rows[i].kind);
        CHECK(sys_link_get(sys, "pic0", &link, &error), -EIO);
        cr_expect_eq(link.index, -1, "untouched");
        sys_fault(sys, 1, EINTR, fault_rows[i].kind);
        CHECK(sys_addr_list(sys, index, &addrs, &error), -EINTR);
        cr_expect_eq(addrs.count, 0U);
    }
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    cr_expect_eq(addrs.count, 1U);
    sys_addrs_clear(&addrs);
}

ON_BOTH_SIDES(gate, the_nth_call)
{
    struct sys_link link;
    sys_fault(sys, 3, EBUSY, SYS_FAULT_BEFORE);
    CHECK(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
    CHECK(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
    CHECK(sys_wg_create(sys, "pic0", &error), -EBUSY);
    CHECK(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);

    sys_fault(sys, 2, EBUSY, SYS_FAULT_BEFORE);
    sys_fault(sys, 0, 0, SYS_FAULT_BEFORE);
    for (int i = 0; i < 4; i++)
        CHECK(sys_link_get(sys, "pic0", &link, &error), 0);
}

/* ---- the hook -------------------------------------------------------------------------------- */

struct witness {
    struct sys *sys;
    unsigned calls;
    enum sys_call last;
    bool was_there; /* the interface, when the hook was called */
};

static void witness(enum sys_call call, void *context)
{
    struct witness *w = context;
    ERROR_AUTO error = NULL;
    struct sys_link link;
    w->calls++;
    w->last = call;
    w->was_there = sys_link_get(w->sys, "pic0", &link, &error) == 0;
}

ON_BOTH_SIDES(gate, hook_before_writes)
{
    struct witness w = {.sys = sys};
    sys_set_hook(sys, witness, &w);
    struct sys_link link;
    CHECK(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
    cr_expect_eq(w.calls, 0U, "reads have no hook");
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    cr_expect_eq(w.calls, 1U);
    cr_expect_eq(w.last, SYS_WG_CREATE);
    cr_expect(!w.was_there);
    CHECK(sys_link_delete(sys, link_of(sys, "pic0").index, &error), 0);
    cr_expect_eq(w.last, SYS_LINK_DELETE);
    cr_expect(w.was_there);
    sys_set_hook(sys, NULL, NULL);
}
