/*
 * The rules, in the order in which a packet meets them: a base chain, then what it calls. What this
 * order guarantees:
 *
 * A packet in the original direction is always checked, whether its connection is established or
 * not; "established" is accepted in the direction of replies only; and nothing out of an uplink is
 * accepted before its mark has been looked at. Otherwise every running flow of a routed peer would
 * leave by the uplink as soon as a rule or an element is lost.
 *
 * Peers and links are matched by name, other traffic by our own addresses only: what is neither
 * from nor to us passes untouched.
 */
#include "reconcilers/firewall/words.h"

#include "schema/base/mem.h"

#define CHAIN(name) static const struct word name[][ROW_WORDS]

/* ---- which way a packet leaves, before it is routed ---- */

CHAIN(premark) = {
    {IS(IN, PEERS), GO("mark_peer")},
    {IN_SET(LINKS, IN), MARK_AS(DIRECT), RETURN},
    {REPLY, IN_SET(TUNNEL, ORIGINAL_SOURCE), MARK_AS(DIRECT), RETURN},
    {IN_SET(TUNNEL, DESTINATION), MARK_AS(DIRECT), RETURN},
};

CHAIN(mark_peer) = {
    {IN_SET(LAN, DESTINATION), MARK_AS(DIRECT), RETURN},
    {IN_SET(EXIT, SOURCE), MARK_AS(EXIT_OF_ROW), RETURN},
    {IN_SET(BLOCKED, SOURCE), MARK_AS(BLOCKED), RETURN},
    {MARK_AS(DIRECT)},
};

/* ---- what fits into a tunnel ---- */

CHAIN(mss) = {
    {IS(IN, PEERS), GO("clamp")},
    {IN_SET(LINKS, IN), GO("clamp")},
    {IS(OUT, PEERS), GO("clamp")},
    {IN_SET(LINKS, OUT), GO("clamp")},
};

CHAIN(clamp) = {
    {CLAMP},
};

/* ---- to the cell itself ---- */

CHAIN(input) = {
    {IS(IN, PEERS), GO("in_peer")},
    {IN_SET(LINKS, IN), GO("in_link")},
    {IS_NOT(IN, LOOPBACK), IS(DESTINATION, CELL), DROP},
};

CHAIN(in_peer) = {
    {STATE(ESTABLISHED | RELATED), ACCEPT},
    {STATE(INVALID), DROP},
    {PING, ACCEPT},
    {IS(DESTINATION, CELL), IS(PROTOCOL, UDP), IS(PORT, DNS), ACCEPT},
    {IS(DESTINATION, CELL), IS(PROTOCOL, TCP), IS(PORT, DNS), ACCEPT},
    {IN_SET(PEER_HOST, SOURCE), IN_SET(HOST_PORTS, PROTOCOL, PORT), ACCEPT},
    {GO("refuse")},
};

CHAIN(in_link) = {
    {STATE(ESTABLISHED | RELATED), ACCEPT},
    {STATE(INVALID), DROP},
    {NOT_IN_SET(LINK_NET, IN, SOURCE), DROP},
    {PING, ACCEPT},
    {IN_SET(LINK_HOST, IN, SOURCE), IS(DESTINATION, CELL), GO("in_cell")},
    {GO("refuse")},
};

/* From another cell, not from its peers. */
CHAIN(in_cell) = {
    {IS(PROTOCOL, TCP), IS(PORT, PEER_SYNC), ACCEPT},
    {IS(PROTOCOL, UDP), IS(PORT, DNS), ACCEPT},
    {IS(PROTOCOL, TCP), IS(PORT, DNS), ACCEPT},
    {GO("refuse")},
};

/* ---- through the cell ---- */

CHAIN(forward) = {
    {IS(IN, PEERS), GO("from_peer")},
    {IN_SET(LINKS, IN), GO("from_link")},
    {IS(OUT, PEERS), GO("to_ours")},
    {IN_SET(LINKS, OUT), GO("to_ours")},
};

CHAIN(from_peer) = {
    {STATE(INVALID), DROP},
    {IN_SET(LINKS, OUT), GO("peer_to_link")},
    {IN_SET(OUTS, OUT), GO("peer_to_net")},
    {STATE(RELATED), GO("pass")},
    {STATE(ESTABLISHED), REPLY, GO("pass")},
    {IS(OUT, PEERS), GO("peer_to_peer")},
    {GO("refuse")},
};

CHAIN(peer_to_net) = {
    {IS_NOT(MARK, DIRECT), GO("refuse")},
    {IN_SET(LAN, DESTINATION), GO("peer_to_lan")},
    {IN_SET(UPLINKS, OUT), IN_SET(PEER_INTERNET, SOURCE), GO("pass")},
    {GO("refuse")},
};

CHAIN(peer_to_lan) = {
    {IN_SET(PEER_ALL, SOURCE), GO("pass")},
    {IN_SET(PEER_LAN, SOURCE), GO("pass")},
    {IN_SET(PEER_LAN_IF, SOURCE, OUT), GO("pass")},
    {GO("refuse")},
};

/* To the other cell, or through it as an exit: only what can be on the internet, and only with the
 * mark of that very link. */
CHAIN(peer_to_link) = {
    {IN_SET(LINK_NET, OUT, DESTINATION), GO("peer_to_cell")},
    {IN_SET(NEVER, DESTINATION), GO("refuse")},
    {IN_SET(EXIT_OUT, MARK, OUT), GO("pass")},
    {GO("refuse")},
};

