#include <poll.h>
#include <string.h>

#include "tests/sys/real_hands.h"

/* What one reading told. */
struct told {
    unsigned pic0, other0, everything;
};

static void tell(const char *interface, void *context)
{
    struct told *told = context;
    if (!interface)
        told->everything++;
    else if (strcmp(interface, "pic0") == 0)
        told->pic0++;
    else if (strcmp(interface, "other0") == 0)
        told->other0++;
}

static struct told read_events(struct sys *sys)
{
    struct told told = {0};
    sys_events_read(sys, tell, &told);
    return told;
}

static bool readable(struct sys *sys)
{
    struct pollfd wait = {.fd = sys_events_fd(sys), .events = POLLIN};
    return poll(&wait, 1, 0) == 1;
}

/* Lets the others finish what they do by themselves after an interface was made or changed. */
static void settle(struct sys *sys)
{
    for (int quiet = 0; quiet < 20; quiet++) {
        if (readable(sys))
            quiet = 0;
        read_events(sys);
        usleep(5000);
    }
}

ON_BOTH_SIDES(events, what_others_do)
{
    struct prefix prefix = prefix_of("10.7.0.1/24"), prefix6 = prefix_of("fd07::1/64");
    cr_assert(sys_events_fd(sys) >= 0);
    cr_expect_eq(sys_events_fd(sys), sys_events_fd(sys));
    cr_expect(!readable(sys));

    side->link_add(sys, "other0");
    cr_expect(readable(sys));
    struct told told = read_events(sys);
    cr_expect(told.other0 > 0 && told.pic0 == 0 && told.everything == 0);

    settle(sys);
    side->addr_add(sys, "other0", &prefix);
    cr_expect(read_events(sys).other0 > 0);
    side->addr_add(sys, "other0", &prefix6);
    cr_expect(read_events(sys).other0 > 0);
    settle(sys);
    side->addr_remove(sys, "other0", &prefix);
    cr_expect(read_events(sys).other0 > 0);
    settle(sys);
    side->link_remove(sys, "other0");
    cr_expect(read_events(sys).other0 > 0);
    settle(sys);
    told = read_events(sys);
    cr_expect(told.other0 == 0 && told.everything == 0, "read once, it is gone");
}

ON_BOTH_SIDES(events, our_own_addresses_are_no_news)
{
    struct prefix prefix = prefix_of("10.7.0.1/24");
    cr_assert(sys_events_fd(sys) >= 0);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    int index = link_of(sys, "pic0").index;
    settle(sys);
    CHECK(sys_addr_add(sys, index, &prefix, false, &error), 0);
    CHECK(sys_addr_delete(sys, index, &prefix, &error), 0);
    struct told told = read_events(sys);
    cr_expect(told.pic0 == 0 && told.everything == 0);
    side->addr_add(sys, "pic0", &prefix);
    cr_expect(read_events(sys).pic0 > 0, "the same by others is");
}

ON_REAL_SIDE(events, too_many_mean_look_at_everything)
{
    struct prefix prefix = prefix_of("10.7.0.1/24");
    side->link_add(sys, "other0");
    int index = link_of(sys, "other0").index;
    struct sys *other = side->reopen(sys);
    cr_assert(sys_events_fd(sys) >= 0);
    for (int i = 0; i < 5000; i++) {
        CHECK(sys_addr_add(other, index, &prefix, false, &error), 0);
        CHECK(sys_addr_delete(other, index, &prefix, &error), 0);
    }
    side->reclose(other);
    struct told told = read_events(sys);
    cr_expect(told.everything > 0);
    settle(sys);
    side->link_remove(sys, "other0");
    cr_expect(read_events(sys).other0 > 0, "and then it goes on as before");
}
