#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "tests/sys/side.h"

/* ---- lists that change while they are read --------------------------------------------------- */

enum { STABLE = 600, MOVING = 200, LOOKS = 300 };

static struct prefix numbered(uint8_t net, unsigned number)
{
    return (struct prefix){
        .ip = {.family = AF_INET, .bytes = {10, net, (uint8_t)(number >> 8), (uint8_t)number}},
        .len = 32};
}

/* Takes addresses from the head of the list and puts them at its end: whoever counts positions
 * while he reads skips some. */
static _Noreturn void churn(int index)
{
    struct sys *sys;
    ERROR_AUTO error = NULL;
    if (sys_open(&sys, &error) < 0)
        _exit(1);
    for (unsigned i = 0;; i = (i + 1) % MOVING) {
        struct prefix prefix = numbered(1, i);
        if (sys_addr_delete(sys, index, &prefix, &error) < 0 ||
            sys_addr_add(sys, index, &prefix, false, &error) < 0)
            _exit(1);
    }
}

static unsigned count_stable(const struct sys_addrs *addrs)
{
    unsigned count = 0;
    for (size_t i = 0; i < addrs->count; i++)
        count += addrs->list[i].prefix.ip.bytes[1] == 2;
    return count;
}

ON_REAL_SIDE(addr, list_is_whole_or_an_error)
{
    struct sys_addrs addrs = {0};
    unsigned whole = 0;
    side->link_add(sys, "other0");
    int index = link_of(sys, "other0").index;
    for (unsigned i = 0; i < MOVING + STABLE; i++) {
        struct prefix prefix = i < MOVING ? numbered(1, i) : numbered(2, i);
        CHECK(sys_addr_add(sys, index, &prefix, false, &error), 0);
    }
    pid_t pid = fork();
    if (pid == 0)
        churn(index);
    for (unsigned i = 0; i < LOOKS; i++) {
        ERROR_AUTO error = NULL;
        int r = sys_addr_list(sys, index, &addrs, &error);
        cr_expect(r == 0 || r == -EAGAIN);
        cr_expect(r < 0 || count_stable(&addrs) == STABLE, "look %u: %u", i, count_stable(&addrs));
        whole += r == 0;
    }
    cr_expect_eq(waitpid(pid, NULL, WNOHANG), 0, "the list changed all the time");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    cr_expect_eq(count_stable(&addrs), (unsigned)STABLE);
    cr_log_info("%u of %u looks were undisturbed", whole, (unsigned)LOOKS);
    sys_addrs_clear(&addrs);
}
