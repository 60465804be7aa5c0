#include "schema/check/cross.h"

#include "schema/kinds/cell.h"
#include "schema/kinds/link.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"

struct check {
    const struct cell_spec *cell;
    const char *cell_id;
    const struct resource *resource;
    struct diags *diags;
};

static void finding(const struct check *c, enum severity severity, unsigned row, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

static void finding(const struct check *c, enum severity severity, unsigned row, const char *format,
                    ...)
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

static bool is_own_key(const struct check *c, const struct resource *cell,
                       const struct wgkey *own_key, const struct wgkey *key)
{
    return (own_key && wgkey_equal(key, own_key)) ||
           (resource_has(cell, CELL_public_key) && wgkey_equal(key, &c->cell->public_key));
}

static void check_peer(const struct check *c, const struct resource *cell,
                       const struct wgkey *own_key)
{
    const struct peer_spec *peer = c->resource->spec;
    if (peer->address.family)
        check_address(c, &peer->address);
    if (peer->address6.family)
        check_address6(c, &peer->address6);
    check_subnets(c, peer);
    if (is_own_key(c, cell, own_key, &peer->public_key))
        finding(c, SEVERITY_ERROR, PEER_public_key,
                "is the cell's own key; it must be the device's");
    if (peer->host && c->cell->host_access.count == 0)
        finding(c, SEVERITY_WARNING, PEER_host,
                "has no effect while firewall.hostAccess of %s is empty", c->cell_id);
}

/* ---- links ---- */

static void check_prefix_of_link(const struct check *c, unsigned row, const struct prefix *is)
{
    const struct {
        const struct prefix *prefix;
        const char *what;
    } own[] = {{&c->cell->vpn, "network.vpn"},
               {&c->cell->vpn6, "network.vpn6"},
               {&c->cell->containers, "network.containers"}};
    char text[ADDR_TEXT_MAX], other[ADDR_TEXT_MAX];
    if (!is->ip.family)
        return;
    prefix_format(is, text);
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (own[i].prefix->ip.family && prefix_overlaps(is, own[i].prefix))
            finding(c, SEVERITY_ERROR, row, "%s overlaps %s %s of %s", text, own[i].what,
                    prefix_format(own[i].prefix, other), c->cell_id);
    for (uint32_t i = 0; i < c->cell->lan.count; i++) {
        const struct prefix *lan = &list_prefixes(&c->cell->lan)[i];
        if (prefix_overlaps(is, lan))
            finding(c, SEVERITY_ERROR, row, "%s overlaps network.lan %s of %s", text,
                    prefix_format(lan, other), c->cell_id);
    }
}

static void check_link_port(const struct check *c, const struct link_spec *link)
{
    const struct port_range *range = &c->cell->link_ports;
    if (!resource_has(c->resource, LINK_listen_port))
        return;
    if (link->listen_port == c->cell->listen_port)
        finding(c, SEVERITY_ERROR, LINK_listen_port, "%u is wireguard.listenPort of %s",
                link->listen_port, c->cell_id);
    else if (link->listen_port < range->first || link->listen_port > range->last)
        finding(c, SEVERITY_WARNING, LINK_listen_port,
                "%u lies outside wireguard.linkPorts %u-%u of %s: forward it in the router by "
                "itself",
                link->listen_port, range->first, range->last, c->cell_id);
}

static void check_link(const struct check *c, const struct resource *cell,
                       const struct wgkey *own_key)
{
    const struct link_spec *link = c->resource->spec;
    check_prefix_of_link(c, LINK_vpn, &link->vpn);
    check_prefix_of_link(c, LINK_vpn6, &link->vpn6);
    for (uint32_t i = 0; i < link->networks.count; i++)
        check_prefix_of_link(c, LINK_networks, &list_prefixes(&link->networks)[i]);
    check_link_port(c, link);
    if (is_own_key(c, cell, own_key, &link->public_key))
        finding(c, SEVERITY_ERROR, LINK_public_key,
                "is this cell's own key; it must be the other cell's");
    if (domain_overlaps(link->domain, c->cell->domain))
        finding(c, SEVERITY_ERROR, LINK_domain, "%s and the domain %s of %s contain one another",
                link->domain, c->cell->domain, c->cell_id);
}

void cross_check(const struct resource *cell, const struct wgkey *own_key,
                 const struct resource *resource, struct diags *diags)
{
    struct check c = {cell->spec, cell->id, resource, diags};
    if (resource->kind == &kind_peer)
        check_peer(&c, cell, own_key);
    else if (resource->kind == &kind_link)
        check_link(&c, cell, own_key);
}
