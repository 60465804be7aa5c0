#include "schema/kinds/link.h"

#include <stdarg.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/resource.h"
#include "schema/types.h"

#define ROW(...) FIELD_ROW_OF(link_spec, __VA_ARGS__)
static const struct field fields[] = {LINK_FIELDS(ROW)};

struct ip link_address(const struct link_spec *link)
{
    return prefix_host(&link->vpn, 1);
}

struct ip link_address6(const struct link_spec *link)
{
    return link->vpn6.ip.family ? prefix_host(&link->vpn6, 1) : (struct ip){0};
}

struct ip link_dns(const struct link_spec *link)
{
    return link->dns.family ? link->dns : link_address(link);
}

static bool is_within(const char *name, const char *domain)
{
    size_t len = strlen(name), end = strlen(domain);
    return len >= end && strcmp(name + len - end, domain) == 0 &&
           (len == end || name[len - end - 1] == '.');
}

bool domain_overlaps(const char *a, const char *b)
{
    return is_within(a, b) || is_within(b, a);
}

uint16_t link_port(const char *name, const struct cell_spec *cell,
                   bool (*taken)(void *context, uint16_t port), void *context)
{
    const struct port_range *range = &cell->link_ports;
    uint32_t count = (uint32_t)range->last - range->first + 1;
    uint32_t start = (uint32_t)(hash_text(name, 0) % count);

    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(range->first + (start + i) % count);
        if (port != cell->listen_port && !(taken && taken(context, port)))
            return port;
    }
    return 0;
}

/* ---- checks across the fields ---- */

struct check {
    const struct resource *resource;
    const struct link_spec *link;
    struct diags *diags;
};

static void finding(const struct check *c, enum severity severity, enum link_field row,
                    const char *format, ...) __attribute__((format(printf, 4, 5)));

static void finding(const struct check *c, enum severity severity, enum link_field row,
                    const char *format, ...)
{
    struct place place = resource_field_place(c->resource, row);
    va_list args;
    va_start(args, format);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    va_end(args);
    diags_add(c->diags, severity, &place, c->resource->id, "%s: %s", fields[row].path, text.text);
}

static void check_port(const struct check *c, enum link_field row, const struct endpoint *endpoint)
{
    bool brackets = endpoint->ip.family == AF_INET6;
    if (endpoint->host && !endpoint->port)
        finding(c, SEVERITY_ERROR, row, "the port is missing: write %s%s%s:%u", brackets ? "[" : "",
                endpoint->host, brackets ? "]" : "", 51821);
}

/* The prefix of the other cell that the address lies in; *retrow: where it is written. */
static const struct prefix *find_inside(const struct link_spec *link, const struct ip *ip,
                                        enum link_field *retrow)
{
    *retrow = LINK_vpn;
    if (prefix_contains(&link->vpn, ip))
        return &link->vpn;
    *retrow = LINK_vpn6;
    if (prefix_contains(&link->vpn6, ip))
        return &link->vpn6;
    *retrow = LINK_networks;
    for (uint32_t i = 0; i < link->networks.count; i++)
        if (prefix_contains(&list_prefixes(&link->networks)[i], ip))
            return &list_prefixes(&link->networks)[i];
    return NULL;
}

/* A name is looked at when it has been resolved: by the routes, which keep it out of the tunnel. */
static void check_endpoint(const struct check *c)
{
    const struct endpoint *endpoint = &c->link->endpoint;
    char text[ADDR_TEXT_MAX];
    enum link_field row;

    check_port(c, LINK_endpoint, endpoint);
    const struct prefix *inside =
        endpoint->ip.family ? find_inside(c->link, &endpoint->ip, &row) : NULL;
    if (inside)
        finding(c, SEVERITY_ERROR, LINK_endpoint,
                "%s lies in %s %s: the encrypted packets would go into the tunnel itself",
                endpoint->host, fields[row].path, prefix_format(inside, text));
}

static void check_dns(const struct check *c)
{
    const struct ip *dns = &c->link->dns;
    char text[ADDR_TEXT_MAX];
    enum link_field row;
    if (dns->family && !find_inside(c->link, dns, &row))
        finding(c, SEVERITY_WARNING, LINK_dns,
                "%s lies neither in vpn nor in networks: it is not asked through this link",
                ip_format(dns, text));
}

/* Half of the internet is a default route in disguise; private prefixes may be as wide as they are.
 */
static bool is_default_route(const struct prefix *p)
{
    enum { SHORTEST4 = 8, SHORTEST6 = 16 };
    return !prefix_is_private(p) && p->len < (p->ip.family == AF_INET ? SHORTEST4 : SHORTEST6);
}

static bool is_never_routed(const struct prefix *p)
{
    static const struct prefix never[] = {
        {{AF_INET, {127}}, 8},         {{AF_INET, {169, 254}}, 16},    {{AF_INET, {224}}, 3},
        {{AF_INET6, {[15] = 1}}, 128}, {{AF_INET6, {0xfe, 0x80}}, 10}, {{AF_INET6, {0xff}}, 8},
    };
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (prefix_overlaps(&never[i], p))
            return true;
    return false;
}

static void check_networks(const struct check *c, enum link_field row, const struct list *list)
{
    char text[ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < list->count; i++) {
        const struct prefix *network = &list_prefixes(list)[i];
        prefix_format(network, text);
        if (is_default_route(network))
            finding(c, SEVERITY_ERROR, row,
                    "%s is no network but the internet: that goes through a link by routeVia, "
                    "peer by peer",
                    text);
        else if (is_never_routed(network))
            finding(c, SEVERITY_ERROR, row,
                    "%s is loopback, link-local or multicast: it cannot be routed", text);
        for (uint32_t j = 0; j < i; j++)
            if (prefix_compare(network, &list_prefixes(list)[j]) == 0)
                finding(c, SEVERITY_WARNING, row, "%s stands there twice", text);
    }
}

static void check_own(const struct check *c)
{
    const struct link_spec *link = c->link;
    char is[ADDR_TEXT_MAX], own[ADDR_TEXT_MAX];
    for (uint32_t i = 0; i < link->networks.count; i++) {
        const struct prefix *network = &list_prefixes(&link->networks)[i];
        const struct prefix *vpn = prefix_overlaps(network, &link->vpn)    ? &link->vpn
                                   : prefix_overlaps(network, &link->vpn6) ? &link->vpn6
                                                                           : NULL;
        if (vpn)
            finding(c, SEVERITY_WARNING, LINK_networks,
                    "%s overlaps the other cell's %s, which is routed anyway",
                    prefix_format(network, is), prefix_format(vpn, own));
    }
}

static void check(const struct resource *resource, struct diags *diags)
{
    const struct link_spec *link = resource->spec;
    const struct check c = {resource, link, diags};

    check_endpoint(&c);
    check_port(&c, LINK_advertise, &link->advertise);
    check_dns(&c);
    check_networks(&c, LINK_networks, &link->networks);
    check_networks(&c, LINK_share_networks, &link->share_networks);
    check_own(&c);
}

const struct kind kind_link = {
    .name = "Link",
    .plural = "links",
    .short_name = "li",
    .help = "Another cell, reached by a tunnel of its own.",
    .fields = fields,
    .field_count = LINK_FIELD_COUNT,
    .spec_size = sizeof(struct link_spec),
    .check = check,
};
