/*
 * What the ruleset does with packets, on the real kernel: each chain with what it lets pass and
 * what it stops.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reconcilers/firewall/firewall.h"
#include "schema/base/mem.h"
#include "tests/harness/firewall_cases.h"
#include "tests/harness/street.h"
#include "tests/sys/real_hands.h"

#define LAPTOP "10.10.0.34" /* leaves by beta */
#define PHONE "10.10.0.35"
#define GUEST "10.10.0.36" /* to the phone and to lan0, nowhere else */
#define LAPTOP6 "fd10:a1fa:ce11::22"
#define PHONE6 "fd10:a1fa:ce11::23"
#define GUEST6 "fd10:a1fa:ce11::24"
#define CELL "10.10.0.1"
#define CELL6 "fd10:a1fa:ce11::1"

struct attempt {
    const char *from, *source, *destination;
    uint16_t port;
    const char *answer;
};

static const struct attempt attempts[] = {
    /* the internet, directly and by an exit */
    {"clients", PHONE, "198.51.100.80", 80, "net 203.0.113.2"},
    {"clients", PHONE6, "2001:db8:ff::80", 80, "net 2001:db8:aa::2"},
    {"clients", LAPTOP, "198.51.100.80", 80, "beta " LAPTOP},
    {"clients", LAPTOP6, "2001:db8:ff::80", 80, "beta " LAPTOP6},
    {"clients", LAPTOP, "172.16.0.1", 80, "refused"},
    {"clients", LAPTOP6, "fd55::1", 80, "refused"},
    {"clients", GUEST, "198.51.100.80", 80, "refused"},
    {"clients", GUEST6, "2001:db8:ff::80", 80, "refused"},
    /* the local network */
    {"clients", PHONE, "192.168.1.7", 80, "lan 192.168.1.1"},
    {"clients", PHONE6, "fd77::7", 80, "lan fd77::1"},
    {"clients", LAPTOP, "192.168.1.7", 80, "lan 192.168.1.1"},
    {"clients", GUEST, "192.168.1.7", 80, "lan 192.168.1.1"},
    {"clients", GUEST6, "fd77::7", 80, "lan fd77::1"},
    /* the other cell */
    {"clients", PHONE, "10.20.0.5", 80, "beta " PHONE},
    {"clients", PHONE6, "fd20::5", 80, "beta " PHONE6},
    {"clients", PHONE, "192.168.40.7", 80, "beta " PHONE},
    {"clients", GUEST, "10.20.0.5", 80, "refused"},
    {"clients", GUEST6, "fd20::5", 80, "refused"},
    /* the cell itself */
    {"clients", PHONE, CELL, 53, "cell " PHONE},
    {"clients", GUEST6, CELL6, 53, "cell " GUEST6},
    {"clients", PHONE, CELL, 22, "cell " PHONE},
    {"clients", PHONE6, CELL6, 22, "cell " PHONE6},
    {"clients", GUEST, CELL, 22, "refused"},
    {"clients", PHONE, CELL, 80, "refused"},
    {"clients", PHONE, CELL, 3443, "refused"},
    {"clients", PHONE6, CELL6, 80, "refused"},
    /* from the other cell */
    {"beta", "10.20.0.1", CELL, 3443, "cell 10.20.0.1"},
    {"beta", "fd20::1", CELL6, 3443, "cell fd20::1"},
    {"beta", "10.20.0.1", CELL, 53, "cell 10.20.0.1"},
    {"beta", "10.20.0.1", CELL, 22, "refused"},
    {"beta", "10.20.0.5", CELL, 3443, "refused"},
    {"beta", "fd20::5", CELL6, 53, "refused"},
    {"beta", "10.66.0.5", CELL, 53, "timeout"},
    {"beta", "10.66.0.5", "192.168.1.7", 80, "timeout"},
    {"beta", "10.20.0.5", "192.168.1.7", 80, "lan 192.168.1.1"},
    {"beta", "fd20::5", "fd77::7", 80, "refused"},
    {"beta", "10.20.0.5", PHONE, 80, "refused"},
    {"beta", "fd20::5", PHONE6, 80, "refused"},
    /* relayed for it */
    {"beta", "10.20.0.5", "198.51.100.81", 80, "net 203.0.113.2"},
    {"beta", "fd20::5", "2001:db8:ff::81", 80, "net 2001:db8:aa::2"},
    {"beta", "10.20.0.5", "203.0.113.1", 80, "refused"},
    {"beta", "fd20::5", "2001:db8:aa::1", 80, "refused"},
    {"beta", "10.20.0.5", "10.9.9.9", 80, "refused"},
    /* from outside: inwards nothing, and what is not ours is left alone */
    {"lan", "192.168.1.7", PHONE, 80, "timeout"},
    {"lan", "fd77::7", PHONE6, 80, "timeout"},
    {"lan", "192.168.1.7", CELL, 53, "timeout"},
    {"lan", "fd77::7", CELL6, 53, "timeout"},
    {"lan", "192.168.1.7", "192.168.1.1", 80, "cell 192.168.1.7"},
    {"lan", "fd77::7", "fd77::1", 80, "cell fd77::7"},
    {"net", "203.0.113.1", PHONE, 80, "timeout"},
};

