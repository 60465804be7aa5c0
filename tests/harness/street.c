#include "tests/harness/street.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schema/base/addr.h"
#include "schema/base/mem.h"

extern char **environ;

enum { WAIT_MS = 1200, WORDS_MAX = 32 };

/* ---- building ---- */

/* A command, split at its spaces. */
static int spawn(const char *command)
{
    MEM_AUTO char *copy = mem_strdup(command);
    char *words[WORDS_MAX], *rest = copy, *word;
    size_t count = 0;
    pid_t pid;
    int status = -1;
    while ((word = strsep(&rest, " ")) && count < WORDS_MAX - 1)
        if (*word)
            words[count++] = word;
    words[count] = NULL;
    if (posix_spawnp(&pid, words[0], NULL, NULL, words, environ) == 0)
        waitpid(pid, &status, 0);
    return status;
}

static void must(const char *command)
{
    cr_assert_eq(spawn(command), 0, "%s", command);
}

static const char *const neighbours[] = {"clients", "beta", "net", "lan"};

static const char *const links[] = {
    "ip link add pic0 address 02:00:00:00:00:01 type veth peer name c0 address 02:00:00:00:00:01 "
    "netns clients",
    "ip link add pl-beta address 02:00:00:00:00:02 type veth peer name pl-alpha address "
    "02:00:00:00:00:02 netns beta",
    "ip link add eth0 type veth peer name n0 netns net",
    "ip link add lan0 type veth peer name l0 netns lan",
    "ip link set lo up",
    "ip link set pic0 arp off up",
    "ip link set pl-beta arp off up",
    "ip link set eth0 up",
    "ip link set lan0 up",
    "ip -n clients link set c0 arp off up",
    "ip -n beta link set pl-alpha arp off up",
    "ip -n net link set n0 up",
    "ip -n lan link set l0 up",
};

static const char *const addresses[] = {
    "ip addr add 10.10.0.1/24 dev pic0",
    "ip addr add fd10:a1fa:ce11::1/64 dev pic0 nodad",
    "ip addr add 10.10.0.1/32 dev pl-beta",
    "ip addr add 203.0.113.2/24 dev eth0",
    "ip addr add 2001:db8:aa::2/64 dev eth0 nodad",
    "ip addr add 192.168.1.1/24 dev lan0",
    "ip addr add fd77::1/64 dev lan0 nodad",
    "ip -n clients addr add 10.10.0.34/24 dev c0",
    "ip -n clients addr add 10.10.0.35/24 dev c0",
    "ip -n clients addr add 10.10.0.36/24 dev c0",
    "ip -n clients addr add fd10:a1fa:ce11::22/64 dev c0 nodad",
    "ip -n clients addr add fd10:a1fa:ce11::23/64 dev c0 nodad",
    "ip -n clients addr add fd10:a1fa:ce11::24/64 dev c0 nodad",
    "ip -n beta addr add 10.20.0.1/32 dev lo",
    "ip -n beta addr add 10.20.0.5/32 dev lo",
    "ip -n beta addr add 10.66.0.5/32 dev lo",
    "ip -n beta addr add 192.168.40.7/32 dev lo",
    "ip -n beta addr add 198.51.100.80/32 dev lo",
    "ip -n beta addr add fd20::1/128 dev lo nodad",
    "ip -n beta addr add fd20::5/128 dev lo nodad",
    "ip -n beta addr add 2001:db8:ff::80/128 dev lo nodad",
    "ip -n net addr add 203.0.113.1/24 dev n0",
    "ip -n net addr add 2001:db8:aa::1/64 dev n0 nodad",
    "ip -n net addr add 198.51.100.80/32 dev lo",
    "ip -n net addr add 198.51.100.81/32 dev lo",
    "ip -n net addr add 2001:db8:ff::80/128 dev lo nodad",
    "ip -n net addr add 2001:db8:ff::81/128 dev lo nodad",
    "ip -n lan addr add 192.168.1.7/24 dev l0",
    "ip -n lan addr add fd77::7/64 dev l0 nodad",
};

