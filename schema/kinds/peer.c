#include "schema/kinds/peer.h"

#include "schema/resource.h"
#include "schema/types.h"

#define ROW(...) FIELD_ROW_OF(peer_spec, __VA_ARGS__)
static const struct field fields[] = {PEER_FIELDS(ROW)};

enum peer_tunnel peer_tunnel(const struct resource *resource)
{
    const struct peer_spec *peer = resource->spec;
    if (peer->route_via)
        return TUNNEL_FULL;
    if (resource_has(resource, PEER_tunnel))
        return peer->tunnel;
    return peer->internet ? TUNNEL_FULL : TUNNEL_SPLIT;
}

static void check(const struct resource *resource, struct diags *diags)
{
    const struct peer_spec *peer = resource->spec;

    if (peer->route_via && !peer->internet) {
        struct place place = resource_field_place(resource, PEER_route_via);
        diags_add(diags, SEVERITY_ERROR, &place, resource->id,
                  "routeVia: needs internet: true; remove one of the two");
    }
    for (uint32_t i = 0; i < peer->subnets.count; i++) {
        const struct prefix *subnet = &list_prefixes(&peer->subnets)[i];
        struct place place = resource_field_place(resource, PEER_subnets);
        if (subnet->len == 0)
            diags_add(diags, SEVERITY_ERROR, &place, resource->id,
                      "subnets: a default route is no subnet behind a device");
        for (uint32_t j = 0; j < i; j++)
            if (prefix_compare(subnet, &list_prefixes(&peer->subnets)[j]) == 0)
                diags_add(diags, SEVERITY_WARNING, &place, resource->id,
                          "subnets: the same prefix stands there twice");
    }
}

const struct kind kind_peer = {
    .name = "Peer",
    .plural = "peers",
    .short_name = "po",
    .help = "A device of the owner that reaches the cell through WireGuard.",
    .fields = fields,
    .field_count = PEER_FIELD_COUNT,
    .spec_size = sizeof(struct peer_spec),
    .check = check,
};
