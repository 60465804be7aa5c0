/*
 * WireGuard interfaces: one for all peers, and one for each link to another cell, which has exactly
 * one peer. The link with its marks, its addresses, the device's key and port, and its peers by
 * difference only.
 *
 * What carries our mark is ours as a whole: what is on it and not wanted goes, and so does an
 * interface that no resource wants. An interface without our mark is foreign and is never touched,
 * not even when we need its name: that is a conflict of this interface alone, and the others go on.
 */
#pragma once

#include "reconcilers/reconciler.h"

extern const struct reconciler reconciler_wireguard;

/* What the names of links' interfaces begin with. */
#define WG_LINK_PREFIX "pl-"

/* ---- desired (desired.c) ---- */

enum wg_wish {
    WG_WANTED,
    WG_LEFT, /* as it is, there or not: its secret cannot be read */
    WG_GONE,
};

struct wg_desired_peer {
    struct wgkey key;
    bool wanted;   /* false: must not be on the device */
    bool leave;    /* as it is, on the device or not: its secret cannot be read */
    bool applied;  /* was carried out as it stands: what differs is drift */
    bool confined; /* must not come before everybody enforces its restrictions */
    uint16_t keepalive;
    const char *id; /* of its resource; NULL: nobody's */
    const struct prefix *allowed;
    size_t allowed_count;
    const struct wgkey *preshared_key; /* NULL: none */
};

/* An interface as it should be. */
struct wg_desired_device {
    const char *interface;
    const char *key; /* its model key */
    const char *id;  /* of its resource; NULL: nobody's */
    bool applied;
    enum wg_wish wish;
    bool due; /* the link, its addresses, key and port are to be looked at */
    uint16_t listen_port;
    uint32_t mtu;
    struct prefix addresses[2];
    size_t address_count;
    bool prefix_route; /* the kernel routes the addresses' prefixes: no reconciler of ours does */
    const struct model_link *link; /* whose it is; NULL: the peers' */

    bool every_peer;               /* what is observed and not in `peers` has to go */
    struct wg_desired_peer *peers; /* in no order */
    size_t peer_count;
};

struct wg_desired {
    const struct model *model;
    bool nothing_due;                  /* no Cell, or on hold: leave everything as it is */
    const char *alias;                 /* of our interfaces */
    bool every_device;                 /* an interface of ours that is not in `devices` has to go */
    struct wg_desired_device *devices; /* the peers' first, then by name */
    size_t device_count;
};

const void *wg_desired(const struct model *model, const struct keys *keys, struct arena *arena);

/* ---- observed (observe.c; its peers: seen.c) ---- */

/* An endpoint as it is handed to a device. Family 0: none, or not known. */
struct wg_endpoint {
    struct ip ip;
    uint16_t port;
};

struct wg_seen_peer {
    struct wgkey key;
    uint64_t preshared_hash; /* 0: none. The key itself is not kept */
    struct wg_endpoint endpoint;
    uint16_t keepalive;
    unsigned round; /* of the look that saw it last */
    unsigned moves; /* of the device's source, when its endpoint was last heard of or sent */
    int64_t last_handshake;
    uint64_t rx_bytes, tx_bytes;
    struct prefix *allowed; /* sorted */
    size_t allowed_count;
};

/* Our own address towards peers. */
struct wg_source {
    struct ip ip;
    unsigned moves; /* how often it became another */
};

/* An interface as it was last seen: one of ours, or a foreign one whose name we need. */
struct wg_seen_device {
    struct sys_link link;
    bool foreign;          /* then nothing else of it is known */
    bool answers;          /* the device is there, not only the link */
    struct error *silence; /* why it could not be read this time; NULL: it could */
    struct sys_addrs addrs;
    struct sys_wg_device device;
    unsigned round;              /* of the look that saw it last */
    struct map peers;            /* by key → struct wg_seen_peer */
    struct map owners;           /* by allowed prefix → struct wg_seen_peer that has it */
    struct wg_source sources[2]; /* IPv4, IPv6 */
    struct wg_endpoint told;     /* of a link's: what its peer was told last, before it roamed */
};

