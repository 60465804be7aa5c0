#include "reconcilers/sys/real.h"

#include <errno.h>

#include "reconcilers/sys/real_port.h"
#include "schema/base/mem.h"

static void wipe_text(struct strbuf *text)
{
    mem_wipe(text->text, text->len);
    strbuf_clear(text);
}

static void wipe_change(struct sys_wg_device_change *change)
{
    wgkey_wipe(&change->private_key);
}

void real_wg_ignore_peer(const struct sys_wg_peer *peer, void *context)
{
    (void)peer;
    (void)context;
}

/* One request to the device of that name. Returns 0, SYS_ABSENT, or a negative errno value, which
 * may be what the device said (then *ret_refused). */
static int ask(struct real *real, const char *name, const char *text, size_t len,
               struct uapi_parser *parser, bool *ret_refused)
{
    *ret_refused = false;
    int index = netlink_index(real->netlink, name);
    if (index < 0 && index != -ENODEV)
        return index;
    int fd = index < 0 ? -ENOENT : wg_conns_get(&real->conns, name);
    int r = fd < 0 ? fd : wg_conn_ask(fd, text, len, parser);
    if (r == 0 && parser->errnum == 0)
        return 0;
    /* After a refusal the rest of the request may stand unread in the connection. */
    wg_conns_drop(&real->conns, name);
    if (r == 0)
        *ret_refused = true;
    return r == 0 ? -parser->errnum : r == -ENOENT ? SYS_ABSENT : r;
}

int real_wg_get(void *side, const char *name, struct sys_wg_device *ret,
                void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
                struct error **reterr)
{
    __attribute__((cleanup(uapi_parser_clear))) struct uapi_parser parser;
    bool refused;
    uapi_parser_init(&parser, peer, context);
    int r = ask(side, name, UAPI_GET, sizeof(UAPI_GET) - 1, &parser, &refused);
    if (r == 0)
        *ret = parser.device;
    return r < 0 ? error_errno(reterr, -r, "cannot read WireGuard interface \"%s\"", name) : r;
}

static int set(struct real *real, const char *name, const struct sys_wg_device_change *device,
               const struct sys_wg_peer_change *peers, size_t count, struct error **reterr)
{
    struct wgkey throwaway = {0};
    if (uapi_removes_allowed(peers, count))
        wgkey_generate_psk(&throwaway); /* 32 random bytes are a public key whose owner nobody is */
    __attribute__((cleanup(wipe_text))) struct strbuf text = STRBUF_INIT;
    uapi_format_set(device, peers, count, &throwaway, &text);

    __attribute__((cleanup(uapi_parser_clear))) struct uapi_parser parser;
    bool refused;
    uapi_parser_init(&parser, real_wg_ignore_peer, NULL);
    int r = ask(real, name, text.text, text.len, &parser, &refused);
    if (r >= 0)
        return r;
    if (refused && r == -EADDRINUSE && device && device->set_listen_port)
        return real_port_taken(device->listen_port, reterr);
    return error_errno(reterr, -r, "%s WireGuard interface \"%s\"",
                       refused ? "wireguard-go refuses a change of" : "cannot change", name);
}

/* The old port again after the new one turned out to be taken, between the test and the change. */
static void restore_port(struct real *real, const char *name, uint16_t port)
{
    ERROR_AUTO error = NULL;
    struct sys_wg_device_change old = {.set_listen_port = true, .listen_port = port};
    if (port)
        set(real, name, &old, NULL, 0, &error);
}

int real_wg_set(void *side, const char *name, const struct sys_wg_device_change *device,
                const struct sys_wg_peer_change *peers, size_t count, struct error **reterr)
{
    struct real *real = side;
    uint16_t old_port = 0;
    __attribute__((cleanup(wipe_change))) struct sys_wg_device_change change = {0};
    if (device)
        change = *device;
    int r = change.set_listen_port ? real_port_prepare(real, name, &change, &old_port, reterr) : 0;
    if (r != 0)
        return r;
    r = set(real, name, &change, peers, count, reterr);
    if (r == -EADDRINUSE && change.set_listen_port)
        restore_port(real, name, old_port);
    return r;
}
