/*
 * The model: the resources in force, resolved for this host. Addresses, keys, who is on the device
 * and why not. Pure data made by pure functions; it is updated by key, so that the cost follows
 * what changed.
 *
 * Gets changes from controller/store, hands itself (const) to every reconciler's desired().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "schema/base/addr.h"
#include "schema/base/map.h"
#include "schema/base/wgkey.h"
#include "schema/changes.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"

/* Why a peer is not on the device; the order is the order of the checks. */
enum model_off {
    PEER_ON,
    PEER_DISABLED,   /* enabled: false */
    PEER_EXPIRED,    /* expires has passed */
    PEER_UNCONFINED, /* a restriction that nobody enforces yet: see not_enforced */
    PEER_NO_SECRET,  /* its preshared key cannot be read */
    PEER_NO_ADDRESS, /* network.vpn is full */
    PEER_OFF_COUNT
};

struct model_peer {
    struct resource *resource;
    struct wgkey public_key;
    struct ip address, address6; /* family 0: none */
    bool address_given;          /* not written in the manifest */
    enum model_off off;
    struct error *off_error;     /* PEER_NO_SECRET: what was wrong */
    struct wgkey *preshared_key; /* NULL: none; wiped when freed */
    bool applied;                /* was carried out as it stands: what differs now is drift */
    struct prefix *allowed;      /* its allowed IPs: addresses, then subnets */
    size_t allowed_count;
};

/* A peer that is no longer wanted, until it has been taken off the device. */
struct model_departed {
    struct wgkey public_key;
    char id[RESOURCE_ID_MAX + 1]; /* of the resource that it was */
};

struct model_cell {
    struct resource *resource; /* NULL: there is no Cell, nothing may be touched */
    const struct cell_spec *spec;
    char id[33]; /* of the installation: 32 hex digits; marks carry it */
    struct wgkey private_key, public_key;
    struct ip address, address6;
    uint32_t mtu;
    bool applied;
    char *former_interface; /* wireguard.interface before a change, until it has been taken away */
};

struct model {
    struct model_cell cell;
    bool teardown;        /* nothing is desired any more */
    char *hold;           /* why nothing may be changed at all (KeyLost…); NULL: go ahead */
    struct map peers;     /* by resource name → struct model_peer */
    struct map by_key;    /* by public key → struct model_peer, on the device or not */
    struct map by_prefix; /* struct prefix → struct model_peer that has it on the device */
    struct map departed;  /* by public key → struct model_departed */
    struct map used;      /* struct ip: addresses taken, both families → struct model_peer */
    int64_t next_expiry;  /* realtime seconds; 0: nobody expires */
    uint64_t enforcers;   /* bit = enum enforcer: who is there to carry fields out */
};

/* What is not in the manifests; all of it is read only here. */
struct model_inputs {
    int64_t now;         /* realtime, seconds */
    bool clock_trusted;  /* false: nobody expires */
    uint32_t uplink_mtu; /* 0: not known */
    const char *cell_id;
    struct wgkey private_key;
    /* The address remembered for a peer, by name or by key; false: none. */
    bool (*remembered)(void *context, const char *name, const struct wgkey *key, struct ip *ret);
    /* A secret key; see io_read_secret(). */
    int (*secret_key)(void *context, const char *file, struct wgkey *ret, struct error **reterr);
    void *context;
};

/* Model keys: what has to be looked at. "cell", or "peer/<public key>". */
enum { MODEL_KEY_MAX = 64 };
#define MODEL_KEY_CELL "cell"
#define MODEL_KEY_PEER "peer/"

struct model *model_new(uint64_t enforcers);
void model_free(struct model *model);

/* Carries out changes; dirty() is called for each key whose desired state may have become another.
 */
void model_update(struct model *model, const struct changes *changes,
                  const struct model_inputs *inputs, void (*dirty)(void *context, const char *key),
                  void *context);

/* Resolves everything again: other secrets, another uplink, a clock that was set. */
void model_refresh(struct model *model, const struct model_inputs *inputs,
                   void (*dirty)(void *context, const char *key), void *context);

/* Reads again the secrets that peers miss. */
void model_seek_secrets(struct model *model, const struct model_inputs *inputs,
                        void (*dirty)(void *context, const char *key), void *context);

/* Peers whose time has come leave the device; returns when the next one does (realtime seconds, 0:
 * never). */
int64_t model_expire(struct model *model, const struct model_inputs *inputs,
                     void (*dirty)(void *context, const char *key), void *context);

const struct model_peer *model_peer_by_name(const struct model *model, const char *name);
const struct model_peer *model_peer_by_key(const struct model *model, const struct wgkey *key);
/* Which peer owns a prefix on the device; NULL: none. */
const struct model_peer *model_owner(const struct model *model, const struct prefix *prefix);
const struct model_departed *model_departed(const struct model *model, const struct wgkey *key);

/* What the key names has been carried out: later differences are drift. */
void model_applied(struct model *model, const char *key);

/* Rows of the resource that are written, differ from the default, and that nobody carries out yet.
 */
uint64_t model_not_enforced(const struct model *model, const struct resource *resource);

char *model_peer_key(const struct wgkey *key, char buf[static MODEL_KEY_MAX]);
/* Why the peer is off, in words; "" when it is on. */
void model_off_reason(const struct model *model, const struct model_peer *peer, struct strbuf *out);
