#include "reconcilers/sys/real_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "schema/base/io.h"

enum {
    LISTEN_TRIES = 200,
    LISTEN_PAUSE_NS = 5 * 1000 * 1000, /* 200 of these are 1 s */
    SOCKET_TABLE_MAX = 8 << 20,
};

int real_port_taken(uint16_t port, struct error **reterr)
{
    return error_make_class(reterr, ERROR_CONFLICT, EADDRINUSE,
                            "udp port %u is in use by another program; stop it or choose another "
                            "port",
                            port);
}

static int try_bind(const struct sockaddr *address, socklen_t len)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : -errno;
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    int r = bind(fd, address, len) < 0 ? -errno : 0;
    close(fd);
    return r;
}

/* As wireguard-go does it: every address, both families, a missing one is fine. */
static int test_port(uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    int r = try_bind((struct sockaddr *)&v6, sizeof(v6));
    return r < 0 ? r : try_bind((struct sockaddr *)&v4, sizeof(v4));
}

int real_port_prepare(struct real *real, const char *name, struct sys_wg_device_change *change,
                      uint16_t *ret_old, struct error **reterr)
{
    struct sys_wg_device device;
    int r = real_wg_get(real, name, &device, real_wg_ignore_peer, NULL, reterr);
    if (r != 0)
        return r;
    wgkey_wipe(&device.private_key);
    *ret_old = device.listen_port;
    if (device.listen_port == change->listen_port) {
        change->set_listen_port = false;
        return 0;
    }
    r = change->listen_port ? test_port(change->listen_port) : 0;
    if (r == -EADDRINUSE)
        return real_port_taken(change->listen_port, reterr);
    if (r < 0)
        return error_errno(reterr, -r, "cannot use udp port %u", change->listen_port);
    return 0;
}

/* Looks into the kernel's table: a test by bind() would hold the port at the moment when the device
 * wants it. Lines read "  sl: ADDRESS:PORT REMOTE:PORT STATE …", in hexadecimal. */
static bool listed(const char *path, uint16_t port)
{
    ERROR_AUTO error = NULL;
    STRBUF_AUTO table = STRBUF_INIT;
    if (io_read(path, SOCKET_TABLE_MAX, &table, &error) < 0)
        return false;
    for (const char *line = strchr(table.text, '\n'); line; line = strchr(line + 1, '\n')) {
        const char *slot_end = strchr(line, ':');
        const char *address_end = slot_end ? strchr(slot_end + 1, ':') : NULL;
        if (address_end && strtoul(address_end + 1, NULL, 16) == port)
            return true;
    }
    return false;
}

static bool listens(uint16_t port)
{
    return listed("/proc/thread-self/net/udp", port) || listed("/proc/thread-self/net/udp6", port);
}

/*
 * A device that could not open its sockets when its interface came up counts itself as down: it
 * then notes a new port without opening it. Any news of a running interface makes it try again;
 * setting the alias that is there already is such news and changes nothing.
 */
static int prod(struct real *real, const struct sys_link *link, struct error **reterr)
{
    struct sys_link_change same = {.set_alias = true, .alias = link->alias};
    return real_link_set(real, link->index, &same, reterr);
}

int real_port_confirm(struct real *real, const char *name, uint16_t port, struct error **reterr)
{
    struct sys_link link;
    int r = real_link_read(real, 0, name, &link);
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot read interface \"%s\"", name);
    if (r == SYS_ABSENT || !link.up || port == 0 || listens(port))
        return r;
    r = prod(real, &link, reterr);
    for (unsigned i = 0; r == 0 && i < LISTEN_TRIES; i++) {
        if (listens(port))
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = LISTEN_PAUSE_NS}, NULL);
    }
    return r ? r
             : error_make(reterr, ETIMEDOUT, "interface \"%s\" does not listen on udp port %u",
                          name, port);
}
