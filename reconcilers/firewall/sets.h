/*
 * The sets of the table: what each means, what its elements are made of.
 */
#pragma once

#include "reconcilers/model/model.h"
#include "reconcilers/sys/nft.h"
#include "schema/base/arena.h"
#include "schema/base/interval.h"

/* ---- the sets (sets.c) ----------------------------------------------------------------------- */

/*
 * Sets by what they mean. Most exist once for each family; those of peers have a twin with
 * intervals for the subnets behind them, which exists only while somebody has any. Such an actual
 * set is an "instance", named "<name>[4|6][_net]".
 */
enum fw_set {
    FW_LINKS,      /* interfaces of links */
    FW_UPLINKS,    /* interfaces where internet traffic of the family leaves */
    FW_OUTS,       /* those, and where the local network is */
    FW_EXIT_OUT,   /* mark . interface: an exit's mark, and the link that it is for */
    FW_EXIT_USERS, /* links whose other cell uses us as its exit */
    FW_LINK_NET,   /* interface . prefixes of the other cell */
    FW_LINK_HOST,  /* interface . the other cell's own address */
    FW_LINK_SHARE, /* interface . networks of ours that the other cell's peers may reach */
    FW_LAN,        /* the local network */
    FW_NEAR,       /* all that is reached without the default route */
    FW_NEVER,      /* what is nowhere on the internet */
    FW_TUNNEL,     /* all that is behind any tunnel of ours */
    FW_VPN,        /* our own peers and the subnets behind them */
    FW_HOST_PORTS, /* protocol . port of the cell itself */
    FW_SUBNET_NAT, /* map: a subnet behind a peer → the peer's address; only as a twin */

    /* Sources: addresses of peers that may reach … */
    FW_PEER_ALL,      /* … everything here: every peer, link and local network */
    FW_PEER_PEERS,    /* … every peer */
    FW_PEER_LINKS,    /* … every link */
    FW_PEER_LAN,      /* … the whole local network */
    FW_PEER_INTERNET, /* … the internet by our uplink */
    FW_PEER_HOST,     /* … the ports in FW_HOST_PORTS */
    FW_PEER_PAIR,     /* source . destination: … this peer */
    FW_PEER_LINK,     /* source . interface: … this link */
    FW_PEER_LAN_IF,   /* source . interface: … the local network there */
    FW_BLOCKED,       /* what should leave by an exit, and cannot */
    FW_EXIT,          /* + a link's number: what leaves by that link */
    FW_SET_COUNT = FW_EXIT + LINK_NUMBER_MAX + 1,
    FW_INSTANCES = FW_SET_COUNT * 4,
};

enum fw_owner { FW_OF_CELL, FW_OF_LINK, FW_OF_PEER };

/* What the rules depend on; everything else is elements. */
struct fw_shape {
    char interface[IFNAMSIZ]; /* of the peers */
    struct ip address, address6;
    uint16_t sync_port;
    uint64_t exits; /* bit = number of a link that has an interface */
    bool subnets;   /* somebody on the device has some */
};

unsigned fw_instance(enum fw_set set, bool ipv6, bool net);
enum fw_set fw_set_of(unsigned instance);
bool fw_is_ipv6(unsigned instance);
bool fw_is_net(unsigned instance);
/* Does the table of this shape have the instance? */
bool fw_wanted(const struct fw_shape *shape, unsigned instance);
char *fw_instance_name(unsigned instance, char buf[static NFT_NAME_SIZE]);
/* An empty set with name and types. */
void fw_define(unsigned instance, struct nft_set *ret);
bool fw_same_definition(const struct nft_set *a, const struct nft_set *b);
/* Whose its elements are; and where in one of a link's the interface stands. */
enum fw_owner fw_owner_of(unsigned instance);
size_t fw_interface_offset(unsigned instance);
bool fw_has_family(enum fw_set set);
bool fw_has_twin(enum fw_set set);

/* ---- elements (element.c) -------------------------------------------------------------------- */

/* A key, or an interval of keys, put together part by part in the order of the set's. */
struct fw_key {
    uint8_t first[NFT_KEY_MAX], last[NFT_KEY_MAX];
    size_t len;
};
void fw_key_ip(struct fw_key *key, const struct ip *ip);
void fw_key_prefix(struct fw_key *key, const struct prefix *prefix);
void fw_key_interval(struct fw_key *key, const struct interval *interval);
void fw_key_interface(struct fw_key *key, const char *name);
void fw_key_mark(struct fw_key *key, uint32_t mark);
void fw_key_proto(struct fw_key *key, uint8_t proto);
void fw_key_port(struct fw_key *key, uint16_t port);

/* Appends to a set whose elements lie in the arena. `data` NULL: it is no map. */
void fw_put(struct nft_set *set, const struct fw_key *key, const struct ip *data,
            struct arena *arena);
/* The same with an element as it lies in another set of the same definition. */
void fw_put_element(struct nft_set *set, const uint8_t *element, struct arena *arena);
/* Sorts; of intervals, makes one of those that overlap or touch. */
void fw_settle(struct nft_set *set);
/* The element in words: "10.10.0.34", "pl-beta . 10.20.0.0/24". */
void fw_element_text(const struct nft_set *set, const uint8_t *element, struct strbuf *out);
