#include "reconcilers/sys/real.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "reconcilers/sys/wg_socket.h"
#include "reconcilers/sys/wg_spawn.h"
#include "schema/base/io.h"

#define TUN_DEVICE "/dev/net/tun"

enum {
    ADOPTED = 1,
    GONE_TRIES = 200,
    GONE_PAUSE_NS = 5 * 1000 * 1000, /* 200 of these are 1 s */
};

/* ---- is the name free? ----------------------------------------------------------------------- */

/* The interface of a process that was just killed is still there for a moment. */
static int wait_until_gone(struct real *real, const char *name, struct sys_link *link)
{
    int r = 0;
    for (unsigned i = 0; i < GONE_TRIES; i++) {
        r = real_link_read(real, 0, name, link);
        if (r != 0 || strcmp(link->kind, "tun") != 0)
            break;
        nanosleep(&(struct timespec){.tv_nsec = GONE_PAUSE_NS}, NULL);
    }
    return r;
}

static int require_no_link(struct real *real, const char *name, struct error **reterr)
{
    struct sys_link link;
    int r = wait_until_gone(real, name, &link);
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot read interface \"%s\"", name);
    if (r == 0)
        return error_make_class(
            reterr, ERROR_CONFLICT, EEXIST,
            "interface \"%s\" exists already (kind \"%s\") and is not served by "
            "wireguard-go; remove it or choose another name",
            name, link.kind);
    return 0;
}

/* Somebody listens on the socket: for our interface, for another namespace's, or for one that was
 * deleted a moment ago. */
static int claim_live(struct real *real, const char *name, int fd, struct error **reterr)
{
    struct sys_link link;
    if (wg_socket_is_foreign(fd))
        return error_make_class(
            reterr, ERROR_CONFLICT, EADDRINUSE,
            "\"%s\" is in use by wireguard-go (process %d) in another network "
            "namespace; stop it, give each its own /run, or choose another name",
            wg_socket_address(name).sun_path, (int)wg_socket_owner(fd));
    int r = real_link_read(real, 0, name, &link);
    if (r < 0)
        return netlink_fail(real->netlink, -r, reterr, "cannot read interface \"%s\"", name);
    if (r == SYS_ABSENT) {
        int watch = wg_socket_watch(name);
        r = wg_socket_settle(name, watch, reterr);
        if (watch >= 0)
            close(watch);
        return r;
    }
    return strcmp(link.kind, "tun") == 0 ? ADOPTED : require_no_link(real, name, reterr);
}

/* Returns 0: the name is free now; ADOPTED: the device is there and served. */
static int claim(struct real *real, const char *name, struct error **reterr)
{
    int fd = wg_socket_dial(name);
    if (fd == -ECONNREFUSED) {
        wg_socket_unlink(name);
    } else if (fd < 0 && fd != -ENOENT) {
        return error_errno(reterr, -fd, "cannot connect to \"%s\"",
                           wg_socket_address(name).sun_path);
    } else if (fd >= 0) {
        int r = claim_live(real, name, fd, reterr);
        close(fd);
        return r;
    }
    return require_no_link(real, name, reterr);
}

/* ---- making it ------------------------------------------------------------------------------- */

/* What exists so far of a device that is being made. */
struct birth {
    int tun, socket; /* descriptors, -1: none */
    int index;       /* of the interface, 0: none */
    bool bound;      /* the socket file is there, and ours */
    pid_t pid;       /* of wireguard-go, 0: not started */
};

static const char *tun_remedy(int errnum)
{
    if (errnum == ENOENT || errnum == ENODEV || errnum == ENXIO)
        return "; load the driver: modprobe tun";
    return errnum == EPERM || errnum == EACCES ? "; run as root" : "";
}

/* With the packet information header (no IFF_NO_PI): wireguard-go takes a descriptor that it is
 * given for one with it. IFF_TUN_EXCL: never attach to what exists. */
