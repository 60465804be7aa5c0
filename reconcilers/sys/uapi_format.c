#include "reconcilers/sys/uapi.h"

#include <assert.h>

#include "reconcilers/sys/added.h"
#include "schema/base/mem.h"

enum {
    /* Bytes of text at most, for the reservation. */
    KEY_LINE = sizeof("preshared_key=\n") + 2 * WGKEY_LEN,
    DEVICE_TEXT = KEY_LINE + 64,
    PEER_TEXT = 3 * KEY_LINE + 2 * ADDR_TEXT_MAX + 128,
    ALLOWED_LINE = sizeof("allowed_ip=\n") + ADDR_TEXT_MAX,
};

bool uapi_removes_allowed(const struct sys_wg_peer_change *peers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!peers[i].remove && peers[i].allowed_remove_count)
            return true;
    return false;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void put_key(struct strbuf *out, const char *name, const struct wgkey *key)
{
    char hex[2 * WGKEY_LEN + 1];
    strbuf_puts(out, name);
    strbuf_puts(out, wgkey_format_hex(key, hex));
    strbuf_putc(out, '\n');
    mem_wipe(hex, sizeof(hex));
}

static void put_allowed(struct strbuf *out, const struct prefix *prefix)
{
    char text[ADDR_TEXT_MAX];
    struct prefix network = prefix_normalise(prefix);
    strbuf_puts(out, "allowed_ip=");
    strbuf_puts(out, prefix_format(&network, text));
    strbuf_putc(out, '\n');
}

static void put_device(struct strbuf *out, const struct sys_wg_device_change *device)
{
    if (device->set_private_key)
        put_key(out, "private_key=", &device->private_key);
    if (device->set_listen_port)
        strbuf_printf(out, "listen_port=%u\n", device->listen_port);
    if (device->set_fwmark)
        strbuf_printf(out, "fwmark=%u\n", device->fwmark);
}

static void put_peer(struct strbuf *out, const struct sys_wg_peer_change *peer)
{
    char text[ADDR_TEXT_MAX];
    put_key(out, "public_key=", &peer->public_key);
    if (peer->remove) {
        strbuf_puts(out, "remove=true\n");
        return;
    }
    if (!peer->create)
        strbuf_puts(out, "update_only=true\n");
    if (peer->set_preshared_key)
        put_key(out, "preshared_key=", &peer->preshared_key);
    if (peer->set_endpoint)
        strbuf_printf(out, "endpoint=%s\n",
                      ip_port_format(&peer->endpoint, peer->endpoint_port, text));
    if (peer->set_keepalive)
        strbuf_printf(out, "persistent_keepalive_interval=%u\n", peer->keepalive);
    for (size_t i = 0; i < peer->allowed_add_count; i++)
        put_allowed(out, &peer->allowed_add[i]);
}

static void put_removals(struct strbuf *out, const struct sys_wg_peer_change *peer,
                         const struct added *added, const struct wgkey *throwaway)
{
    bool begun = false;
    for (size_t i = 0; !peer->remove && i < peer->allowed_remove_count; i++) {
        struct prefix network = prefix_normalise(&peer->allowed_remove[i]);
        if (added_has(added, &network))
            continue;
        if (!begun)
            put_key(out, "public_key=", throwaway);
        begun = true;
        put_allowed(out, &network);
    }
}

static void reserve(const struct sys_wg_peer_change *peers, size_t count, struct strbuf *out)
{
    size_t size = DEVICE_TEXT + PEER_TEXT;
    for (size_t i = 0; i < count; i++)
        size +=
            PEER_TEXT + ALLOWED_LINE * (peers[i].allowed_add_count + peers[i].allowed_remove_count);
    strbuf_reserve(out, size);
}

void uapi_format_set(const struct sys_wg_device_change *device,
                     const struct sys_wg_peer_change *peers, size_t count,
                     const struct wgkey *throwaway, struct strbuf *out)
{
    bool removes = uapi_removes_allowed(peers, count);
    ADDED_AUTO added = {0};
    if (removes)
        added_collect(&added, peers, count);
    reserve(peers, count, out);
    const char *room = out->text;

    strbuf_puts(out, "set=1\n");
    if (device)
        put_device(out, device);
    for (size_t i = 0; i < count; i++) {
        put_peer(out, &peers[i]);
        put_removals(out, &peers[i], &added, throwaway);
    }
    if (removes) {
        put_key(out, "public_key=", throwaway);
        strbuf_puts(out, "remove=true\n");
    }
    strbuf_putc(out, '\n');
    assert(out->text == room); /* else copies of secrets were left in freed memory */
    (void)room;
}
