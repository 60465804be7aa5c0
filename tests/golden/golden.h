/*
 * Whole behaviours: manifests before, somebody's hands, manifests after → the plan, word for word.
 * The expected plans lie in tests/golden/plans; PIC_REGENERATE=1 writes them anew.
 */
#pragma once

#include "tests/harness/world.h"

struct golden {
    const char *name;
    const char *before, *after; /* besides the Cell; NULL: nothing; after NULL: as before */
    void (*hands)(struct world *world);
};

#define PEER(name, key, extra)                                                                     \
    "---\napiVersion: pic/v1\nkind: Peer\nmetadata: {name: " name "}\nspec:\n  publicKey: " key    \
    "\n" extra
#define KEY_1 "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_2 "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define KEY_3 "AwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define LAPTOP PEER("laptop", KEY_1, "  address: 10.10.0.34\n")
#define PHONE PEER("phone", KEY_2, "  address: 10.10.0.35\n")

/* Both begin with a new world, and take it over. */
void golden_plan(struct world *world, const struct golden *golden);
/* Carrying out the plan leaves nothing to do, and a second pass writes nothing. */
void golden_converges(struct world *world, const struct golden *golden);
/* Up to what somebody did and changed, and what would be done about it, as text. */
void golden_begin(struct world *world, const struct golden *golden);

struct prefix golden_prefix(const char *text);
