/*
 * What the verbs below `peer` share.
 */
#pragma once

#include <jansson.h>

#include "tools/picctl/device.h"
#include "tools/picctl/proposal.h"

/* "Peer/<name>", which the caller frees; a name that is none is -EINVAL. */
int peer_id(const char *name, char **ret, struct error **reterr);

/* The Peer as the manifests have it; one that is not there, or wrong, is an error. */
int peer_find(const struct draft *draft, const char *id, const struct resource **ret,
              struct error **reterr);

/* Sets spec.<path> ("client.tunnel") of a manifest as JSON, making the maps on the way; steals the
 * value. NULL takes the field away. */
void peer_set_field(json_t *manifest, const char *path, json_t *value);

/* The manifest as YAML; the caller frees. */
char *peer_text(const json_t *manifest);

/* A key pair made here, or the public key of one made elsewhere. */
struct peer_keys {
    struct wgkey private_key;
    struct wgkey public_key;
    bool has_private;
};
int peer_make_keys(const char *public_key, struct peer_keys *ret, struct error **reterr);

/*
 * Settles the proposal of one Peer, writes it, and prints the config of the device, in an order in
 * which nothing is lost: the config is complete and saved before the manifest is written. Returns
 * an exit status; everything has been said.
 */
int peer_carry_out(struct proposal *proposal, const struct peer_keys *keys,
                   const struct device_output *output);