static void try_all(const struct attempt *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct attempt *a = &list[i];
        char answer[STREET_ANSWER_MAX];
        street_connect(a->from, a->source, a->destination, a->port, answer);
        cr_expect_str_eq(answer, a->answer, "%s %s to %s:%u: %s, not %s", a->from, a->source,
                         a->destination, a->port, answer, a->answer);
    }
}

static struct house *move_in(struct sys *sys, struct street *street)
{
    struct house *h = firewall_house(sys);
    house_hears(h, "beta", true, true, true);
    free(house_run(h, true));
    street_build(street, model_link_by_name(h->model, "beta")->number);
    return h;
}

ON_REAL_SIDE(firewall, packets_go_where_they_may)
{
    struct street street;
    struct house *h = move_in(sys, &street);
    try_all(attempts, ARRAY_SIZE(attempts));
    cr_expect_str_eq(street_ping("clients", PHONE, CELL), "answered");
    cr_expect_str_eq(street_ping("clients", GUEST6, CELL6), "answered");
    cr_expect_str_eq(street_ping("beta", "10.20.0.1", CELL), "answered");
    cr_expect_str_eq(street_ping("lan", "fd77::7", "fd77::1"), "answered");
    street_clear(&street);
    house_free(h);
}

static const struct attempt by_exit[] = {
    {"clients", LAPTOP, "198.51.100.80", 80, "beta " LAPTOP},
    {"clients", LAPTOP6, "2001:db8:ff::80", 80, "beta " LAPTOP6},
};

/* By nft(8), as somebody who does not know better. */
static const char *const locks[][8] = {
    {"nft", "flush", "chain", "inet", FW_TABLE, "premark"},
    {"nft", "flush", "chain", "inet", FW_TABLE, "mark_peer"},
    {"nft", "flush", "chain", "inet", FW_TABLE, "forward"},
    {"nft", "flush", "chain", "inet", FW_TABLE, "peer_to_net"},
    {"nft", "flush", "set", "inet", FW_TABLE, "peer_all4"},
    {"nft", "delete", "table", "inet", FW_TABLE},
    {"nft", "flush", "ruleset"},
};

/* Whatever is taken away: new connections and one that is running stay away from the uplink, and
 * all goes on by the exit when the next look has repaired it. */
ON_REAL_SIDE(firewall, a_routed_peer_never_leaves_directly)
{
    struct street street;
    struct house *h = move_in(sys, &street);
    char answer[STREET_ANSWER_MAX];
    int running = street_open("clients", LAPTOP, "198.51.100.80", 80);
    for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
        cr_expect_str_eq(street_ask(running, answer), "beta " LAPTOP);
        run(locks[i]);
        for (size_t j = 0; j < ARRAY_SIZE(by_exit); j++) {
            const struct attempt *a = &by_exit[j];
            street_connect(a->from, a->source, a->destination, a->port, answer);
            cr_expect_neq(strncmp(answer, "net", 3), 0, "%s %s: %s", locks[i][1], locks[i][5],
                          answer);
        }
        street_ask(running, answer);
        cr_expect_neq(strncmp(answer, "net", 3), 0, "running, %s: %s", locks[i][1], answer);
        free(house_run(h, true));
        try_all(by_exit, ARRAY_SIZE(by_exit));
    }
    close(running);
    street_clear(&street);
    house_free(h);
}

