/*
 * wireguard-go keeps with each endpoint the address of ours that it talks from, and goes on with it
 * when that address is gone. An endpoint that is sent again makes it choose anew.
 */
#include "reconcilers/wireguard/wireguard.h"

#include <string.h>

static size_t place(const struct ip *ip)
{
    return ip->family == AF_INET6;
}

/* Nobody is hurt by an answer that is missing: the next look asks again. */
static void ask(struct sys *sys, const struct ip *destination, struct ip *ret)
{
    struct sys_path path;
    ERROR_AUTO error = NULL;
    *ret = (struct ip){0};
    if (sys_path_mtu(sys, destination, &path, &error) == 0)
        *ret = path.source;
}

void wg_look_at_sources(struct sys *sys, struct wg_observed *o)
{
    /* Documentation addresses (RFC 5737, RFC 3849): whatever is on the internet is reached like
     * them. */
    static const struct ip anywhere[] = {
        {.family = AF_INET, .bytes = {192, 0, 2, 1}},
        {.family = AF_INET6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}},
    };
    for (size_t i = 0; i < 2; i++)
        ask(sys, &anywhere[i], &o->sources[i]);
}

void wg_note_sources(struct sys *sys, const struct wg_observed *o, struct wg_seen_device *device,
                     const struct model_link *link)
{
    struct ip now[2] = {o->sources[0], o->sources[1]};

    if (strcmp(device->link.kind, "tun") != 0)
        return;
    if (link && link->endpoint.family)
        ask(sys, &link->endpoint, &now[place(&link->endpoint)]);
    for (size_t i = 0; i < 2; i++) {
        struct wg_source *source = &device->sources[i];
        if (!now[i].family || ip_equal(&now[i], &source->ip))
            continue;
        source->moves += source->ip.family != 0;
        source->ip = now[i];
    }
}

void wg_source_is_fresh(const struct wg_seen_device *device, struct wg_seen_peer *peer)
{
    peer->moves = device->sources[place(&peer->endpoint.ip)].moves;
}

const struct ip *wg_new_source(const struct wg_seen_device *device, const struct wg_seen_peer *peer)
{
    const struct wg_source *source = &device->sources[place(&peer->endpoint.ip)];
    return peer->endpoint.ip.family && peer->moves != source->moves ? &source->ip : NULL;
}
