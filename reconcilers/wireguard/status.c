#include "reconcilers/wireguard/wireguard.h"

#include "schema/base/clock.h"

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

static void peer_status(const struct model *model, const struct wg_observed *o,
                        const struct resource *resource, json_t *status)
{
    const struct peer_spec *spec = resource->spec;
    const struct wg_seen_peer *seen = map_get(&o->peers, &spec->public_key, WGKEY_LEN);
    char text[ADDR_TEXT_MAX], when[CLOCK_RFC3339_MAX];

    (void)model;
    json_object_set_new(status, "onDevice", json_boolean(seen));
    if (!seen)
        return;
    json_object_set_new(status, "rxBytes", json_integer((json_int_t)seen->rx_bytes));
    json_object_set_new(status, "txBytes", json_integer((json_int_t)seen->tx_bytes));
    if (seen->last_handshake)
        set_text(status, "lastHandshake", clock_format_rfc3339(seen->last_handshake, when));
    if (seen->endpoint.family)
        set_text(status, "endpoint", ip_port_format(&seen->endpoint, seen->endpoint_port, text));
}

static void cell_status(const struct model *model, const struct wg_observed *o, json_t *status)
{
    char key[WGKEY_TEXT_LEN + 1];

    set_text(status, "interface", model->cell.spec->interface);
    set_text(status, "publicKey", wgkey_format(&model->cell.public_key, key));
    json_object_set_new(status, "up", json_boolean(o->present && o->answers && o->link.up));
    json_object_set_new(status, "peersOnDevice", json_integer((json_int_t)o->peers.count));
    if (o->present)
        json_object_set_new(status, "mtu", json_integer(o->link.mtu));
}

void wg_status(const struct model *model, const void *observed, const struct resource *resource,
               json_t *status)
{
    const struct wg_observed *o = observed;
    if (!o->looked)
        return;
    if (resource->kind == &kind_peer)
        peer_status(model, o, resource, status);
    else if (resource->kind == &kind_cell && model->cell.spec)
        cell_status(model, o, status);
}