/* A flow that runs when the peer's way changes: it follows at once, or is refused. */
ON_REAL_SIDE(firewall, running_flows_follow_their_peer)
{
    struct street street;
    struct house *h = move_in(sys, &street);
    char answer[STREET_ANSWER_MAX];
    int running = street_open("clients", LAPTOP, "198.51.100.80", 80);
    int running6 = street_open("clients", LAPTOP6, "2001:db8:ff::80", 80);
    cr_expect_str_eq(street_ask(running, answer), "beta " LAPTOP);
    cr_expect_str_eq(street_ask(running6, answer), "beta " LAPTOP6);

    firewall_cases_leave_exit(h);
    free(house_run(h, false));
    cr_expect_str_eq(street_ask(running, answer), "net 203.0.113.2", "%s", answer);
    cr_expect_str_eq(street_ask(running6, answer), "net 2001:db8:aa::2", "%s", answer);

    firewall_cases_return_to_exit(h);
    free(house_run(h, false));
    street_ask(running, answer); /* the translation of the former way ends with its first packet */
    cr_expect_neq(strncmp(answer, "net", 3), 0, "%s", answer);
    cr_expect_str_eq(street_ask(running, answer), "beta " LAPTOP, "%s", answer);

    house_hears(h, "beta", false, false, false);
    free(house_run(h, false));
    street_ask(running, answer); /* no answer, or an ICMP error: those are rate limited */
    cr_expect(strncmp(answer, "net", 3) != 0 && strncmp(answer, "beta", 4) != 0, "%s", answer);
    try_all((const struct attempt[]){{"clients", LAPTOP, "198.51.100.80", 80, "refused"},
                                     {"clients", LAPTOP6, "2001:db8:ff::80", 80, "refused"}},
            2);
    close(running);
    close(running6);
    street_clear(&street);
    house_free(h);
}

/* Behind the phone: what it may do, they may; the other cell takes them for it. */
static const struct attempt behind_a_peer[] = {
    {"clients", "10.9.0.7", "198.51.100.80", 80, "net 203.0.113.2"},
    {"clients", "fd99::7", "2001:db8:ff::80", 80, "net 2001:db8:aa::2"},
    {"clients", "10.9.0.7", "192.168.1.7", 80, "lan 192.168.1.1"},
    {"clients", "10.9.0.7", "10.20.0.5", 80, "beta " PHONE},
    {"clients", "fd99::7", "fd20::5", 80, "beta " PHONE6},
    {"clients", "10.9.0.7", CELL, 22, "cell 10.9.0.7"},
    {"beta", "10.20.0.5", "10.9.0.7", 80, "refused"},
    {"lan", "192.168.1.7", "10.9.0.7", 80, "timeout"},
    {"clients", LAPTOP, "198.51.100.80", 80, "beta " LAPTOP},
};

ON_REAL_SIDE(firewall, what_is_behind_a_peer)
{
    struct street street;
    struct house *h = move_in(sys, &street);
    firewall_cases_add_subnets(h);
    free(house_run(h, false));
    run((const char *[]){"ip", "-n", "clients", "addr", "add", "10.9.0.7/24", "dev", "c0", NULL});
    run((const char *[]){"ip", "-n", "clients", "addr", "add", "fd99::7/64", "dev", "c0", NULL});
    run((const char *[]){"ip", "route", "add", "10.9.0.0/24", "dev", "pic0", "table", "870100",
                         NULL});
    run((const char *[]){"ip", "route", "add", "fd99::/64", "dev", "pic0", "table", "870100",
                         NULL});
    try_all(behind_a_peer, ARRAY_SIZE(behind_a_peer));
    street_clear(&street);
    house_free(h);
}
