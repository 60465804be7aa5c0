/*
 * The peers' WireGuard interface: the link with its marks, its addresses, the device's key and
 * port, and its peers by difference only.
 *
 * The interface is ours as a whole: what is on it and not wanted goes. A link of that name without
 * our mark is foreign and is never touched.
 */
#pragma once

#include "reconcilers/reconciler.h"

extern const struct reconciler reconciler_wireguard;

/* ---- desired (desired.c) ---- */

struct wg_desired_peer {
    struct wgkey key;
    const struct model_peer *peer; /* NULL: must not be on the device */
    bool leave;                    /* as it is, on the device or not: its secret cannot be read */
    const char *id;                /* of its resource; NULL: nobody's */
};

struct wg_desired {
    const struct model *model;
    bool nothing_due;              /* no Cell, or on hold: leave everything as it is */
    bool device_due;               /* the link, its addresses, key and port are to be looked at */
    bool device_wanted;            /* false: it has to go, with all that is on it */
    bool every_peer;               /* what is observed and not in `peers` has to go */
    struct wg_desired_peer *peers; /* in no order */
    size_t peer_count;
};

const void *wg_desired(const struct model *model, const struct keys *keys, struct arena *arena);
/* The text of our ifalias: "pic:<cell id>". */
void wg_alias(const struct model *model, char buf[static 64]);

/* ---- observed (observe.c) ---- */

struct wg_seen_peer {
    struct wgkey key;
    uint64_t preshared_hash; /* 0: none. The key itself is not kept */
    struct ip endpoint;
    uint16_t endpoint_port;
    uint16_t keepalive;
    unsigned round; /* of the look that saw it last */
    int64_t last_handshake;
    uint64_t rx_bytes, tx_bytes;
    struct prefix *allowed; /* sorted */
    size_t allowed_count;
};

struct wg_observed {
    bool looked;  /* at least once: before that nothing is known */
    bool present; /* the link is there and is ours */
    bool answers; /* and its device too */
    struct sys_link link;
    struct sys_addrs addrs;
    struct sys_wg_device device;
    int former_index; /* of the former interface that still exists, 0: none */
    unsigned round;
    struct map peers;  /* by key → struct wg_seen_peer */
    struct map owners; /* by allowed prefix → struct wg_seen_peer that has it */
};

void *wg_observed_new(void);
void wg_observed_free(void *observed);
int wg_observe(struct sys *sys, const struct model *model, void *observed, struct error **reterr);
void wg_learn(void *observed, const struct plan *plan, size_t from, size_t to);
uint64_t wg_preshared_hash(const struct wgkey *key);

/* ---- plan and apply ---- */

enum wg_action_type {
    WG_ACTION_CREATE, /* the interface with what serves it */
    WG_ACTION_DELETE, /* the interface `index` */
    WG_ACTION_DEVICE, /* key, port, fwmark */
    WG_ACTION_LINK,   /* mtu, up, marks */
    WG_ACTION_ADDRESS_ADD,
    WG_ACTION_ADDRESS_DELETE,
    WG_ACTION_PEER,
};

/* All that apply() and learn() need of a step; what it points to lies in the plan. */
struct wg_action {
    enum wg_action_type type;
    char interface[IFNAMSIZ];
    int index; /* of the link; 0: made by an earlier step, look it up by name */
    union {
        struct sys_wg_device_change device;
        struct sys_link_change link;
        struct {
            struct prefix prefix;
            bool prefix_route; /* the kernel routes the prefix: while no reconciler of ours does */
        } address;
        struct sys_wg_peer_change peer;
    };
};

void wg_plan(const void *desired, const void *observed, struct plan *plan);
int wg_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
             struct error **reterr);
void wg_status(const struct model *model, const void *observed, const struct resource *resource,
               json_t *status);
