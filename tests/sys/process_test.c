#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "tests/sys/real_hands.h"

static const char socket_path[] = "/run/wireguard/pic0.sock";

/* ---- how wireguard-go runs ------------------------------------------------------------------- */

static const char *proc_path(pid_t pid, const char *name, char buf[static 64])
{
    snprintf(buf, 64, "/proc/%d/%s", (int)pid, name);
    return buf;
}

static bool proc_contains(pid_t pid, const char *name, const char *text)
{
    char path[64];
    ERROR_AUTO error = NULL;
    STRBUF_AUTO content = STRBUF_INIT;
    cr_assert_eq(io_read(proc_path(pid, name, path), 1 << 20, &content, &error), 0);
    return memmem(content.text, content.len, text, strlen(text));
}

/* Descriptors that lead to a file whose path begins so. */
static unsigned descriptors(pid_t pid, const char *begin)
{
    char path[64], target[256];
    unsigned count = 0;
    DIR *dir = opendir(proc_path(pid, "fd", path));
    cr_assert(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        ssize_t len = readlinkat(dirfd(dir), entry->d_name, target, sizeof(target) - 1);
        target[len < 0 ? 0 : len] = '\0';
        count += strncmp(target, begin, strlen(begin)) == 0;
    }
    closedir(dir);
    return count;
}

static uint64_t ignored_signals(pid_t pid)
{
    char path[64];
    ERROR_AUTO error = NULL;
    STRBUF_AUTO status = STRBUF_INIT;
    cr_assert_eq(io_read(proc_path(pid, "status", path), 1 << 20, &status, &error), 0);
    const char *line = strstr(status.text, "SigIgn:");
    cr_assert(line);
    return strtoull(line + strlen("SigIgn:"), NULL, 16);
}

ON_REAL_SIDE(process, is_free_of_its_maker)
{
    char path[64], cwd[256] = "";
    struct stat status;
    /* None of this may reach it: an open file, a variable, ignored signals, the working directory.
     */
    cr_assert(open("/etc/hostname", O_RDONLY) >= 0); /* without O_CLOEXEC */
    cr_assert(open("/etc/hostname", O_RDONLY) >= 0);
    setenv("PIC_TEST_SECRET", "hush", 1);
    signal(SIGUSR2, SIG_IGN);
    cr_assert_eq(chdir("/usr"), 0);
    mode_t mask = umask(0);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    umask(mask);

    pid_t pid = next_server(0);
    cr_assert(pid > 0 && next_server(pid) == 0);
    cr_expect_eq(descriptors(pid, "/etc/"), 0U);
    cr_expect_eq(descriptors(pid, "/dev/null"), 3U);
    cr_expect_eq(descriptors(pid, "/dev/net/tun"), 1U);
    cr_expect(!proc_contains(pid, "environ", "hush"));
    cr_expect(proc_contains(pid, "environ", "LOG_LEVEL=error"));
    cr_expect_eq(ignored_signals(pid) & (1ULL << (SIGUSR2 - 1)), 0U);
    cr_expect(readlink(proc_path(pid, "cwd", path), cwd, sizeof(cwd) - 1) > 0);
    cr_expect_str_eq(cwd, "/");
    cr_expect_neq(getsid(pid), getsid(0));
    cr_expect_neq(getsid(pid), pid, "no leader of a session: it can get no terminal");
    cr_assert_eq(stat(socket_path, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0600U);
    cr_assert_eq(stat("/run/wireguard", &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0700U);
    cr_expect_eq(signal(SIGUSR2, SIG_DFL), SIG_IGN, "our own signals are as before");
}

ON_REAL_SIDE(process, outlives_its_maker)
{
    SEEN_AUTO seen = {0};
    pid_t maker = fork();
    if (maker == 0) {
        struct sys *own;
        ERROR_AUTO error = NULL;
        if (sys_open(&own, &error) == 0 && sys_wg_create(own, "pic0", &error) == 0)
            kill(getpid(), SIGKILL);
        _exit(1);
    }
    int status;
    cr_assert_eq(waitpid(maker, &status, 0), maker);
    cr_assert(WIFSIGNALED(status), "it made the device and was killed");
    add_peer(sys, "pic0", 1, "10.0.0.1/32");
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 1U);
}

ON_REAL_SIDE(process, ends_with_its_interface)
{
    start_device(sys, "pic0", 51820);
    start_device(sys, "pl-x", 51821);
    cr_assert(next_server(next_server(0)) > 0);
    CHECK(sys_link_delete(sys, link_of(sys, "pic0").index, &error), 0);
    cr_expect(!io_exists(socket_path));
    cr_expect_eq(next_server(next_server(0)), 0, "one is left");
    CHECK(sys_link_delete(sys, link_of(sys, "pl-x").index, &error), 0);
    cr_expect_eq(next_server(0), 0);
}

ON_REAL_SIDE(process, replaced_behind_a_kept_connection)
{
    SEEN_AUTO seen = {0};
    start_device(sys, "pic0", 51820);
    seen_read(&seen, sys, "pic0");
    struct sys *other = side->reopen(sys);
    CHECK(sys_link_delete(other, link_of(other, "pic0").index, &error), 0);
    start_device(other, "pic0", 51830);
    side->reclose(other);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.listen_port, 51830);
}

