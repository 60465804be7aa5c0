#include "schema/kinds/cell.h"

#include <string.h>

#include "schema/resource.h"
#include "schema/types.h"

#define ROW(...) FIELD_ROW_OF(cell_spec, __VA_ARGS__)
static const struct field fields[] = {CELL_FIELDS(ROW)};

struct ip cell_address(const struct cell_spec *cell)
{
    return prefix_host(&cell->vpn, 1);
}

struct ip cell_address6(const struct cell_spec *cell)
{
    return cell->vpn6.ip.family ? prefix_host(&cell->vpn6, 1) : (struct ip){0};
}

struct prefix cell_services(const struct cell_spec *cell)
{
    if (cell->services.ip.family)
        return cell->services;
    uint8_t len = (uint8_t)(cell->vpn.len + 3);
    if (len > 32)
        len = 32;
    uint32_t last = prefix_size(&cell->vpn) - (UINT32_C(1) << (32 - len));
    return (struct prefix){.ip = prefix_host(&cell->vpn, last), .len = len};
}

static void error(struct diags *diags, const struct resource *cell, enum cell_field row,
                  const char *message)
{
    struct place place = resource_field_place(cell, row);
    diags_add(diags, SEVERITY_ERROR, &place, cell->id, "%s: %s", fields[row].path, message);
}

static void check_services(const struct resource *resource, const struct cell_spec *cell,
                           struct diags *diags)
{
    if (!cell->services.ip.family)
        return;
    struct ip own = cell_address(cell);
    if (!prefix_contains(&cell->vpn, &cell->services.ip) || cell->services.len <= cell->vpn.len)
        error(diags, resource, CELL_services, "must lie inside network.vpn and be smaller");
    else if (prefix_contains(&cell->services, &own))
        error(diags, resource, CELL_services,
              "must not contain the cell's own address, the first of network.vpn");
}

static void check_lan(const struct resource *resource, const struct cell_spec *cell,
                      struct diags *diags)
{
    for (uint32_t i = 0; i < cell->lan.count; i++) {
        const struct prefix *lan = &list_prefixes(&cell->lan)[i];
        if (prefix_overlaps(lan, &cell->vpn) || prefix_overlaps(lan, &cell->containers) ||
            (cell->vpn6.ip.family && prefix_overlaps(lan, &cell->vpn6)))
            error(diags, resource, CELL_lan, "must not overlap network.vpn, vpn6 or containers");
    }
}

static void check_ports(const struct resource *resource, const struct cell_spec *cell,
                        struct diags *diags)
{
    if (cell->listen_port >= cell->link_ports.first && cell->listen_port <= cell->link_ports.last)
        error(diags, resource, CELL_link_ports, "must not contain wireguard.listenPort");
}

static void check(const struct resource *resource, struct diags *diags)
{
    const struct cell_spec *cell = resource->spec;

    if (!cell->enabled)
        error(diags, resource, CELL_enabled,
              "a Cell cannot be disabled; `picctl teardown` takes everything away");
    if (prefix_overlaps(&cell->containers, &cell->vpn))
        error(diags, resource, CELL_containers, "must not overlap network.vpn");
    if (strcmp(cell->interface, "auto") == 0 || strncmp(cell->interface, "pl-", 3) == 0)
        error(diags, resource, CELL_interface,
              "must not be \"auto\" nor start with \"pl-\", the links' names");
    check_services(resource, cell, diags);
    check_lan(resource, cell, diags);
    check_ports(resource, cell, diags);
}

const struct kind kind_cell = {
    .name = "Cell",
    .plural = "cells",
    .short_name = "ce",
    .help = "A machine that gives its owner the services of the internet.",
    .fields = fields,
    .field_count = CELL_FIELD_COUNT,
    .spec_size = sizeof(struct cell_spec),
    .check = check,
};