CHAIN(peer_to_cell) = {
    {STATE(RELATED), GO("pass")},
    {STATE(ESTABLISHED), REPLY, GO("pass")},
    {IN_SET(PEER_ALL, SOURCE), GO("pass")},
    {IN_SET(PEER_LINKS, SOURCE), GO("pass")},
    {IN_SET(PEER_LINK, SOURCE, OUT), GO("pass")},
    {GO("refuse")},
};

CHAIN(peer_to_peer) = {
    {IN_SET(PEER_ALL, SOURCE), IN_SET(VPN, DESTINATION), GO("pass")},
    {IN_SET(PEER_PEERS, SOURCE), IN_SET(VPN, DESTINATION), GO("pass")},
    {IN_SET(PEER_PAIR, SOURCE, DESTINATION), GO("pass")},
    {GO("refuse")},
};

CHAIN(from_link) = {
    {STATE(INVALID), DROP},
    {STATE(RELATED), GO("pass")},
    {STATE(ESTABLISHED), REPLY, GO("pass")},
    {NOT_IN_SET(LINK_NET, IN, SOURCE), DROP},
    {IS(OUT, PEERS), IN_SET(LINK_SHARE, IN, DESTINATION), GO("pass")},
    {IN_SET(OUTS, OUT), IN_SET(LINK_SHARE, IN, DESTINATION), GO("pass")},
    {IN_SET(UPLINKS, OUT), IN_SET(EXIT_USERS, IN), GO("relay")},
    {GO("refuse")},
};

/* For another cell's peers we are the way to the internet, not to what is near us. */
CHAIN(relay) = {
    {IN_SET(NEVER, DESTINATION), GO("refuse")},
    {IN_SET(NEAR, DESTINATION), GO("refuse")},
    {GO("pass")},
};

/* Nobody outside opens anything inwards. */
CHAIN(to_ours) = {
    {STATE(RELATED), GO("pass")},
    {STATE(ESTABLISHED), REPLY, GO("pass")},
    {DROP},
};

/* The mark tells the rule in DOCKER-USER that we have accepted the packet. */
CHAIN(pass) = {
    {ACCEPTED, ACCEPT},
};

/* A reset ends every attempt to connect at once; ICMP alone would be rate limited by the kernel. */
CHAIN(refuse) = {
    {IS(PROTOCOL, TCP), RESET},
    {PROHIBIT},
};

/* ---- out of the cell ---- */

/* Two peers that talk through us must not be told to do without. */
CHAIN(quiet) = {
    {IS(OUT, PEERS), REDIRECT, DROP},
};

/* Towards a link only the subnets behind peers are translated, since the other cell knows nothing
 * of them, and not even those where we share them with it. */
CHAIN(srcnat) = {
    {IN_SET(LINK_SHARE, OUT, SOURCE), RETURN},
    {IN_SET(LINKS, OUT), TRANSLATE(SUBNET_NAT)},
    {IN_SET(OUTS, OUT), IN_SET(TUNNEL, SOURCE), MASQUERADE},
};

/* What should have been translated and was not (a connection that began elsewhere) stays here, and
 * so does what belongs into a tunnel whose route is gone: the replies to a relayed peer, too. */
CHAIN(guard) = {
    {IN_SET(OUTS, OUT), IN_SET(TUNNEL, SOURCE), DROP},
    {IN_SET(OUTS, OUT), IN_SET(TUNNEL, DESTINATION), DROP},
};

#define ROWS(name) name, ARRAY_SIZE(name)
#define BASE(name_, hook_, type_, priority_)                                                       \
    {                                                                                              \
#name_, NFT_HOOK_##hook_, NFT_CHAIN_##type_, priority_, ROWS(name_)                        \
    }
#define CALLED(name_)                                                                              \
    {                                                                                              \
#name_, NFT_HOOK_NONE, NFT_CHAIN_FILTER, 0, ROWS(name_)                                    \
    }

/* One before those of others at the same hook, so that what we refuse is told so. */
enum { MANGLE = -150, FILTER = 0, SRCNAT = 100 };

const struct chain_row fw_chain_rows[] = {
    BASE(premark, PREROUTING, FILTER, MANGLE),
    CALLED(mark_peer),
    BASE(mss, FORWARD, FILTER, MANGLE),
    CALLED(clamp),
    BASE(input, INPUT, FILTER, FILTER - 1),
    CALLED(in_peer),
    CALLED(in_link),
    CALLED(in_cell),
    BASE(forward, FORWARD, FILTER, FILTER - 1),
    CALLED(from_peer),
    CALLED(peer_to_net),
    CALLED(peer_to_lan),
    CALLED(peer_to_link),
    CALLED(peer_to_cell),
    CALLED(peer_to_peer),
    CALLED(from_link),
    CALLED(relay),
    CALLED(to_ours),
    CALLED(pass),
    CALLED(refuse),
    BASE(quiet, OUTPUT, FILTER, FILTER - 1),
    BASE(srcnat, POSTROUTING, NAT, SRCNAT),
    BASE(guard, POSTROUTING, FILTER, SRCNAT + 10),
};
const size_t fw_chain_row_count = ARRAY_SIZE(fw_chain_rows);
