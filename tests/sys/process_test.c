#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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
    /* None of this may reach it: an open file, a variable, an ignored signal, the working
     * directory.
     */
    cr_assert(open("/etc/hostname", O_RDONLY) >= 0); /* without O_CLOEXEC */
    cr_assert(open("/etc/hostname", O_RDONLY) >= 0);
    setenv("PIC_TEST_SECRET", "hush", 1);
    signal(SIGHUP, SIG_IGN);
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
    cr_expect_eq(ignored_signals(pid) & (1ULL << (SIGHUP - 1)), 0U);
    cr_expect(readlink(proc_path(pid, "cwd", path), cwd, sizeof(cwd) - 1) > 0);
    cr_expect_str_eq(cwd, "/");
    cr_expect_neq(getsid(pid), getsid(0));
    cr_expect_neq(getsid(pid), pid, "no leader of a session: it can get no terminal");
    cr_assert_eq(stat(socket_path, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0600U);
    cr_assert_eq(stat("/run/wireguard", &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0700U);
    cr_expect_eq(signal(SIGHUP, SIG_DFL), SIG_IGN, "our own signals are as before");
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

/* One that is slow to end is waited for; one that does not is named. */
ON_REAL_SIDE(process, that_ends_slowly_is_waited_for)
{
    start_device(sys, "pic0", 51820);
    pid_t server = next_server(0);
    kill(server, SIGSTOP);
    pid_t waker = fork();
    if (waker == 0) {
        usleep(300000);
        kill(server, SIGCONT);
        _exit(0);
    }
    CHECK(sys_link_delete(sys, link_of(sys, "pic0").index, &error), 0);
    cr_expect(!io_exists(socket_path));
    cr_expect_eq(next_server(0), 0);
    waitpid(waker, NULL, 0);

    start_device(sys, "pic0", 51820);
    server = next_server(0);
    kill(server, SIGSTOP);
    ERROR_AUTO slow = NULL;
    cr_expect_eq(sys_link_delete(sys, link_of(sys, "pic0").index, &slow), -ETIMEDOUT);
    cr_expect(slow && slow->class == ERROR_CONFLICT);
    kill(server, SIGCONT);
    EVENTUALLY(next_server(0) == 0);
    start_device(sys, "pic0", 51820);
}

/* Others delete the interface, and its name is wanted again before the old process has ended. */
ON_REAL_SIDE(process, that_is_dying_does_not_harm_the_next_one)
{
    SEEN_AUTO seen = {0};
    start_device(sys, "pic0", 51820);
    pid_t server = next_server(0);
    kill(server, SIGSTOP);
    side->link_remove(sys, "pic0");
    pid_t waker = fork();
    if (waker == 0) {
        usleep(300000);
        kill(server, SIGCONT);
        _exit(0);
    }
    start_device(sys, "pic0", 51820);
    waitpid(waker, NULL, 0);
    usleep(100000);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.listen_port, 51820);
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
