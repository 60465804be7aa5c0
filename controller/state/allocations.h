/*
 * STATE/allocations.json: what was given to resources that pin nothing, and the cell's public key,
 * so that a lost private key is noticed. Missing or corrupt: rebuilt from the live device and from
 * names.
 */
#pragma once

#include "reconcilers/model/model.h"
#include "schema/base/error.h"

struct allocations {
    struct map by_name; /* → struct allocation */
    struct map by_key;  /* public key → the same */
    bool has_public_key;
    struct wgkey public_key; /* of the cell, as last used */
    bool dirty;              /* differs from the file */
};

void allocations_init(struct allocations *allocations);
void allocations_clear(struct allocations *allocations);

/* A missing file is no error; a corrupt one is set aside as allocations.json.corrupt and told in
 * *retproblem (the caller frees), else NULL. */
void allocations_load(struct allocations *allocations, const char *state, char **retproblem);
int allocations_save(struct allocations *allocations, const char *state, struct error **reterr);

bool allocations_find(const struct allocations *allocations, const char *name,
                      const struct wgkey *key, struct ip *ret);
void allocations_remember(struct allocations *allocations, const char *name,
                          const struct wgkey *key, const struct ip *address);
/* An address seen on the live device under a key that nothing is remembered for. */
void allocations_hint(struct allocations *allocations, const struct wgkey *key,
                      const struct ip *address);
void allocations_set_public_key(struct allocations *allocations, const struct wgkey *key);
/* Takes over what the model gave, drops who is gone. */
void allocations_follow(struct allocations *allocations, const struct model *model);
