#include "schema/check/cross.h"

#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"

struct check {
    const struct cell_spec *cell;
    const char *cell_id;
    const struct resource *resource;
    struct diags *diags;
};

static void finding(const struct check *c, enum severity severity, enum peer_field row,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void finding(const struct check *c, enum severity severity, enum peer_field row,
                    const char *format, ...)
{
    struct place place = resource_field_place(c->resource, row);
    va_list args;
    va_start(args, format);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    va_end(args);
    diags_add(c->diags, severity, &place, c->resource->id, "%s: %s",
              c->resource->kind->fields[row].path, text.text);
}

static void check_address(const struct check *c, const struct ip *address)
{
    char is[ADDR_TEXT_MAX], vpn[ADDR_TEXT_MAX];
    ip_format(address, is);
    prefix_format(&c->cell->vpn, vpn);
    struct prefix services = cell_services(c->cell);
    uint32_t n = prefix_host_number(&c->cell->vpn, address);

    if (!prefix_contains(&c->cell->vpn, address))
        finding(c, SEVERITY_ERROR, PEER_address, "%s is not inside network.vpn %s of %s", is, vpn,
                c->cell_id);
    else if (n == 1)
        finding(c, SEVERITY_ERROR, PEER_address, "%s is the cell's own address", is);
    else if (n == 0 || n == prefix_size(&c->cell->vpn) - 1)
        finding(c, SEVERITY_ERROR, PEER_address, "%s is the network or broadcast address of %s", is,
                vpn);
    else if (prefix_contains(&services, address))
        finding(c, SEVERITY_ERROR, PEER_address, "%s lies in the range of service addresses %s", is,
                prefix_format(&services, vpn));
}

static void check_address6(const struct check *c, const struct ip *address)
{
    char is[ADDR_TEXT_MAX], vpn6[ADDR_TEXT_MAX];
    struct ip own = cell_address6(c->cell);
    ip_format(address, is);

    if (!c->cell->vpn6.ip.family)
        finding(c, SEVERITY_ERROR, PEER_address6, "%s has no network.vpn6 that %s could lie in",
                c->cell_id, is);
    else if (!prefix_contains(&c->cell->vpn6, address))
        finding(c, SEVERITY_ERROR, PEER_address6, "%s is not inside network.vpn6 %s of %s", is,
                prefix_format(&c->cell->vpn6, vpn6), c->cell_id);
    else if (ip_equal(address, &own))
        finding(c, SEVERITY_ERROR, PEER_address6, "%s is the cell's own address", is);
}

static void check_subnets(const struct check *c, const struct peer_spec *peer)
{
    char is[ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < peer->subnets.count; i++) {
        const struct prefix *subnet = &list_prefixes(&peer->subnets)[i];
        if (prefix_overlaps(subnet, &c->cell->vpn) ||
            prefix_overlaps(subnet, &c->cell->containers) ||
            (c->cell->vpn6.ip.family && prefix_overlaps(subnet, &c->cell->vpn6)))
            finding(c, SEVERITY_ERROR, PEER_subnets,
                    "%s overlaps network.vpn, network.vpn6 or network.containers of %s",
                    prefix_format(subnet, is), c->cell_id);
    }
}

void cross_check(const struct resource *cell, const struct wgkey *own_key,
                 const struct resource *resource, struct diags *diags)
{
    if (resource->kind != &kind_peer)
        return;
    const struct peer_spec *peer = resource->spec;
    struct check c = {cell->spec, cell->id, resource, diags};

    if (peer->address.family)
        check_address(&c, &peer->address);
    if (peer->address6.family)
        check_address6(&c, &peer->address6);
    check_subnets(&c, peer);
    if ((own_key && wgkey_equal(&peer->public_key, own_key)) ||
        (resource_has(cell, CELL_public_key) &&
         wgkey_equal(&peer->public_key, &c.cell->public_key)))
        finding(&c, SEVERITY_ERROR, PEER_public_key,
                "is the cell's own key; it must be the device's");
    if (peer->host && c.cell->host_access.count == 0)
        finding(&c, SEVERITY_WARNING, PEER_host,
                "has no effect while firewall.hostAccess of %s is empty", c.cell_id);
}
