/*
 * Whom an element is about, and because of whom it may have become another.
 */
#pragma once

#include "reconcilers/firewall/sets.h"

struct whose {
    enum fw_owner kind;
    const char *name;        /* of the resource; else of the set, interface or address */
    const char *id;          /* of the resource; NULL: nobody's */
    const char *cause;       /* of a difference: an id, or CAUSE_DRIFT */
    bool leave;              /* as it is: its secret cannot be read */
    const char *interface;   /* of a link */
    const struct wgkey *key; /* of a peer */
};

struct whose_finder {
    const struct model *model;
    const char *cell_cause;
    struct arena *arena;   /* what the answers point to lies here, in the model or in the set */
    struct map former;     /* struct ip → struct whose of the peer that had it before */
    bool looked_at_former; /* it is made when it is first needed */
};

void whose_clear(struct whose_finder *finder);
struct whose whose_element(struct whose_finder *finder, unsigned instance,
                           const struct nft_set *set, const uint8_t *element);