static int make_tun(struct real *real, const char *name, struct birth *birth, struct error **reterr)
{
    struct ifreq request = {.ifr_flags = (short)(IFF_TUN | IFF_TUN_EXCL)};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    birth->tun = open(TUN_DEVICE, O_RDWR | O_CLOEXEC);
    if (birth->tun < 0 || ioctl(birth->tun, TUNSETIFF, &request) < 0) {
        int errnum = errno;
        const char *what = birth->tun < 0 ? "open \"" TUN_DEVICE "\"" : "make a TUN";
        return error_make(reterr, errnum, "cannot %s for interface \"%s\": %s%s", what, name,
                          strerror(errnum), tun_remedy(errnum));
    }
    int index = netlink_index(real->netlink, name);
    if (index <= 0)
        return error_errno(reterr, index ? -index : ENODEV, "cannot find interface \"%s\"", name);
    birth->index = index;
    struct sys_link_change mark = {.set_group = true, .group = SYS_OWNER};
    int r = real_link_set(real, index, &mark, reterr);
    return r == SYS_ABSENT ? error_make(reterr, ENODEV, "interface \"%s\" vanished", name) : r;
}

/* The mode is set before there is a name, so that the file never has another one. */
static int make_socket(const char *name, struct birth *birth, struct error **reterr)
{
    struct sockaddr_un address = wg_socket_address(name);
    int r = io_mkdirs("/var/run/wireguard", 0700, reterr);
    if (r < 0)
        return r;
    birth->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (birth->socket < 0 || fchmod(birth->socket, 0600) < 0 ||
        bind(birth->socket, (struct sockaddr *)&address, sizeof(address)) < 0)
        return error_errno(reterr, errno, "cannot make the socket \"%s\"", address.sun_path);
    birth->bound = true;
    return 0;
}

static int start(const char *name, struct birth *birth, struct error **reterr)
{
    const char *program = wg_spawn_program();
    if (!program)
        return error_make(reterr, ENOENT, "cannot find wireguard-go: apt install wireguard-go");
    int r = wg_spawn(program, name, birth->tun, birth->socket, &birth->pid);
    return r < 0 ? error_errno(reterr, -r, "cannot start \"%s\"", program) : 0;
}

static int require_answer(struct real *real, const char *name, struct error **reterr)
{
    struct sys_wg_device device;
    int r = real_wg_get(real, name, &device, real_wg_ignore_peer, NULL, reterr);
    if (r == 0)
        wgkey_wipe(&device.private_key);
    if (r == SYS_ABSENT)
        return error_make(reterr, ECONNRESET,
                          "wireguard-go ended as soon as it was started for "
                          "interface \"%s\"",
                          name);
    return r < 0 ? error_wrap(reterr, "wireguard-go was started but does not answer") : 0;
}

static void close_both(struct birth *birth)
{
    if (birth->tun >= 0)
        close(birth->tun);
    if (birth->socket >= 0)
        close(birth->socket);
}

/* Only what this very call has made; the process last, since the interface goes with it anyway. */
static void undo(struct real *real, const char *name, const struct birth *birth)
{
    wg_conns_drop(&real->conns, name);
    if (birth->index) {
        struct ifinfomsg info = {.ifi_index = birth->index};
        NETLINK_MESSAGE *msg = netlink_message(RTM_DELLINK, 0, &info, sizeof(info));
        netlink_request(real->netlink, msg);
    }
    if (birth->pid)
        kill(birth->pid, SIGKILL);
    if (birth->bound)
        wg_socket_unlink(name);
}

int real_wg_create(void *side, const char *name, struct error **reterr)
{
    struct real *real = side;
    int r = claim(real, name, reterr);
    if (r < 0)
        return r;
    if (r == ADOPTED)
        return require_answer(real, name, reterr);

    struct birth birth = {.tun = -1, .socket = -1};
    r = make_tun(real, name, &birth, reterr);
    if (r == 0)
        r = make_socket(name, &birth, reterr);
    if (r == 0)
        r = start(name, &birth, reterr);
    close_both(&birth); /* from here on wireguard-go alone holds them */
    if (r == 0)
        r = require_answer(real, name, reterr);
    if (r < 0)
        undo(real, name, &birth);
    return r < 0 ? error_wrap(reterr, "cannot create WireGuard interface \"%s\"", name) : 0;
}