static const char *const routes[] = {
    "ip route add default via 203.0.113.1",
    "ip -6 route add default via 2001:db8:aa::1",
    "ip route add 10.10.0.0/24 dev pic0 table 870100",
    "ip route add 10.20.0.0/24 dev pl-beta src 10.10.0.1 table 870100",
    "ip route add 192.168.40.0/24 dev pl-beta table 870100",
    "ip -6 route add fd10:a1fa:ce11::/64 dev pic0 table 870100",
    "ip -6 route add fd20::/64 dev pl-beta table 870100",
    "ip route add default dev pl-beta table 870001",
    "ip -6 route add default dev pl-beta table 870001",
    "ip rule add pref 86 lookup 870100",
    "ip -6 rule add pref 86 lookup 870100",
    "ip rule add pref 87 fwmark 0x3e000000/0x3f000000 lookup main",
    "ip -6 rule add pref 87 fwmark 0x3e000000/0x3f000000 lookup main",
    "ip route add default dev pic0 table 870000",
    "ip -6 route add default dev pic0 table 870000",
    "ip rule add pref 89 not fwmark 0/0x3f000000 lookup 870000",
    "ip -6 rule add pref 89 not fwmark 0/0x3f000000 lookup 870000",
    "ip rule add pref 90 iif pic0 lookup 870000",
    "ip -6 rule add pref 90 iif pic0 lookup 870000",
    "ip rule add pref 90 iif pl-beta lookup 870000",
    "ip -6 rule add pref 90 iif pl-beta lookup 870000",
    "ip -n clients route add default dev c0",
    "ip -n clients -6 route add default dev c0",
    "ip -n beta route add default dev pl-alpha",
    "ip -n beta -6 route add default dev pl-alpha",
    "ip -n net route add 10.10.0.0/24 via 203.0.113.2",
    "ip -n lan route add default via 192.168.1.1",
    "ip -n lan -6 route add default via fd77::1",
    "sysctl -qw net.ipv4.ip_forward=1",
    "sysctl -qw net.ipv6.conf.all.forwarding=1",
};

static void all(const char *const *commands, size_t count)
{
    for (size_t i = 0; i < count; i++)
        must(commands[i]);
}

static void enter(const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/run/netns/%s", name);
    int fd = *name ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (*name && (fd < 0 || setns(fd, CLONE_NEWNET) < 0))
        _exit(1);
    if (fd >= 0)
        close(fd);
}

/* ---- those who answer ---- */

static const uint16_t ports[] = {22, 53, 80, 3443};

struct endpoint_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

static struct endpoint_address address_of(const char *text, uint16_t port)
{
    struct endpoint_address ret = {.len = 0};
    struct ip ip;
    cr_assert_eq(ip_parse(text, &ip), 0, "%s", text);
    if (ip.family == AF_INET) {
        struct sockaddr_in *in = (struct sockaddr_in *)&ret.storage;
        *in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        memcpy(&in->sin_addr, ip.bytes, sizeof(in->sin_addr));
        ret.len = sizeof(*in);
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)&ret.storage;
        *in = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        memcpy(&in->sin6_addr, ip.bytes, sizeof(in->sin6_addr));
        ret.len = sizeof(*in);
    }
    return ret;
}

/* "net 203.0.113.2": who answers, and whom it sees. */
static int answer_text(const char *name, const struct sockaddr_in6 *seen,
                       char buf[static STREET_ANSWER_MAX])
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, &seen->sin6_addr, text, sizeof(text));
    const char *address = strncmp(text, "::ffff:", 7) == 0 ? text + 7 : text;
    return snprintf(buf, STREET_ANSWER_MAX, "%s %s", *name ? name : "cell", address);
}

static void answer_tcp(const char *name, int fd)
{
    struct sockaddr_in6 seen;
    socklen_t len = sizeof(seen);
    char text[STREET_ANSWER_MAX];
    int connection = accept(fd, (struct sockaddr *)&seen, &len);
    int size = answer_text(name, &seen, text);
    if (connection >= 0 && write(connection, text, (size_t)size) < 0)
        _exit(1);
    close(connection);
}

/* From the address that was asked: what came with the question goes back with the answer. */
static void answer_udp(const char *name, int fd)
{
    struct sockaddr_in6 seen;
    char text[STREET_ANSWER_MAX];
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    } control;
    struct iovec data = {text, sizeof(text)};
    struct msghdr message = {.msg_name = &seen,
                             .msg_namelen = sizeof(seen),
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control)};
    if (recvmsg(fd, &message, 0) < 0)
        return;
    ((struct in6_pktinfo *)CMSG_DATA(&control.header))->ipi6_ifindex = 0;
    data.iov_len = (size_t)answer_text(name, &seen, text);
    sendmsg(fd, &message, 0);
}

static void serve(const char *name, int ready)
{
    struct pollfd fds[2 * ARRAY_SIZE(ports)];
    for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
        struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(ports[i / 2])};
        bool tcp = i % 2 == 0;
        fds[i] = (struct pollfd){.fd = socket(AF_INET6, tcp ? SOCK_STREAM : SOCK_DGRAM, 0),
                                 .events = POLLIN};
        setsockopt(fds[i].fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
        setsockopt(fds[i].fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &(int){1}, sizeof(int));
        if (bind(fds[i].fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
            (tcp && listen(fds[i].fd, 16) < 0))
            _exit(1);
    }
    close(ready);
    while (poll(fds, ARRAY_SIZE(fds), -1) > 0)
        for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
            if (fds[i].revents)
                (i % 2 == 0 ? answer_tcp : answer_udp)(name, fds[i].fd);
    _exit(0);
}

