#include "reconcilers/model/inside.h"

#include <string.h>

#include "schema/base/mem.h"
#include "schema/types.h"

uint64_t model_not_enforced(const struct model *model, const struct resource *resource)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < resource->kind->field_count; i++) {
        const struct field *field = &resource->kind->fields[i];
        if (resource_has(resource, (unsigned)i) && !(model->enforcers >> field->enforcer & 1) &&
            field->presence != REQUIRED && !type_is_default(field, resource->spec))
            rows |= UINT64_C(1) << i;
    }
    return rows;
}

const struct model_peer *model_peer_by_name(const struct model *model, const char *name)
{
    return map_get_text(&model->peers, name);
}

const struct model_peer *model_peer_by_key(const struct model *model, const struct wgkey *key)
{
    return map_get(&model->by_key, key, WGKEY_LEN);
}

const struct model_peer *model_owner(const struct model *model, const struct prefix *prefix)
{
    return map_get(&model->by_prefix, prefix, sizeof(*prefix));
}

const struct model_departed *model_departed(const struct model *model, const struct wgkey *key)
{
    return map_get(&model->departed, key, WGKEY_LEN);
}

/* "peer/<public key>" */
static bool is_peer_key(const char *key, struct wgkey *ret)
{
    size_t len = sizeof(MODEL_KEY_PEER) - 1;
    return strncmp(key, MODEL_KEY_PEER, len) == 0 && wgkey_parse(key + len, ret) == 0;
}

/* "link/<interface>": the interface; NULL: it is none. */
static const char *interface_of_key(const char *key)
{
    size_t len = sizeof(MODEL_KEY_LINK) - 1;
    return strncmp(key, MODEL_KEY_LINK, len) == 0 ? key + len : NULL;
}

const struct resource *model_key_resource(const struct model *model, const char *key)
{
    const char *interface = interface_of_key(key);
    struct wgkey peer_key;

    if (strcmp(key, MODEL_KEY_CELL) == 0)
        return model->cell.resource;
    if (interface) {
        const struct model_link *link = model_link_by_interface(model, interface);
        const struct model_departed_link *gone = model_departed_link(model, interface);
        return link ? link->resource : gone ? gone->resource : NULL;
    }
    if (!is_peer_key(key, &peer_key))
        return NULL;
    const struct model_peer *peer = model_peer_by_key(model, &peer_key);
    const struct model_departed *gone = model_departed(model, &peer_key);
    return peer ? peer->resource : gone ? gone->resource : NULL;
}

static void cell_applied(struct model_cell *cell)
{
    cell->applied = true;
    mem_freep(&cell->former_interface);
}

static void peer_applied(struct model *model, const struct wgkey *key)
{
    struct model_peer *peer = map_get(&model->by_key, key, WGKEY_LEN);
    if (peer) {
        peer->applied = true;
        mem_freep(&peer->former);
        peer->former_count = 0;
    }
    model_departed_free(map_remove(&model->departed, key, WGKEY_LEN));
}

static void link_applied(struct model *model, const char *interface)
{
    struct model_link *link = map_get_text(&model->by_interface, interface);
    if (link)
        link->applied = true;
    link_departed_free(map_remove_text(&model->departed_links, interface));
}

void model_applied(struct model *model, const char *key)
{
    const char *interface = interface_of_key(key);
    struct wgkey peer_key;

    if (strcmp(key, MODEL_KEY_CELL) == 0)
        cell_applied(&model->cell);
    else if (interface)
        link_applied(model, interface);
    else if (is_peer_key(key, &peer_key))
        peer_applied(model, &peer_key);
}
