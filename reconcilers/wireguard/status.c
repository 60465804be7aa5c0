#include "reconcilers/wireguard/wireguard.h"

#include "schema/base/clock.h"

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

static void set_number(json_t *object, const char *key, uint64_t number)
{
    json_object_set_new(object, key, json_integer((json_int_t)number));
}

/* What the device says of a peer; `device` NULL: it is not there. */
static const struct wg_seen_peer *peer_status(const struct wg_seen_device *device,
                                              const struct wgkey *key, json_t *status)
{
    const struct wg_seen_peer *seen = device ? map_get(&device->peers, key, WGKEY_LEN) : NULL;
    char text[ADDR_TEXT_MAX], when[CLOCK_RFC3339_MAX];

    json_object_set_new(status, "onDevice", json_boolean(seen));
    if (!seen)
        return NULL;
    set_number(status, "rxBytes", seen->rx_bytes);
    set_number(status, "txBytes", seen->tx_bytes);
    if (seen->last_handshake)
        set_text(status, "lastHandshake", clock_format_rfc3339(seen->last_handshake, when));
    if (seen->endpoint.ip.family)
        set_text(status, "endpoint", ip_port_format(&seen->endpoint.ip, seen->endpoint.port, text));
    return seen;
}

static void device_status(const char *interface, const struct wg_seen_device *device,
                          json_t *status)
{
    set_text(status, "interface", interface);
    json_object_set_new(
        status, "up",
        json_boolean(device && device->answers && !device->silence && device->link.up));
    if (device)
        set_number(status, "mtu", device->link.mtu);
}

static void cell_status(const struct model *model, const struct wg_observed *o, json_t *status)
{
    const struct model_cell *cell = &model->cell;
    const struct wg_seen_device *device = wg_seen_device(o, cell->spec->interface);
    char key[WGKEY_TEXT_LEN + 1];

    device_status(cell->spec->interface, device, status);
    set_text(status, "publicKey", wgkey_format(&cell->public_key, key));
    set_number(status, "peersOnDevice", device ? device->peers.count : 0);
}

/* Where the endpoint in use comes from. */
static const char *endpoint_source(const struct model_link *link, const struct wg_seen_peer *seen)
{
    struct wg_endpoint wanted = {link->endpoint, link->endpoint_port};
    if (seen && seen->endpoint.ip.family)
        return wg_endpoint_equal(&wanted, &seen->endpoint) ? "manifest" : "roamed";
    return link->endpoint_unresolved ? "resolving" : NULL;
}

static void link_status(const struct model_link *link, const struct wg_observed *o, json_t *status)
{
    const struct wg_seen_device *device = wg_seen_device(o, link->interface);

    device_status(link->interface, device, status);
    if (link->listen_port)
        set_number(status, "listenPort", link->listen_port);
    const struct wg_seen_peer *seen = peer_status(device, &link->spec->public_key, status);
    const char *source = endpoint_source(link, seen);
    if (source)
        set_text(status, "endpointSource", source);
}

void wg_status(const struct model *model, const void *observed, const struct resource *resource,
               json_t *status)
{
    const struct wg_observed *o = observed;
    const struct model_cell *cell = &model->cell;

    if (!o->looked || !cell->spec)
        return;
    if (resource->kind == &kind_peer) {
        const struct peer_spec *spec = resource->spec;
        peer_status(wg_seen_device(o, cell->spec->interface), &spec->public_key, status);
    } else if (resource->kind == &kind_cell) {
        cell_status(model, o, status);
    } else if (resource->kind == &kind_link) {
        const struct model_link *link = model_link_by_name(model, resource->name);
        if (link)
            link_status(link, o, status);
    }
}
