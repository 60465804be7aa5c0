/*
 * What the files of the model share. model.c keeps entries and indexes of peers and takes changes;
 * links.c does the same for links. resolve.c decides what a peer and the cell are, link_resolve.c
 * what a link is, exits.c which way a peer's internet traffic leaves. look.c answers, words.c says
 * why.
 */
#pragma once

#include "reconcilers/model/model.h"

struct update {
    struct model *model;
    const struct model_inputs *inputs;
    void (*dirty)(void *context, const char *key);
    void *context;
};

void model_mark_peer(const struct update *u, const struct wgkey *key);
/* It has become another by something else than its manifest: that is no drift. */
void model_peer_changed(const struct update *u, struct model_peer *peer);
void model_mark_link(const struct update *u, const char *interface);
void model_departed_free(struct model_departed *departed); /* takes NULL */

/* ---- resolve.c ---- */

/* Address, whether it is on the device, allowed IPs, its way; enters the indexes of addresses and
 * prefixes. */
void resolve_peer(const struct update *u, struct model_peer *peer);
/* Decides again all but its addresses; marks it if something became another. */
void resolve_again(const struct update *u, struct model_peer *peer);
/* Leaves the index of prefixes, which become former ones; that of addresses. */
void resolve_drop_prefixes(struct model *model, struct model_peer *peer);
void resolve_drop_address(struct model *model, struct model_peer *peer);
/* What a peer that only the record of an earlier run knows was allowed, as far as that can be told:
 * its former prefixes. */
void resolve_recorded(const struct update *u, const struct resource *resource,
                      struct model_departed *departed);
/* Has its time come? Notes when the next one's does. */
bool resolve_has_expired(const struct update *u, const struct resource *resource);
/* Something is to be decided again at this time (realtime seconds). */
void resolve_note_time(const struct update *u, int64_t when);
/* Does its manifest leave the address to us? 1 or 0: written ones are resolved first. */
int resolve_wants_address(const struct resource *resource);
/* Of a tunnel: as written, else so that it fits into the path. 0: not written, not known. */
uint32_t resolve_mtu(uint32_t written, uint32_t path);
void resolve_cell(const struct update *u);
void resolve_all(const struct update *u);

/* ---- links.c ---- */

/* Out of the entries and indexes; `before` may be known from the record of an earlier run only. */
void links_remove(const struct update *u, const struct resource *before);
/* A new one, or another manifest of the same: it is due. */
void links_put(const struct update *u, const struct resource *resource, bool applied);
/* The cell is another: every link is due. */
void links_all_due(struct model *model);
/* Numbers, ports, then all that follows, for the links that are due, or for all; marks those that
 * were due or became another, and their peers. */
void links_resolve(const struct update *u, bool all);
void links_free(struct model *model);
void link_departed_free(struct model_departed_link *departed); /* takes NULL */

/* ---- link_resolve.c ---- */

void link_resolve(const struct update *u, struct model_link *link);
/* Looks at the time again: offers and requests run out. */
void link_look_at_time(const struct update *u, struct model_link *link);
/* Brings the allowed IPs of all links into line with their users; comes last in every update:
 * nothing is due after it. */
void links_settle(const struct update *u);
/* What was resolved goes; the entry stays. */
void link_clear(struct model_link *link);

/* ---- exits.c ---- */

/* The index of resolved peers by routeVia. */
void exits_enter(struct model *model, struct model_peer *peer);
void exits_leave(struct model *model, struct model_peer *peer);
/* Its way and for whom it counts as a user, from `off` and the links as they are; true: another
 * than before. */
bool exits_decide(struct model *model, struct model_peer *peer);
/* The same for all peers routed via a link of this name; marks those that have another way. */
void exits_decide_all(const struct update *u, const char *link);
/* Can the link be used as an exit, and is it used as one by the other cell? */
void exits_judge(const struct update *u, struct model_link *link);
void exits_free(struct model *model);
