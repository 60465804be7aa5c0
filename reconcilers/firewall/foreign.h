/*
 * What other people's chains drop of what our table lets through. An accept of ours does not
 * override a drop in another base chain of the same hook, so a packet that we need is tried on all
 * of them, without sending it.
 *
 * A finding is certain: whatever the packet has that is not known, and whatever a condition means
 * that these words cannot say (sets, limits, matches of iptables), it is dropped. A chain in which
 * such a condition may lead to an accept gives none.
 *
 * Of other tables only base chains of type filter are looked at, with the chains that they call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "reconcilers/sys/nft.h"
#include "schema/base/addr.h"

struct strbuf;

/* Our own chains at `forward` and `input`: filter - 1. What comes later sees the mark they set. */
enum { FOREIGN_OUR_PRIORITY = -1 };

/* The first packet of a flow. What is not said may be anything, also lo: a condition on it may then
 * be what accepts. The more is said, the more is found. */
struct foreign_packet {
    enum nft_hook hook;    /* NFT_HOOK_FORWARD or NFT_HOOK_INPUT */
    const char *in, *out;  /* interfaces; NULL: any. At input there is no other */
    struct ip source;      /* family 0: any */
    struct ip destination; /* says the family, too; all zeros: any of it */
    uint8_t protocol;      /* IPPROTO_UDP…; 0: any */
    uint16_t port;         /* of the destination; 0: any */
    uint32_t mark;         /* behind our table: MARK_ACCEPTED, and of the rest what we set */
    bool translated;       /* its destination was another one */
    const char *harm;      /* what does not work without it, for people; may be NULL */
};

struct foreign_finding {
    const struct foreign_packet *packet;
    const struct nft_chain *chain; /* with the rule, or with the policy */
    size_t number;                 /* of the rule, from 1; 0: it is the policy */
    uint64_t handle;               /* of the rule */
    bool marked;                   /* the packet carries our accepted bit there */
};

/*
 * Tries each packet on `all` (sys_nft_read() of all tables). Findings come by packet, then in the
 * order in which the kernel runs the chains; one that foreign_say() would put in the same words as
 * an earlier one is left out. What a finding points to is the caller's.
 */
void foreign_find(const struct nft_ruleset *all, const struct foreign_packet *packets, size_t count,
                  void (*found)(const struct foreign_finding *finding, void *context),
                  void *context);

/*
 *     chain forward of table ip filter drops what is forwarded from pic0 (policy drop): add an
 *     accept rule for it, or for mark 0x40000000/0x40000000
 *     chain input of table inet filter drops udp port 51820 (rule 7): WireGuard cannot be reached;
 *     add "udp dport 51820 accept" before it
 */
void foreign_say(const struct foreign_finding *finding, struct strbuf *ret);