/* ---- when it cannot be made ------------------------------------------------------------------ */

/* What stands in for a file, or for a directory (an empty one), and what the error says then. */
static const struct {
    const char *target, *instead;
    const char *says;
} obstacles[] = {
    {"/usr/bin/wireguard-go", "/dev/null", "apt install wireguard-go"},
    {"/usr/bin/wireguard-go", "/bin/false", "wireguard-go"},
    {"/usr/bin/wireguard-go", "/etc/hostname", "wireguard-go"},
    {"/usr/bin/wireguard-go", "/usr/bin/yes", "does not answer"},
    {"/dev/net", NULL, "modprobe tun"},
};

static void expect_nothing_left(void)
{
    EVENTUALLY(next_server(0) == 0);
    cr_expect_eq(if_nametoindex("pic0"), 0U);
    cr_expect(!io_exists(socket_path));
}

ON_REAL_SIDE(process, nothing_is_left_of_a_failure)
{
    for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++) {
        ERROR_AUTO error = NULL;
        const char *target = obstacles[i].target;
        if (obstacles[i].instead)
            cr_assert_eq(mount(obstacles[i].instead, target, NULL, MS_BIND, NULL), 0);
        else
            cr_assert_eq(mount("tmpfs", target, "tmpfs", 0, NULL), 0);
        cr_assert(sys_wg_create(sys, "pic0", &error) < 0, "%s", obstacles[i].says);
        cr_expect(strstr(error->message, obstacles[i].says), "%s", error->message);
        expect_nothing_left();
        cr_assert_eq(umount2(target, MNT_DETACH), 0);
    }
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
}

ON_REAL_SIDE(process, without_privilege)
{
    ERROR_AUTO error = NULL;
    cr_assert_eq(seteuid(65534), 0);
    int r = sys_wg_create(sys, "pic0", &error);
    cr_assert_eq(seteuid(0), 0);
    cr_assert_eq(r, -EPERM);
    cr_expect(strstr(error->message, "run as root"), "%s", error->message);
    expect_nothing_left();
}

/* wireguard-go loses its port when it is refused another one; here it may not open one below 1024,
 * which the test before the change cannot foresee. */
ON_REAL_SIDE(process, old_port_works_again_after_a_refusal)
{
    SEEN_AUTO seen = {0};
    cr_assert_eq(prctl(PR_CAPBSET_DROP, CAP_NET_BIND_SERVICE, 0, 0, 0), 0);
    start_device(sys, "pic0", 51820);
    struct sys_wg_device_change change = {.set_listen_port = true, .listen_port = 80};
    CHECK(sys_wg_set(sys, "pic0", &change, NULL, 0, &error), -EADDRINUSE);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.listen_port, 51820);
    CHECK(sys_wg_create(sys, "pl-x", &error), 0);
    change.listen_port = 51820;
    CHECK(sys_wg_set(sys, "pl-x", &change, NULL, 0, &error), -EADDRINUSE);
}

/* ---- the socket is a file -------------------------------------------------------------------- */

/* A device of the same name in another network namespace, until `fd` ends. */
static _Noreturn void live_elsewhere(int fd)
{
    struct sys *sys;
    char byte = 'x';
    ERROR_AUTO error = NULL;
    bool ready = unshare(CLONE_NEWNET) == 0 && sys_open(&sys, &error) == 0 &&
                 sys_wg_create(sys, "pic0", &error) == 0;
    struct sys_link link;
    if (!ready || write(fd, &byte, 1) != 1)
        _exit(1);
    while (read(fd, &byte, 1) < 0 && errno == EINTR)
        ;
    if (sys_link_get(sys, "pic0", &link, &error) == 0)
        sys_link_delete(sys, link.index, &error);
    _exit(0);
}

ON_REAL_SIDE(process, that_lives_elsewhere_is_respected)
{
    int ends[2];
    char byte;
    struct sys_wg_device device;
    ERROR_AUTO refusal = NULL;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        live_elsewhere(ends[1]);
    }
    close(ends[1]);
    cr_assert_eq(read(ends[0], &byte, 1), 1);

    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    cr_assert_eq(sys_wg_create(sys, "pic0", &refusal), -EADDRINUSE);
    cr_expect(strstr(refusal->message, "another network namespace"), "%s", refusal->message);
    cr_expect_eq(refusal->class, ERROR_CONFLICT);
    cr_expect(io_exists(socket_path), "its socket stays");
    cr_expect_eq(if_nametoindex("pic0"), 0U);

    /* An interface of that name here does not make it ours either, and deleting it waits for
     * nobody. */
    run((const char *[]){"ip", "tuntap", "add", "pic0", "mode", "tun", NULL});
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    CHECK(sys_link_delete(sys, link_of(sys, "pic0").index, &error), 0);
    cr_expect(io_exists(socket_path));

    close(ends[0]);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
}

