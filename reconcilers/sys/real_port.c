#include "reconcilers/sys/real_port.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

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
