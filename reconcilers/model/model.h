/*
 * The model: the resources in force, resolved for this host. Addresses, keys, who is on the device
 * and why not. Pure data made by pure functions; it is updated by key, so that the cost follows
 * what changed.
 *
 * Gets changes from controller/store, hands itself (const) to every reconciler's desired().
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "reconcilers/model/document.h"
#include "reconcilers/model/host.h"
#include "schema/base/addr.h"
#include "schema/base/map.h"
#include "schema/base/wgkey.h"
#include "schema/changes.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/link.h"
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

/* How a peer's internet traffic leaves. */
enum model_way {
    WAY_NONE,   /* not at all: internet: false */
    WAY_DIRECT, /* by this cell's uplink */
    WAY_EXIT,   /* through the link `via` */
    WAY_BLOCKED /* it should leave through a link, and that cannot be: refused, never let out */
};

/* Why an exit cannot be used; the order is the order of the checks. */
enum model_block {
    BLOCK_NONE,
    BLOCK_NO_LINK,     /* no Link of that name */
    BLOCK_LINK_OFF,    /* the link is off: see its own `off` */
    BLOCK_NO_DOCUMENT, /* the other cell has not said anything yet */
    BLOCK_NOT_OFFERED, /* it does not offer an exit */
    BLOCK_EXPIRED,     /* its offer is older than its validFor */
    BLOCK_NOT_READY,   /* it offers, and reports that it cannot; its reason is in the document */
    BLOCK_NO_IPV6,     /* of `block6` only: the relay has no IPv6 */
    BLOCK_COUNT
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
    /* What it was allowed since it was last carried out and is not any more: traces of it may be
     * live. Emptied by model_applied(). */
    struct prefix *former;
    size_t former_count;
    enum model_way way, way6; /* for either family */
    enum model_block block, block6;
    const struct model_link *via; /* routeVia, if there is a link of that name */
    /* Restricted in any way: it must not come on the device before everybody enforces that. */
    bool confined;
    struct model_link *counted; /* the model's own: the link that has it among its `users` */
};

/* Why a link has no tunnel; the order is the order of the checks. */
enum model_link_off {
    LINK_ON,
    LINK_DISABLED,
    LINK_NO_SECRET, /* left as it is */
    LINK_NO_PORT,   /* wireguard.linkPorts is used up */
    LINK_NO_NUMBER, /* more than LINKS_MAX links */
    LINK_COLLIDES,  /* one of its prefixes is, or lies in, a network of this machine */
    LINK_OFF_COUNT
};

enum {
    /* The mark of what we decided about a packet: 6 bits, and one for "accepted by us". The lower
     * bits are other people's (wg-quick, Docker, Podman, mwan3, Tailscale, Kubernetes). */
    MARK_SHIFT = 24,
    MARK_MASK = 0x3f << MARK_SHIFT,
    MARK_ACCEPTED = 0x40000000,
    MARK_DIRECT = 62 << MARK_SHIFT,
    MARK_BLOCKED = 63 << MARK_SHIFT,
    LINK_NUMBER_MAX = 61, /* without the one below */
    LINK_NUMBER_LEFT_OUT = 45,
    LINKS_MAX = LINK_NUMBER_MAX - 1,
    TABLE_BLOCKED = 870000, /* + a link's number: the table of its exit */
    TABLE_OURS = 870100,
};

struct model_link {
    struct resource *resource;
    const struct link_spec *spec;
    char interface[IFNAMSIZ]; /* "pl-<name>", shortened with a hash when that is too long */
    unsigned number;          /* of its mark and its exit table: 1–61 without 45 */
    uint16_t listen_port;
    bool port_given; /* not written in the manifest */
    enum model_link_off off;
    struct error *off_error;     /* LINK_NO_SECRET: what was wrong */
    struct prefix collision;     /* LINK_COLLIDES: with this network of the machine */
    struct wgkey *preshared_key; /* NULL: none; wiped when freed */
    uint32_t mtu;
    struct ip endpoint; /* as written or resolved; family 0: none, or not known yet */
    uint16_t endpoint_port;
    bool endpoint_unresolved; /* it is a name that has no address (yet) */
    bool applied;
    struct prefix *prefixes; /* of the other cell: vpn, vpn6, networks, normalised, sorted */
    size_t prefix_count;
    struct prefix *allowed; /* the same, and the default routes while the link is an exit in use */
    size_t allowed_count;
    struct sync_document *document; /* the last that we got; NULL: none */
    char *document_problem; /* what is wrong with the one that we got, in words; NULL: nothing */
    enum model_block block; /* can it be used as an exit? BLOCK_NONE: yes */
    bool exit6;             /* and for IPv6 too */
    size_t users;           /* peers on the device that are routed via it, blocked ones too */
    bool relays;            /* the other cell uses us as its exit: we offer, it asks, in time */
    /* The model's own: it is to be resolved; it had users when its key was last marked. */
    bool due, in_use;
};

