#include "controller/api/http_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "schema/base/mem.h"

static int socket_open(int family, int *ret_fd, struct error **reterr)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_errno(reterr, errno, "cannot make a socket");
    *ret_fd = fd;
    return 0;
}

/* --- unix sockets ----------------------------------------------------------------------------- */

static int unix_address(const char *path, struct sockaddr_un *ret, struct error **reterr)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    if (len >= sizeof(address.sun_path))
        return error_make(reterr, ENAMETOOLONG,
                          "cannot listen on \"%s\": a socket's path has at most %zu bytes", path,
                          sizeof(address.sun_path) - 1);
    memcpy(address.sun_path, path, len);
    *ret = address;
    return 0;
}

/*
 * Removes what a dead server left. connect() tells: a socket that nobody listens on refuses. So
 * does a regular file, which is why the type is looked at first. A live server whose queue is full
 * says EAGAIN.
 */
static int remove_stale(int fd, const struct sockaddr_un *address, struct error **reterr)
{
    const char *path = address->sun_path;
    struct stat st;
    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : error_errno(reterr, errno, "cannot look at \"%s\"", path);
    if (!S_ISSOCK(st.st_mode))
        return error_make(reterr, EEXIST,
                          "cannot listen on \"%s\": it is not a socket; move it away", path);
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
        return error_make(reterr, EADDRINUSE,
                          "cannot listen on \"%s\": another picd is running; stop it first", path);
    if (errno != ECONNREFUSED)
        return error_errno(reterr, errno, "cannot connect to \"%s\"", path);
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(reterr, errno, "cannot remove the stale socket \"%s\"", path);
    return 0;
}

static int bind_unix(int fd, const struct sockaddr_un *address, mode_t mode, gid_t gid,
                     struct error **reterr)
{
    const char *path = address->sun_path;
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return error_errno(reterr, errno, "cannot listen on \"%s\"", path);
    if (chown(path, (uid_t)-1, gid) == 0 && chmod(path, mode) == 0)
        return 0;
    int r = error_errno(reterr, errno, "cannot set the owner and mode of \"%s\"", path);
    unlink(path);
    return r;
}

int http_socket_unix(const char *path, mode_t mode, gid_t gid, int *ret_fd, struct error **reterr)
{
    struct sockaddr_un address;
    int fd = -1;
    int r = unix_address(path, &address, reterr);
    if (r == 0)
        r = socket_open(AF_UNIX, &fd, reterr);
    if (r < 0)
        return r;
    r = remove_stale(fd, &address, reterr);
    if (r == 0)
        r = bind_unix(fd, &address, mode, gid, reterr);
    if (r < 0) {
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* --- TCP -------------------------------------------------------------------------------------- */

union tcp_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int tcp_address(const char *text, union tcp_address *ret, struct error **reterr)
{
    MEM_AUTO char *storage = mem_alloc(strlen(text) + 1);
    struct endpoint endpoint;
    const char *why = "the host is not an address";
    if (endpoint_parse(text, storage, &endpoint, &why) < 0 || !endpoint.ip.family)
        return error_make(reterr, EINVAL, "cannot listen on \"%s\": %s", text, why);

    union tcp_address address = {.any.sa_family = endpoint.ip.family};
    if (endpoint.ip.family == AF_INET) {
        address.v4.sin_port = htons(endpoint.port);
        memcpy(&address.v4.sin_addr, endpoint.ip.bytes, sizeof(address.v4.sin_addr));
    } else {
        address.v6.sin6_port = htons(endpoint.port);
        address.v6.sin6_scope_id = endpoint.scope;
        memcpy(&address.v6.sin6_addr, endpoint.ip.bytes, sizeof(address.v6.sin6_addr));
    }
    *ret = address;
    return 0;
}

static void set_option(int fd, int level, int option, int value)
{
    setsockopt(fd, level, option, &value, sizeof(value));
}

int http_socket_tcp(const char *text, int *ret_fd, struct error **reterr)
{
    union tcp_address address;
    int fd = -1;
    int r = tcp_address(text, &address, reterr);
    if (r == 0)
        r = socket_open(address.any.sa_family, &fd, reterr);
    if (r < 0)
        return r;
    set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    if (bind(fd, &address.any, sizeof(address)) < 0) {
        r = error_errno(reterr, errno, "cannot listen on \"%s\"", text);
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* --- accepted sockets ------------------------------------------------------------------------- */

static struct ip ip_of(const union tcp_address *address, uint16_t *ret_port)
{
    struct ip ip = {.family = (uint8_t)address->any.sa_family};
    bool six = ip.family == AF_INET6;
    *ret_port = ntohs(six ? address->v6.sin6_port : address->v4.sin_port);
    if (six)
        memcpy(ip.bytes, &address->v6.sin6_addr, sizeof(address->v6.sin6_addr));
    else
        memcpy(ip.bytes, &address->v4.sin_addr, sizeof(address->v4.sin_addr));
    return ip;
}

/* SO_PEERCRED succeeds on TCP too, and says nothing: only AF_UNIX is asked. */
static void identify_unix(int fd, struct http_peer *peer)
{
    struct ucred credentials = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    socklen_t len = sizeof(credentials);
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &len);
    peer->local = true;
    peer->uid = credentials.uid;
    peer->gid = credentials.gid;
    peer->pid = credentials.pid;
}

void http_socket_identify(int fd, struct http_peer *ret_peer, struct ip *ret_local)
{
    struct http_peer peer = {.uid = (uid_t)-1, .gid = (gid_t)-1};
    union tcp_address ours = {0}, theirs = {0};
    socklen_t ours_len = sizeof(ours), theirs_len = sizeof(theirs);
    uint16_t port;

    getsockname(fd, &ours.any, &ours_len);
    if (ours.any.sa_family == AF_UNIX) {
        identify_unix(fd, &peer);
        *ret_local = (struct ip){0};
    } else {
        getpeername(fd, &theirs.any, &theirs_len);
        peer.ip = ip_of(&theirs, &peer.port);
        *ret_local = ip_of(&ours, &port);
    }
    *ret_peer = peer;
}

void http_socket_tune(int fd, unsigned stall_ms)
{
    enum { PROBES = 3 };
    int interval = (int)(stall_ms / 1000 / PROBES) + 1;
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (int)stall_ms);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, interval);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, interval);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
}
