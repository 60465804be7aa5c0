/*
 * The config of a device, from the manifests, the secrets and picd to paper.
 */
#pragma once

#include "controller/state/config.h"
#include "controller/store/store.h"

/* Where it goes: to stdout unless `file` is given. */
struct device_output {
    const char *file; /* made with mode 0600; must not exist */
    bool qr;          /* a QR code on stdout besides */
};

/*
 * Appends the config of the peer, which is in force in the store with these addresses, to `out`: it
 * holds a secret, wipe it. `private_key` NULL: with a line to fill in. An error says what is
 * missing: an endpoint, the cell's key, a preshared key.
 */
int device_config(const struct config *config, const struct store *store,
                  const struct resource *peer, const struct ip *address, const struct ip *address6,
                  const struct wgkey *private_key, struct strbuf *out, struct error **reterr);

/* Writes the file, if one is wanted, before anything else is done. */
int device_save(const struct strbuf *conf, const struct device_output *output,
                struct error **reterr);
/* Takes that file back. */
void device_unsave(const struct device_output *output);
/* Prints what goes to stdout. */
int device_print(const struct strbuf *conf, const struct device_output *output,
                 struct error **reterr);

/* A buffer for a config: wiped when it goes out of scope, and large enough not to be moved about.
 */
struct strbuf device_buffer(void);
void device_buffer_clear(struct strbuf *conf);
#define DEVICE_BUFFER __attribute__((cleanup(device_buffer_clear))) struct strbuf