/* A link that is no longer wanted, until its interface has been taken away. */
struct model_departed_link {
    char interface[IFNAMSIZ];
    char id[RESOURCE_ID_MAX + 1];
    struct resource *resource; /* that it was */
    unsigned number;           /* stays taken meanwhile; 0: not known */
};

/* A peer that is no longer wanted, until it has been taken off the device. */
struct model_departed {
    struct wgkey public_key;
    char id[RESOURCE_ID_MAX + 1]; /* of the resource that it was */
    struct resource *resource;    /* that one */
    struct prefix *former;        /* as in struct model_peer; empty when it was never resolved */
    size_t former_count;
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
    bool teardown; /* nothing is desired any more */
    char *hold;    /* why nothing may be changed at all (KeyLost…); NULL: go ahead */
    struct host host;
    bool provisional;          /* addresses were given while we were not to change anything */
    struct map peers;          /* by resource name → struct model_peer */
    struct map links;          /* by resource name → struct model_link */
    struct map by_key;         /* by public key → struct model_peer, on the device or not */
    struct map by_interface;   /* of links → struct model_link */
    struct map routed;         /* by routeVia → the peers that have it: see exits.c */
    struct map by_prefix;      /* struct prefix → struct model_peer that has it on the device */
    struct map departed;       /* by public key → struct model_departed */
    struct map departed_links; /* by interface → struct model_departed_link */
    struct map used;           /* struct ip: addresses taken, both families → struct model_peer */
    int64_t next_expiry; /* realtime seconds: of a peer or of a linked cell's word; 0: never */
    uint64_t enforcers;  /* bit = enum enforcer: who is there to carry fields out */
};

/* What is not in the manifests; all of it is read only here. */
struct model_inputs {
    int64_t now;        /* realtime, seconds */
    bool clock_trusted; /* false: nobody expires */
    const struct host *host;
    const char *cell_id;
    struct wgkey private_key;
    /* The address remembered for a peer, by name or by key; false: none. */
    bool (*remembered)(void *context, const char *name, const struct wgkey *key, struct ip *ret);
    /* A secret key; see io_read_secret(). */
    int (*secret_key)(void *context, const char *file, struct wgkey *ret, struct error **reterr);
    /* The address that a link's endpoint name stands for; false: not known yet. */
    bool (*resolved)(void *context, const char *host, struct ip *ret);
    /* The last document of the linked cell: 0, 1 there is none, < 0 it cannot be used. */
    int (*document)(void *context, const char *link, struct sync_document *ret,
                    struct error **reterr);
    /* The MTU of the path to an address; 0: not known. */
    uint32_t (*path_mtu)(void *context, const struct ip *destination);
    void *context;
};

/* Model keys: what has to be looked at. "cell", "peer/<public key>" or "link/<interface>". */
enum { MODEL_KEY_MAX = 64 };
#define MODEL_KEY_CELL "cell"
#define MODEL_KEY_PEER "peer/"
#define MODEL_KEY_LINK "link/"

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

/*
 * The same for one link and the peers routed via it: its document, its endpoint's address or its
 * path changed, or a time came (an offer expires).
 */
void model_refresh_link(struct model *model, const char *name, const struct model_inputs *inputs,
                        void (*dirty)(void *context, const char *key), void *context);

const struct model_link *model_link_by_name(const struct model *model, const char *name);
const struct model_link *model_link_by_interface(const struct model *model, const char *interface);
/* All links by name; the caller frees the array. */
const struct model_link **model_links(const struct model *model, size_t *retcount);
const struct model_departed_link *model_departed_link(const struct model *model,
                                                      const char *interface);
/* The resource that a key is about, departed ones too; NULL: none. For status and for `suspend`. */
const struct resource *model_key_resource(const struct model *model, const char *key);

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
char *model_link_key(const char *interface, char buf[static MODEL_KEY_MAX]);
/* The name of a link's interface: at most 15 bytes, different for different names. */
char *model_link_interface(const char *name, char buf[static IFNAMSIZ]);
/* How the peer's internet traffic leaves: "direct", "via beta", "blocked: beta does not offer…". */
void model_way_text(const struct model *model, const struct model_peer *peer, struct strbuf *out);
/* Why the link has no tunnel, in words; "" when it has. */
void model_link_off_text(const struct model *model, const struct model_link *link,
                         struct strbuf *out);
/* Why the link is no exit for us, in words; "" when it is one. */
void model_block_text(const struct model *model, const struct model_link *link, const char *name,
                      enum model_block block, struct strbuf *out);
/* Are we a relay that works, for IPv4? *retipv6: for IPv6 too. Else why not, appended to `reason`.
 */
bool model_relay_ready(const struct model *model, bool *retipv6, struct strbuf *reason);
/* Why the peer is off, in words; "" when it is on. */
void model_off_reason(const struct model *model, const struct model_peer *peer, struct strbuf *out);
