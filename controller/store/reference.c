#include "controller/store/inside.h"

#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/link.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"

static void finding(const struct resource *resource, enum severity severity, unsigned row,
                    struct diags *ret, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static void finding(const struct resource *resource, enum severity severity, unsigned row,
                    struct diags *ret, const char *format, ...)
{
    struct place place = resource_field_place(resource, row);
    va_list args;
    va_start(args, format);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    va_end(args);
    diags_add(ret, severity, &place, resource->id, "%s: %s", resource->kind->fields[row].path,
              text.text);
}

/* ---- a peer names links ---- */

static bool has_link(const struct store *store, const char *name)
{
    MEM_AUTO char *id = mem_printf("Link/%s", name);
    const struct object *object = store_object(store, id);
    return object && object->force;
}

static void check_peer(const struct store *store, const struct resource *resource,
                       struct diags *ret)
{
    const struct peer_spec *peer = resource->spec;
    if (peer->route_via && !has_link(store, peer->route_via))
        finding(resource, SEVERITY_WARNING, PEER_route_via, ret,
                "no Link \"%s\" is in force: the peer's internet traffic is refused until there is "
                "one",
                peer->route_via);
    for (uint32_t i = 0; i < peer->links.count; i++)
        if (!has_link(store, list_text(&peer->links, i)))
            finding(resource, SEVERITY_WARNING, PEER_links, ret, "no Link \"%s\" is in force",
                    list_text(&peer->links, i));
}

/* ---- a link means another cell of the same tree ---- */

static const struct resource *manifest_of(const struct inner *cell)
{
    for (size_t i = 0; i < cell->candidate_count; i++)
        if (cell->candidates[i].entry->resource)
            return cell->candidates[i].entry->resource;
    return NULL;
}

static bool means(const struct link_spec *link, const struct resource *cell)
{
    const struct cell_spec *spec = cell->spec;
    return strcmp(link->domain, spec->domain) == 0 ||
           (resource_has(cell, CELL_public_key) &&
            wgkey_equal(&link->public_key, &spec->public_key));
}

static void compare(const struct resource *link, const struct resource *cell, unsigned row,
                    const struct prefix *is, const struct prefix *should, struct diags *ret)
{
    char a[ADDR_TEXT_MAX], b[ADDR_TEXT_MAX];
    if (is->ip.family && should->ip.family && prefix_compare(is, should) != 0)
        finding(link, SEVERITY_ERROR, row, ret, "is %s, and %s has %s: write that here",
                prefix_format(is, a), cell->id, prefix_format(should, b));
}

static void check_link_against(const struct resource *resource, const struct resource *cell,
                               struct diags *ret)
{
    const struct link_spec *link = resource->spec;
    const struct cell_spec *spec = cell->spec;

    compare(resource, cell, LINK_vpn, &link->vpn, &spec->vpn, ret);
    compare(resource, cell, LINK_vpn6, &link->vpn6, &spec->vpn6, ret);
    if (strcmp(link->domain, spec->domain) != 0)
        finding(resource, SEVERITY_ERROR, LINK_domain, ret, "is %s, and %s has %s: write that here",
                link->domain, cell->id, spec->domain);
    if (resource_has(cell, CELL_public_key) && !wgkey_equal(&link->public_key, &spec->public_key))
        finding(resource, SEVERITY_ERROR, LINK_public_key, ret,
                "is another than wireguard.publicKey of %s", cell->id);
}

static void check_link(const struct store *store, const struct resource *resource,
                       struct diags *ret)
{
    for (size_t i = 0; i < store->cell_count; i++) {
        const struct resource *cell = manifest_of(store->cells[i]);
        if (store->cells[i] != store->cell && cell && means(resource->spec, cell))
            check_link_against(resource, cell, ret);
    }
}

void reference_check(const struct store *store, const struct resource *resource, struct diags *ret)
{
    if (resource->kind == &kind_peer)
        check_peer(store, resource, ret);
    else if (resource->kind == &kind_link)
        check_link(store, resource, ret);
}