static void start_server(struct street *s, const char *name)
{
    int ready[2];
    char none;
    cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        close(ready[0]);
        enter(name);
        serve(name, ready[1]);
    }
    close(ready[1]);
    s->servers[s->server_count++] = pid;
    cr_assert_eq(read(ready[0], &none, 1), 0);
    close(ready[0]);
}

void street_build(struct street *s, unsigned number)
{
    char rule[96];
    *s = (struct street){.server_count = 0};
    mkdir("/run/netns", 0700);
    for (size_t i = 0; i < ARRAY_SIZE(neighbours); i++) {
        char command[64];
        snprintf(command, sizeof(command), "ip netns add %s", neighbours[i]);
        must(command);
        snprintf(command, sizeof(command), "ip -n %s link set lo up", neighbours[i]);
        must(command);
    }
    all(links, ARRAY_SIZE(links));
    all(addresses, ARRAY_SIZE(addresses));
    all(routes, ARRAY_SIZE(routes));
    for (int family = 4; family <= 6; family += 2) {
        snprintf(rule, sizeof(rule), "ip -%d rule add pref 88 fwmark 0x%x/0x3f000000 lookup 870001",
                 family, number << 24);
        must(rule);
    }
    start_server(s, "");
    for (size_t i = 0; i < ARRAY_SIZE(neighbours); i++)
        start_server(s, neighbours[i]);
}

void street_clear(struct street *s)
{
    for (size_t i = 0; i < s->server_count; i++) {
        kill(s->servers[i], SIGKILL);
        waitpid(s->servers[i], NULL, 0);
    }
    s->server_count = 0;
}

/* ---- those who ask ---- */

/* A socket in the namespace; only this one call is made there. */
static int socket_in(const char *from, int type, const char *source)
{
    struct endpoint_address own = address_of(source, 0);
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    enter(from);
    int fd = socket(own.storage.ss_family, type, 0);
    cr_assert_eq(setns(home, CLONE_NEWNET), 0);
    close(home);
    cr_assert_eq(bind(fd, (struct sockaddr *)&own.storage, own.len), 0, "%s: %s", source,
                 strerror(errno));
    struct timeval wait = {.tv_sec = WAIT_MS / 1000, .tv_usec = WAIT_MS % 1000 * 1000};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    return fd;
}

static char *in_words(int errnum, char buf[static STREET_ANSWER_MAX])
{
    bool timeout = errnum == EINPROGRESS || errnum == EAGAIN || errnum == ETIMEDOUT;
    snprintf(buf, STREET_ANSWER_MAX, "%s",
             timeout                  ? "timeout"
             : errnum == ECONNREFUSED ? "refused"
                                      : strerror(errnum));
    return buf;
}

static char *receive(int fd, char buf[static STREET_ANSWER_MAX])
{
    ssize_t len = recv(fd, buf, STREET_ANSWER_MAX - 1, 0);
    if (len < 0)
        return in_words(errno, buf);
    buf[len] = '\0';
    return buf;
}

char *street_connect(const char *from, const char *source, const char *destination, uint16_t port,
                     char buf[static STREET_ANSWER_MAX])
{
    struct endpoint_address to = address_of(destination, port);
    int fd = socket_in(from, SOCK_STREAM | SOCK_CLOEXEC, source);
    if (connect(fd, (struct sockaddr *)&to.storage, to.len) < 0)
        in_words(errno, buf);
    else
        receive(fd, buf);
    close(fd);
    return buf;
}

int street_open(const char *from, const char *source, const char *destination, uint16_t port)
{
    struct endpoint_address to = address_of(destination, port);
    int fd = socket_in(from, SOCK_DGRAM | SOCK_CLOEXEC, source);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to.storage, to.len), 0);
    return fd;
}

char *street_ask(int socket, char buf[static STREET_ANSWER_MAX])
{
    if (send(socket, "?", 1, 0) < 0)
        return in_words(errno, buf);
    return receive(socket, buf);
}

const char *street_ping(const char *from, const char *source, const char *destination)
{
    char command[160];
    snprintf(command, sizeof(command), "ip netns exec %s ping -q -c 1 -W 1 -I %s %s", from, source,
             destination);
    return spawn(command) == 0 ? "answered" : "timeout";
}
