/*
 * nftables on the real kernel: sizes, races, packets, and what a refusal says.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "schema/base/mem.h"
#include "tests/sys/nft_hands.h"
#include "tests/sys/real_hands.h"

static void add_set(struct sys *sys, const struct nft_set *set)
{
    struct nft_change changes[] = {of_table(NFT_TABLE_ADD), of_set(NFT_SET_ADD, set),
                                   of_set(NFT_ELEMENTS_ADD, set)};
    CHECK(sys_nft_commit(sys, changes, ARRAY_SIZE(changes), &error), 0);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void assert_refused(struct sys *sys, const struct nft_change *changes, size_t count,
                           int expected, const char *words)
{
    ERROR_AUTO error = NULL;
    cr_assert_eq(sys_nft_commit(sys, changes, count, &error), expected);
    cr_assert(strstr(error->message, words), "\"%s\" is not in \"%s\"", words, error->message);
}

ON_REAL_SIDE(nft_kernel, refusal_names_the_change)
{
    NFT_SET_AUTO set = set_of("exit_1", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO missing = set_of("exit_2", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    struct nft_chain chain = chain_of("forward");
    struct nft_instr other = in_op(NFT_OP_OTHER);
    struct nft_rule rule = {.instrs = &other, .count = 1};
    set_add(&set, "10.10.0.34");
    set_add(&missing, "10.10.0.34");
    add_set(sys, &set);
    assert_refused(sys,
                   (struct nft_change[]){of_set(NFT_ELEMENTS_DELETE, &set),
                                         of_set(NFT_ELEMENTS_ADD, &missing),
                                         of_set(NFT_ELEMENTS_DELETE, &set)},
                   3, -ENOENT,
                   "cannot add elements to set \"exit_2\" of table inet pic: "
                   "No such file or directory");
    assert_refused(sys, (struct nft_change[]){of_chain(NFT_CHAIN_DELETE, &chain)}, 1, -ENOENT,
                   "cannot delete chain \"forward\" of table inet pic: No such file or directory");
    assert_refused(sys,
                   (struct nft_change[]){of_chain(NFT_CHAIN_ADD, &chain),
                                         of_rule(NFT_RULE_APPEND, &chain, &rule)},
                   2, -EINVAL,
                   "cannot append a rule to chain \"forward\" of table inet pic: "
                   "instruction 1 cannot be written");
}

/* The same key with other data is no addition. */
ON_REAL_SIDE(nft_kernel, data_are_not_overwritten)
{
    NFT_SET_AUTO set = set_of("source4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set.data[0] = NFT_TYPE_IPV4;
    set_add(&set, "10.10.0.34 10.10.0.1");
    add_set(sys, &set);
    set_add(&set, "10.10.0.34 10.10.0.2");
    ERROR_AUTO error = NULL;
    struct nft_change change = of_set(NFT_ELEMENTS_ADD, &set);
    cr_assert_eq(sys_nft_commit(sys, &change, 1, &error), -EEXIST);
    cr_assert_eq(error->class, ERROR_TRANSIENT, "reading again is the answer");
}

ON_REAL_SIDE(nft_kernel, many_refusals_are_one)
{
    enum { COUNT = 20000 };
    NFT_RULESET_AUTO ruleset = {0};
    struct nft_chain chain = chain_of("missing");
    struct nft_change *changes = mem_alloc((COUNT + 1) * sizeof(*changes));
    changes[0] = of_table(NFT_TABLE_ADD);
    for (size_t i = 1; i <= COUNT; i++)
        changes[i] = of_chain(NFT_CHAIN_DELETE, &chain);
    CHECK(sys_nft_commit(sys, changes, COUNT + 1, &error), -ENOENT);
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_assert(!ruleset.present);
    CHECK(sys_nft_commit(sys, changes, 1, &error), 0);
    table_read(sys, &ruleset);
    free(changes);
}

ON_REAL_SIDE(nft_kernel, nothing_to_do_is_no_commit)
{
    struct nft_set none = set_of("exit_1", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    struct nft_change change = of_set(NFT_ELEMENTS_ADD, &none);
    uint32_t before = 0, after = 0;
    CHECK(sys_nft_generation(sys, &before, &error), 0);
    CHECK(sys_nft_commit(sys, NULL, 0, &error), 0);
    CHECK(sys_nft_commit(sys, &change, 1, &error), 0);
    CHECK(sys_nft_generation(sys, &after, &error), 0);
    cr_assert_eq(before, after);
}

ON_REAL_SIDE(nft_kernel, without_privilege)
{
    struct nft_change change = of_table(NFT_TABLE_ADD);
    cr_assert_eq(seteuid(65534), 0);
    assert_refused(sys, &change, 1, -EPERM, "cannot change nftables: not permitted; run as root");
    cr_assert_eq(seteuid(0), 0);
    CHECK(sys_nft_commit(sys, &change, 1, &error), 0);
}

/* ---- sizes ----------------------------------------------------------------------------------- */

static void fill(struct nft_set *set, size_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t element[4 * NFT_KEY_MAX] = {0};
        uint32_t address = htonl(0x0a000000 + 2 * i);
        size_t key = nft_set_key_size(set);
        memcpy(element + key - 4, &address, 4);
        if (set->interval)
            memcpy(element + 2 * key - 4, &address, 4);
        nft_set_append(set, element);
    }
    nft_set_sort(set);
}

/* Adds, reads and deletes in one commit each; how long, in milliseconds. */
static void try_size(struct sys *sys, struct nft_set *set, size_t count)
{
    NFT_RULESET_AUTO ruleset = {0};
    fill(set, count);
    double start = now();
    add_set(sys, set);
    double added = now();
    table_read(sys, &ruleset);
    double read = now();
    assert_same_set(&ruleset, set);
    struct nft_change change = of_set(NFT_ELEMENTS_DELETE, set);
    double before = now();
    CHECK(sys_nft_commit(sys, &change, 1, &error), 0);
    double deleted = now();
    cr_log_info("%s, %zu elements: added %.1f ms, read %.1f ms, deleted %.1f ms", set->name, count,
                1e3 * (added - start), 1e3 * (read - added), 1e3 * (deleted - before));
    table_read(sys, &ruleset);
    cr_assert_eq(nft_find_set(&ruleset, set->name)->count, 0);
}

ON_REAL_SIDE(nft_kernel, ten_thousand_elements)
{
    NFT_SET_AUTO peers4 = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO subnets4 = set_of("subnets4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO peer_link4 = set_of("peer_link4", NFT_TYPE_IFNAME, NFT_TYPE_IPV4);
    NFT_SET_AUTO link_net4 = set_of("link_net4", NFT_TYPE_IFNAME, NFT_TYPE_IPV4);
    subnets4.interval = link_net4.interval = true;
    try_size(sys, &peers4, 10000);
    try_size(sys, &subnets4, 10000);
    try_size(sys, &peer_link4, 10000);
    try_size(sys, &link_net4, 1000); /* the kernel deletes these in quadratic time */
}

ON_REAL_SIDE(nft_kernel, hundred_thousand_elements)
{
    NFT_SET_AUTO peers4 = set_of("peers4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO subnets4 = set_of("subnets4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    subnets4.interval = true;
    try_size(sys, &peers4, 100000);
    try_size(sys, &subnets4, 100000);
}

ON_REAL_SIDE(nft_kernel, more_than_one_transaction_can_carry)
{
    NFT_RULESET_AUTO ruleset = {0};
    NFT_SET_AUTO set = set_of("peer_link4", NFT_TYPE_IFNAME, NFT_TYPE_IPV4);
    fill(&set, 600 * 1000);
    struct nft_change changes[] = {of_table(NFT_TABLE_ADD), of_set(NFT_SET_ADD, &set),
                                   of_set(NFT_ELEMENTS_ADD, &set)};
    assert_refused(sys, changes, ARRAY_SIZE(changes), -EMSGSIZE,
                   "are too many for one transaction");
    CHECK(sys_nft_read(sys, "pic", &ruleset, &error), 0);
    cr_assert(!ruleset.present);
}

/* ---- races ----------------------------------------------------------------------------------- */

/* Moves one element to and fro between two sets, a commit each time, until it is killed. */
static _Noreturn void move_for_ever(const struct side *side, struct sys *sys,
                                    const struct nft_set *a, const struct nft_set *b)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct sys *mine = side->reopen(sys);
    for (;;) {
        ERROR_AUTO error = NULL;
        struct nft_change changes[] = {of_set(NFT_ELEMENTS_DELETE, a), of_set(NFT_ELEMENTS_ADD, b)};
        if (sys_nft_commit(mine, changes, 2, &error) < 0)
            _exit(1);
        const struct nft_set *swap = a;
        a = b;
        b = swap;
        usleep(300);
    }
}

ON_REAL_SIDE(nft_kernel, reads_are_of_one_generation)
{
    NFT_SET_AUTO a = set_of("a", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    NFT_SET_AUTO b = set_of("b", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    struct nft_set empty = set_of("b", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    set_add(&a, "10.0.0.1");
    set_add(&b, "10.0.0.1");
    add_set(sys, &a);
    add_set(sys, &empty);
    unsigned reads = 0, torn = 0;
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0)
        move_for_ever(side, sys, &a, &b);
    for (double end = now() + 1; now() < end;) {
        NFT_RULESET_AUTO ruleset = {0};
        ERROR_AUTO error = NULL;
        if (sys_nft_read(sys, "pic", &ruleset, &error) < 0)
            continue;
        reads++;
        torn += nft_find_set(&ruleset, "a")->count + nft_find_set(&ruleset, "b")->count != 1;
    }
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    cr_assert(reads > 0 && torn == 0, "%u of %u reads saw no element or two", torn, reads);
}

/* ---- packets --------------------------------------------------------------------------------- */

/* Whether a datagram from this address to itself arrives. */
static bool arrives(const char *text)
{
    char byte = 0;
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof(address);
    memcpy(&address.sin_addr, ip_of(text).bytes, 4);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0, "%s", text);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(sendto(fd, &byte, 1, 0, (struct sockaddr *)&address, len), 1);
    bool came = recv(fd, &byte, 1, MSG_DONTWAIT) == 1;
    close(fd);
    return came;
}

/* How the kernel looks up touching intervals, which it has as separate bounds. */
ON_REAL_SIDE(nft_kernel, packets_meet_touching_intervals)
{
    static const struct {
        const char *address;
        bool inside;
    } samples[] = {{"127.0.0.255", false}, {"127.0.1.0", true},   {"127.0.1.255", true},
                   {"127.0.2.0", true},    {"127.0.2.255", true}, {"127.0.3.0", false},
                   {"127.0.4.0", true},    {"127.0.4.1", false}};
    NFT_SET_AUTO set = set_of("lan4", NFT_TYPE_IPV4, NFT_TYPE_NONE);
    struct nft_chain input = chain_of("input");
    input.hook = NFT_HOOK_INPUT;
    set.interval = true;
    set_add(&set, "127.0.2.0 127.0.2.255");
    set_add(&set, "127.0.1.0 127.0.1.255");
    set_add(&set, "127.0.4.0 127.0.4.0");
    struct nft_instr instrs[] = {in_payload(1, NFT_BASE_NETWORK, 16, 4), in_set(1, "lan4"),
                                 in_verdict(VERDICT_DROP)};
    struct nft_rule rule = {.instrs = instrs, .count = ARRAY_SIZE(instrs)};
    add_set(sys, &set);
    struct nft_change changes[] = {of_chain(NFT_CHAIN_ADD, &input),
                                   of_rule(NFT_RULE_APPEND, &input, &rule)};
    CHECK(sys_nft_commit(sys, changes, ARRAY_SIZE(changes), &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
        cr_assert_eq(arrives(samples[i].address), !samples[i].inside, "%s", samples[i].address);
}
