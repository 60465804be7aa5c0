/*
 * A device's config in the format of wg-quick, which every WireGuard app imports. Pure.
 */
#pragma once

#include "schema/base/strbuf.h"
#include "schema/resource.h"

struct wgconf {
    const char *device, *cell;         /* names, for the comment at the top */
    const struct wgkey *private_key;   /* of the device; NULL: a line to fill in */
    const struct wgkey *public_key;    /* of the cell */
    const struct wgkey *preshared_key; /* NULL: none */
    struct ip address, address6;       /* of the device; family 0: none */
    struct ip dns;                     /* family 0: none */
    uint32_t mtu;                      /* 0: the app decides */
    struct endpoint endpoint;          /* of the cell, with its port */
    bool full;                         /* everything goes through the tunnel */
    struct prefix vpn, vpn6;           /* what goes through it otherwise; family 0: none */
    uint32_t keepalive;                /* seconds; 0: none */
};

/*
 * What follows from the two resources; the keys and the DNS server are left to the caller.
 * `address6` may be of family 0: a device whose whole traffic goes through the tunnel gets an IPv6
 * address all the same, out of a prefix that leads nowhere, so that its IPv6 traffic does not leave
 * beside the tunnel.
 */
struct wgconf wgconf_of(const struct resource *cell, const struct resource *peer,
                        const struct ip *address, const struct ip *address6);

void wgconf_print(const struct wgconf *conf, struct strbuf *out);