struct wg_observed {
    bool looked; /* at least once: before that nothing is known */
    int64_t now; /* of the last look, realtime seconds: handshakes are dated so */
    unsigned round;
    struct ip sources[2]; /* towards the internet: IPv4, IPv6 */
    struct map devices;   /* by interface → struct wg_seen_device */
};

void *wg_observed_new(void);
void wg_observed_free(void *observed);
int wg_observe(struct sys *sys, const struct model *model, void *observed, struct error **reterr);
void wg_learn(void *observed, const struct plan *plan, size_t from, size_t to);
/* NULL: there is none of ours. */
const struct wg_seen_device *wg_seen_device(const struct wg_observed *observed,
                                            const char *interface);

/* The text of our ifalias: "pic:<cell id>". */
char *wg_alias(const struct model *model, char buf[static 64]);
uint64_t wg_preshared_hash(const struct wgkey *key);

/* What happens to the peers of a device; seen.c. */
void wg_see_peer(struct wg_seen_device *device, const struct sys_wg_peer *reported);
void wg_forget_unseen(struct wg_seen_device *device);
void wg_forget_peers(struct wg_seen_device *device);
void wg_learn_peer(struct wg_seen_device *device, const struct sys_wg_peer_change *change);

/* ---- endpoint.c ---- */

bool wg_endpoint_equal(const struct wg_endpoint *a, const struct wg_endpoint *b);

/*
 * Is the endpoint to be sent? A peer that roams keeps its own: what we know is a seed, sent when
 * the device has none, when it is another than we told before, and when the peer has been silent
 * for longer than a session of WireGuard lives.
 */
bool wg_endpoint_due(const struct wg_endpoint *wanted, const struct wg_endpoint *told,
                     const struct wg_seen_peer *seen, int64_t now);

/* ---- source.c ---- */

/* Reads our address towards the internet; notes that towards a device's peers (`link` NULL: they
 * are anywhere), if it is a device that has to be told. */
void wg_look_at_sources(struct sys *sys, struct wg_observed *observed);
void wg_note_sources(struct sys *sys, const struct wg_observed *observed,
                     struct wg_seen_device *device, const struct model_link *link);
void wg_source_is_fresh(const struct wg_seen_device *device, struct wg_seen_peer *peer);
/* The address that the device does not know of for this peer; NULL: it knows. */
const struct ip *wg_new_source(const struct wg_seen_device *device,
                               const struct wg_seen_peer *peer);

/* ---- plan (plan.c; peers: plan_peers.c) and apply ---- */

enum wg_action_type {
    WG_ACTION_CREATE, /* the interface with what serves it, and all of it but the peers */
    WG_ACTION_DELETE, /* the interface `index` */
    WG_ACTION_DEVICE, /* key, port, fwmark */
    WG_ACTION_LINK,   /* mtu, up, marks */
    WG_ACTION_ADDRESS_ADD,
    WG_ACTION_ADDRESS_DELETE,
    WG_ACTION_PEER,
    WG_ACTION_REFUSE, /* says why nothing can be done, and does nothing */
};

struct wg_setup {
    struct sys_wg_device_change device;
    struct sys_link_change link;
    struct prefix addresses[2];
    size_t address_count;
    bool prefix_route; /* the kernel routes the addresses' prefixes: no reconciler of ours does */
};

/* All that apply() and learn() need of a step; what it points to lies in the plan. */
struct wg_action {
    enum wg_action_type type;
    char interface[IFNAMSIZ];
    int index; /* of the link; 0: CREATE makes it */
    union {
        struct wg_setup setup; /* CREATE: all of it; DEVICE, LINK, ADDRESS_…: their part */
        struct sys_wg_peer_change peer;
        struct error refusal;
    };
};

void wg_plan(const void *desired, const void *observed, struct plan *plan);
int wg_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
             struct error **reterr);
void wg_status(const struct model *model, const void *observed, const struct resource *resource,
               json_t *status);
