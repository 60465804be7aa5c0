#include "tools/picctl/wgconf.h"

#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"

/* fd, then 40 bits that follow from the cell's prefix (as RFC 4193 has them at random), then the
 * device's IPv4 address. */
static struct ip nowhere_address(const struct prefix *vpn, const struct ip *address)
{
    struct ip ip = {.family = AF_INET6, .bytes = {0xfd}};
    uint64_t hash = hash_bytes(vpn, sizeof(*vpn), 0);
    memcpy(ip.bytes + 1, &hash, 5);
    memcpy(ip.bytes + 12, address->bytes, 4);
    return ip;
}

static struct endpoint endpoint_of(const struct cell_spec *cell)
{
    struct endpoint endpoint = cell->endpoint;
    if (!endpoint.port)
        endpoint.port = cell->listen_port;
    return endpoint;
}

struct wgconf wgconf_of(const struct resource *cell_resource, const struct resource *peer_resource,
                        const struct ip *address, const struct ip *address6)
{
    const struct cell_spec *cell = cell_resource->spec;
    const struct peer_spec *peer = peer_resource->spec;
    bool full = peer_tunnel(peer_resource) == TUNNEL_FULL;
    struct wgconf conf = {
        .device = peer_resource->name,
        .cell = cell_resource->name,
        .address = *address,
        .address6 = *address6,
        .mtu = peer->client_mtu ? peer->client_mtu : cell->mtu,
        .endpoint = endpoint_of(cell),
        .full = full,
        .vpn = cell->vpn,
        .vpn6 = cell->vpn6,
        .keepalive = peer->keepalive,
    };
    if (full && !address6->family)
        conf.address6 = nowhere_address(&cell->vpn, address);
    return conf;
}

static void put_key(const char *name, const struct wgkey *key, struct strbuf *out)
{
    char text[WGKEY_TEXT_LEN + 1];
    strbuf_printf(out, "%s = %s\n", name, wgkey_format(key, text));
    mem_wipe(text, sizeof(text));
}

static void put_interface(const struct wgconf *c, struct strbuf *out)
{
    char v4[ADDR_TEXT_MAX], v6[ADDR_TEXT_MAX];

    strbuf_puts(out, "[Interface]\n");
    if (c->private_key)
        put_key("PrivateKey", c->private_key, out);
    else
        strbuf_puts(out, "# PrivateKey = the device has it; nobody else does\n");
    strbuf_printf(out, "Address = %s/32", ip_format(&c->address, v4));
    if (c->address6.family)
        strbuf_printf(out, ", %s/128", ip_format(&c->address6, v6));
    strbuf_putc(out, '\n');
    if (c->dns.family)
        strbuf_printf(out, "DNS = %s\n", ip_format(&c->dns, v4));
    if (c->mtu)
        strbuf_printf(out, "MTU = %u\n", c->mtu);
}

static void put_endpoint(const struct endpoint *e, struct strbuf *out)
{
    char text[ADDR_TEXT_MAX];
    if (e->ip.family)
        strbuf_printf(out, "Endpoint = %s\n", ip_port_format(&e->ip, e->port, text));
    else
        strbuf_printf(out, "Endpoint = %s:%u\n", e->host, e->port);
}

static void put_allowed(const struct wgconf *c, struct strbuf *out)
{
    char v4[ADDR_TEXT_MAX], v6[ADDR_TEXT_MAX];
    if (c->full) {
        strbuf_puts(out, "AllowedIPs = 0.0.0.0/0, ::/0\n");
        return;
    }
    strbuf_printf(out, "AllowedIPs = %s", prefix_format(&c->vpn, v4));
    if (c->vpn6.ip.family)
        strbuf_printf(out, ", %s", prefix_format(&c->vpn6, v6));
    strbuf_putc(out, '\n');
}

void wgconf_print(const struct wgconf *c, struct strbuf *out)
{
    strbuf_printf(out, "# %s, a device of the cell %s\n", c->device, c->cell);
    put_interface(c, out);
    strbuf_puts(out, "\n[Peer]\n");
    put_key("PublicKey", c->public_key, out);
    if (c->preshared_key)
        put_key("PresharedKey", c->preshared_key, out);
    put_endpoint(&c->endpoint, out);
    put_allowed(c, out);
    if (c->keepalive)
        strbuf_printf(out, "PersistentKeepalive = %u\n", c->keepalive);
}