static int listen_by_hand(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    mkdir("/run/wireguard", 0700);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(fd, 5), 0);
    return fd;
}

ON_REAL_SIDE(process, leftover_socket_is_replaced)
{
    struct sys_wg_device device;
    close(listen_by_hand());
    cr_assert(io_exists(socket_path));
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), 0);
}

ON_REAL_SIDE(process, persistent_tun_of_others_is_not_taken)
{
    run((const char *[]){"ip", "tuntap", "add", "pic0", "mode", "tun", NULL});
    int index = link_of(sys, "pic0").index;
    CHECK(sys_wg_create(sys, "pic0", &error), -EEXIST);
    cr_expect_eq(link_of(sys, "pic0").index, index);
}

/* ---- nonsense from the other end ------------------------------------------------------------- */

static const struct {
    const char *answer;
    int result;
} answers[] = {
    {"", -ECONNRESET},
    {"errno=0\n", -ECONNRESET},
    {"public_key=00\n", -EBADMSG},
    {"HTTP/1.1 400 Bad Request\r\n\r\n", -EBADMSG},
    {"errno=0\n\nerrno=0\n\n", -EBADMSG},
    {"errno=-22\n\n", -EINVAL},
    {"errno=-98\n\n", -EADDRINUSE},
    {"listen_port=1\nerrno=0\n\n", 0},
};

static _Noreturn void answer(int fd)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        char request[64];
        int client = accept(fd, NULL, NULL);
        ssize_t len = read(client, request, sizeof(request));
        size_t size = strlen(answers[i].answer);
        if (len <= 0 || write(client, answers[i].answer, size) != (ssize_t)size)
            _exit(1);
        close(client);
    }
    _exit(0);
}

ON_REAL_SIDE(process, that_talks_nonsense)
{
    int status;
    side->link_add(sys, "pic0");
    int fd = listen_by_hand();
    pid_t pid = fork();
    if (pid == 0)
        answer(fd);
    close(fd);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        struct sys_wg_device device;
        CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), answers[i].result);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0);
}

/* ---- lists that change while they are read --------------------------------------------------- */

enum { STABLE = 600, MOVING = 200, LOOKS = 300 };

static struct prefix numbered(uint8_t net, unsigned number)
{
    return (struct prefix){
        .ip = {.family = AF_INET, .bytes = {10, net, (uint8_t)(number >> 8), (uint8_t)number}},
        .len = 32};
}

/* Takes addresses from the head of the list and puts them at its end: whoever counts positions
 * while he reads skips some. */
static _Noreturn void churn(int index)
{
    struct sys *sys;
    ERROR_AUTO error = NULL;
    if (sys_open(&sys, &error) < 0)
        _exit(1);
    for (unsigned i = 0;; i = (i + 1) % MOVING) {
        struct prefix prefix = numbered(1, i);
        if (sys_addr_delete(sys, index, &prefix, &error) < 0 ||
            sys_addr_add(sys, index, &prefix, false, &error) < 0)
            _exit(1);
    }
}

static unsigned count_stable(const struct sys_addrs *addrs)
{
    unsigned count = 0;
    for (size_t i = 0; i < addrs->count; i++)
        count += addrs->list[i].prefix.ip.bytes[1] == 2;
    return count;
}

ON_REAL_SIDE(process, list_is_whole_or_an_error)
{
    struct sys_addrs addrs = {0};
    unsigned whole = 0;
    side->link_add(sys, "other0");
    int index = link_of(sys, "other0").index;
    for (unsigned i = 0; i < MOVING + STABLE; i++) {
        struct prefix prefix = i < MOVING ? numbered(1, i) : numbered(2, i);
        CHECK(sys_addr_add(sys, index, &prefix, false, &error), 0);
    }
    pid_t pid = fork();
    if (pid == 0)
        churn(index);
    for (unsigned i = 0; i < LOOKS; i++) {
        ERROR_AUTO error = NULL;
        int r = sys_addr_list(sys, index, &addrs, &error);
        cr_expect(r == 0 || r == -EAGAIN);
        cr_expect(r < 0 || count_stable(&addrs) == STABLE, "look %u: %u", i, count_stable(&addrs));
        whole += r == 0;
    }
    cr_expect_eq(waitpid(pid, NULL, WNOHANG), 0, "the list changed all the time");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    CHECK(sys_addr_list(sys, index, &addrs, &error), 0);
    cr_expect_eq(count_stable(&addrs), (unsigned)STABLE);
    cr_log_info("%u of %u looks were undisturbed", whole, (unsigned)LOOKS);
    sys_addrs_clear(&addrs);
}
