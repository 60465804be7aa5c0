#include "reconcilers/sys/wg_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum {
    IO_TIMEOUT_SECONDS = 5,
    SETTLE_MS = 2000, /* about 20 are needed */
    SETTLE_PAUSE_MS = 5,
};

struct sockaddr_un wg_socket_address(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "/var/run/wireguard/%s.sock", name);
    return address;
}

int wg_socket_dial(const char *name)
{
    struct sockaddr_un address = wg_socket_address(name);
    struct timeval timeout = {.tv_sec = IO_TIMEOUT_SECONDS};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* The send timeout also bounds connect(), which waits while the backlog is full. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int errnum = errno == EAGAIN ? ETIMEDOUT : errno;
        close(fd);
        return -errnum;
    }
    return fd;
}

void wg_socket_unlink(const char *name)
{
    unlink(wg_socket_address(name).sun_path);
}

pid_t wg_socket_owner(int fd)
{
    struct ucred owner = {0};
    socklen_t len = sizeof(owner);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &owner, &len) == 0 ? owner.pid : 0;
}

/* A daemon that put itself in the background leaves the number of its first process, which may be
 * somebody else's by now: only a process of this program's name is asked. */
static bool is_wireguard_go(pid_t pid)
{
    char path[64], name[32] = "";
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t len = read(fd, name, sizeof(name) - 1);
    close(fd);
    return len > 0 && strcmp(name, "wireguard-go\n") == 0;
}

bool wg_socket_is_foreign(int fd)
{
    char path[64];
    struct stat ours, theirs;
    pid_t pid = wg_socket_owner(fd);
    if (pid <= 0 || !is_wireguard_go(pid))
        return false;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    if (stat("/proc/thread-self/ns/net", &ours) < 0 || stat(path, &theirs) < 0)
        return false;
    return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev;
}

int wg_socket_watch(const char *name)
{
    int fd = wg_socket_dial(name);
    if (fd < 0)
        return -1;
    pid_t pid = wg_socket_owner(fd);
    int watch = is_wireguard_go(pid) && !wg_socket_is_foreign(fd) ? pidfd_open(pid, 0) : -1;
    close(fd);
    return watch;
}

/* True when no socket of this namespace is left; removes a stale one. */
static bool is_settled(const char *name)
{
    int fd = wg_socket_dial(name);
    if (fd == -ECONNREFUSED)
        wg_socket_unlink(name);
    if (fd < 0)
        return fd != -ETIMEDOUT;
    bool foreign = wg_socket_is_foreign(fd);
    close(fd);
    return foreign;
}

int wg_socket_settle(const char *name, int watch, struct error **reterr)
{
    struct pollfd end = {.fd = watch, .events = POLLIN};
    bool ended = watch < 0 || poll(&end, 1, SETTLE_MS) == 1;
    for (unsigned waited = 0; ended && waited < SETTLE_MS; waited += SETTLE_PAUSE_MS) {
        if (is_settled(name))
            return 0;
        nanosleep(&(struct timespec){.tv_nsec = SETTLE_PAUSE_MS * 1000 * 1000}, NULL);
    }
    return error_make_class(reterr, ERROR_CONFLICT, ETIMEDOUT,
                            "what serves \"%s\" does not end although its interface is gone; stop "
                            "that wireguard-go",
                            wg_socket_address(name).sun_path);
}
