/*
 * What the files of the model share. model.c keeps entries and indexes and takes changes; resolve.c
 * decides what a peer and the cell are; look.c answers.
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

/* ---- resolve.c ---- */

/* Address, whether it is on the device, allowed IPs; enters the indexes of addresses and prefixes.
 */
void resolve_peer(const struct update *u, struct model_peer *peer);
/* Reads again the secret that the peer misses. */
void resolve_secret(const struct update *u, struct model_peer *peer);
/* Leaves the index of prefixes; that of addresses. */
void resolve_drop_prefixes(struct model *model, struct model_peer *peer);
void resolve_drop_address(struct model *model, struct model_peer *peer);
/* Has its time come? Notes when the next one's does. */
bool resolve_has_expired(const struct update *u, const struct resource *resource);
/* Does its manifest leave the address to us? 1 or 0: written ones are resolved first. */
int resolve_wants_address(const struct resource *resource);
void resolve_cell(const struct update *u);
void resolve_all(const struct update *u);
