#include "reconcilers/model/model.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/error.h"
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

void model_applied(struct model *model, const char *key)
{
    struct wgkey peer_key;

    if (strcmp(key, MODEL_KEY_CELL) == 0) {
        model->cell.applied = true;
        mem_freep(&model->cell.former_interface);
        return;
    }
    if (strncmp(key, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1) != 0 ||
        wgkey_parse(key + sizeof(MODEL_KEY_PEER) - 1, &peer_key) < 0)
        return;
    struct model_peer *peer = map_get(&model->by_key, &peer_key, WGKEY_LEN);
    if (peer)
        peer->applied = true;
    free(map_remove(&model->departed, &peer_key, WGKEY_LEN));
}

void model_off_reason(const struct model *model, const struct model_peer *peer, struct strbuf *out)
{
    char when[CLOCK_RFC3339_MAX];
    const struct peer_spec *spec = peer->resource->spec;
    uint64_t rows;

    switch (peer->off) {
    case PEER_ON:
    case PEER_OFF_COUNT:
        return;
    case PEER_DISABLED:
        strbuf_puts(out, "disabled in its manifest");
        return;
    case PEER_EXPIRED:
        strbuf_printf(out, "expired on %s", clock_format_rfc3339(spec->expires, when));
        return;
    case PEER_UNCONFINED:
        strbuf_puts(out, "not on the device: nothing here enforces its restriction yet:");
        rows = model_not_enforced(model, peer->resource);
        for (size_t i = 0; i < peer->resource->kind->field_count; i++)
            if ((rows >> i & 1) && (peer->resource->kind->fields[i].flags & FIELD_CONFINES))
                strbuf_printf(out, " %s", peer->resource->kind->fields[i].path);
        return;
    case PEER_NO_SECRET:
        strbuf_printf(out, "left as it is: presharedKey: %s",
                      peer->off_error ? peer->off_error->message : "cannot be read");
        return;
    case PEER_NO_ADDRESS:
        strbuf_puts(out, "not on the device: network.vpn has no free address; make it larger");
        return;
    }
}
