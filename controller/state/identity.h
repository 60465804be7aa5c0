/*
 * Who this cell is: its id and its private key, files in the secrets directory. They are made only
 * for a cell that never had any: a cell never takes a new identity in silence.
 */
#pragma once

#include "reconcilers/sys/sys.h"
#include "schema/resource.h"

struct identity {
    char cell_id[33];         /* 32 hex digits */
    struct wgkey private_key; /* wiped by identity_clear() */
    char *lost;               /* why there is no key (KeyLost), in words; NULL: all is well */
};

enum identity_mode {
    IDENTITY_LOOK, /* write nothing: a preview */
    IDENTITY_KEEP, /* make or write back what is missing */
};

/*
 * `recorded`: the public key that this cell is known to have had, or NULL. The order: the file;
 * else the live device's key, written back; else, if nothing recorded, written in the manifest or
 * live speaks of an earlier key, a new one. A key that contradicts wireguard.publicKey or the
 * record of a key that the manifest does not allow to change is an error for a person.
 */
int identity_load(struct sys *sys, const char *secrets, const struct resource *cell,
                  const struct wgkey *recorded, enum identity_mode mode, struct identity *ret,
                  struct error **reterr);
void identity_clear(struct identity *identity);
