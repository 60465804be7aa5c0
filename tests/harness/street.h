/*
 * A cell with everybody around it, for tests of what a ruleset does with packets: network
 * namespaces, tied together by veth pairs. The namespace that the test is in when it is built is
 * the cell.
 *
 *     clients ── pic0 ┌──────┐ eth0 ── net    the internet, and a router on the way to it
 *     beta ── pl-beta │ cell │
 *                     └──────┘ lan0 ── lan
 *
 * pic0 and pl-beta are veth pairs without neighbour discovery, as tunnels are; the policy routing
 * of the cell is laid by hand. 198.51.100.80 and 2001:db8:ff::80 are in net and in beta: who
 * answers tells which way a packet went.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct street {
    int servers[5];
    size_t server_count;
};

/* In a namespace of one's own, with a private /run. Routes marks of exit `number` to pl-beta. */
void street_build(struct street *street, unsigned number);
void street_clear(struct street *street);

enum { STREET_ANSWER_MAX = 96 };

/*
 * Connects by TCP from a namespace ("" is the cell) and an address there. What the other end
 * answers is its namespace and the address that it sees: "net 203.0.113.2"; else "refused",
 * "timeout", or another error in words.
 */
char *street_connect(const char *from, const char *source, const char *destination, uint16_t port,
                     char buf[static STREET_ANSWER_MAX]);
/* A UDP socket there, connected; and what is answered to one packet. */
int street_open(const char *from, const char *source, const char *destination, uint16_t port);
char *street_ask(int socket, char buf[static STREET_ANSWER_MAX]);
/* One ping: "answered" or "timeout". */
const char *street_ping(const char *from, const char *source, const char *destination);
