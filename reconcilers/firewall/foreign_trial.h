/*
 * A rule tried on a packet of which not everything is known: the kernel's little machine with three
 * truths, where each bit of a register is known or not. Used by foreign.c only.
 */
#pragma once

#include "reconcilers/firewall/foreign.h"

enum truth { TRUTH_NO, TRUTH_MAYBE, TRUTH_YES };

enum { FOREIGN_BYTES = 64 }; /* all registers of the machine */

struct foreign_bytes {
    uint8_t value[FOREIGN_BYTES];
    uint8_t known[FOREIGN_BYTES]; /* bits that are */
};

struct foreign_trial {
    const struct foreign_packet *packet;
    struct foreign_bytes network, transport; /* the packet's headers */
    struct foreign_bytes mark;               /* its first four bytes */
    struct foreign_bytes registers;
    enum truth truth; /* of the conditions of the rule so far */
    bool doubtful;    /* set by the caller: the packet may never come to the rule */
};

void foreign_trial_init(struct foreign_trial *trial, const struct foreign_packet *packet);
/* The bits of `mask` are from now on those of `mark`; and nothing is known of the mark any more. */
void foreign_trial_mark(struct foreign_trial *trial, uint32_t mark, uint32_t mask);
void foreign_trial_forget_mark(struct foreign_trial *trial);

/* Does the packet come to the end of the rule? *retend is the instruction that decides there, or
 * NULL: the next rule is next anyway. */
enum truth foreign_try(struct foreign_trial *trial, const struct nft_rule *rule,
                       const struct nft_instr **retend);
