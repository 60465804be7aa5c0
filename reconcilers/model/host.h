/*
 * What the cell's manifests do not say and the machine does: where the internet is, what is
 * directly connected. Read by controller/engine/surroundings.c, compared and handed to the model,
 * which is resolved by it.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/addr.h"

enum { HOST_INTERFACES_MAX = 32 }; /* more are not looked at; uplinks come first */

struct host_interface {
    char name[IFNAMSIZ];
    bool uplink4, uplink6; /* internet traffic of that family leaves here */
    bool lan;              /* a network of ours (network.lan) is directly connected to it */
};

/* Sorted and without twins, so that two of them can be compared. */
struct host {
    struct host_interface interfaces[HOST_INTERFACES_MAX]; /* by name; none of our own */
    size_t interface_count;
    struct prefix *lan; /* the local network: network.lan, or private and ULA prefixes connected */
    size_t lan_count;
    struct prefix *near; /* all that is reached without the default route, public ones too */
    size_t near_count;
    uint32_t uplink_mtu; /* 0: not known */
    bool forwarding4;    /* the machine forwards, wherever that is switched on */
    bool forwarding6;
    bool ipv6; /* the machine has IPv6 at all */
};

void host_clear(struct host *host);
bool host_equal(const struct host *a, const struct host *b);
void host_move(struct host *to, struct host *from); /* `from` is empty afterwards */
void host_copy(struct host *to, const struct host *from);
/* Has it a way to the internet, for IPv4 or for IPv6? */
bool host_has_uplink(const struct host *host, bool ipv6);
/* Is the prefix connected or routed here as it is, or a part of what is? Then no link may take it.
 */
const struct prefix *host_collides(const struct host *host, const struct prefix *prefix);
