/*
 * What a resource claims for itself alone: a key, an address, a prefix, a port, a domain. Two
 * resources cannot have the same; the table says who holds what, and costs what a change touches.
 */
#pragma once

#include "schema/base/map.h"
#include "schema/resource.h"

/* The keys of the maps lie in the specs of the resources that hold them. */
struct claims {
    struct map keys;    /* struct wgkey → struct resource */
    struct map hosts;   /* struct ip, also of prefixes with one host → struct resource */
    struct map subnets; /* struct prefix → struct resource */
    struct map ports;   /* uint16_t: UDP ports of links → struct resource */
    /* What must not even overlap, prefixes and domains of links, is looked for one by one: they are
     * few. */
    const struct resource **links;
    size_t link_count, link_capacity;
};

void claims_clear(struct claims *claims);

/* Who else holds something that the resource claims: that resource and, in *buf, what it is
 * ("publicKey", "address 10.10.0.34", "vpn 10.20.0.0/24"); NULL: nobody. A Peer costs what it
 * claims, times the links; a Link costs all subnets of peers. */
const struct resource *claims_conflict(const struct claims *claims, const struct resource *resource,
                                       char buf[static 96]);

/* Enters the resource's claims; it must not conflict, and must live until they are taken out again.
 */
void claims_take(struct claims *claims, const struct resource *resource);
void claims_release(struct claims *claims, const struct resource *resource);
