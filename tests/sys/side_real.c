#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/sys/real_hands.h"

extern char **environ;

void run(const char *const *argv)
{
    pid_t pid;
    int status = -1;
    cr_assert_eq(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ), 0, "%s",
                 argv[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s %s %s failed", argv[0], argv[1],
              argv[2]);
}

void output_of(const char *const *argv, struct strbuf *ret)
{
    int ends[2], status = -1;
    pid_t pid;
    char buf[4096];
    posix_spawn_file_actions_t actions;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 2);
    cr_assert_eq(posix_spawnp(&pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    for (ssize_t len; (len = read(ends[0], buf, sizeof(buf))) > 0;)
        strbuf_add(ret, buf, (size_t)len);
    close(ends[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0, "%s %s: %s", argv[0], argv[1], ret->text);
}

/* ---- wireguard-go processes of this namespace ------------------------------------------------ */

static bool is_ours(pid_t pid)
{
    char path[64], text[64] = "";
    struct stat ours, theirs;
    snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (len <= 0 || strcmp(text, "wireguard-go\n") != 0)
        return false;
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
    return stat("/proc/thread-self/ns/net", &ours) == 0 && stat(path, &theirs) == 0 &&
           ours.st_ino == theirs.st_ino;
}

/* A process that has ended and is not yet collected has no namespace any more. */
pid_t next_server(pid_t after)
{
    pid_t found = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > after && (!found || pid < found) && is_ours(pid))
            found = pid;
    }
    if (proc)
        closedir(proc);
    return found;
}

static void kill_servers(void)
{
    for (pid_t pid = 0; (pid = next_server(pid));)
        kill(pid, SIGKILL);
}

/*
 * Waits in the test's namespace until the test has ended, however it ended, and kills what it left.
 * It has nothing open but its end of the pipe, so that nobody waits for it.
 */
static _Noreturn void watch_over(int fd)
{
    char byte;
    signal(SIGTERM, SIG_IGN);
    setsid();
    dup2(fd, 0);
    close_range(1, ~0U, 0);
    while (read(0, &byte, 1) < 0 && errno == EINTR)
        ;
    kill_servers();
    _exit(0);
}

/* ---- the namespace --------------------------------------------------------------------------- */

/* The test's end of the pipe to its guard; a number that nothing else here has. */
enum { GUARD_FD = 200 };

int guard_namespace(void)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0)
        watch_over(ends[0]);
    close(ends[0]);
    return ends[1];
}

void enter_namespace(void)
{
    if (geteuid() != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
        cr_skip_test("network namespaces need root");
    cr_assert_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    cr_assert_eq(mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"), 0);
    run((const char *[]){"ip", "link", "set", "lo", "up", NULL});
    int guard = guard_namespace();
    cr_assert_eq(dup3(guard, GUARD_FD, O_CLOEXEC), GUARD_FD);
    close(guard);
}

void leave_namespace(void)
{
    close(GUARD_FD);
    EVENTUALLY(next_server(0) == 0);
}

static struct sys *real_open(void)
{
    struct sys *sys = NULL;
    enter_namespace();
    CHECK(sys_open(&sys, &error), 0);
    return sys;
}

static void real_close(struct sys *sys)
{
    sys_close(sys);
    leave_namespace();
}

static struct sys *real_reopen(struct sys *sys)
{
    (void)sys;
    struct sys *second = NULL;
    CHECK(sys_open(&second, &error), 0);
    return second;
}

/* ---- hands ----------------------------------------------------------------------------------- */

static void real_link_add(struct sys *sys, const char *name)
{
    (void)sys;
    run((const char *[]){"ip", "link", "add", name, "type", "bridge", NULL});
}

static void real_link_remove(struct sys *sys, const char *name)
{
    (void)sys;
    run((const char *[]){"ip", "link", "del", name, NULL});
}

static void real_link_up(struct sys *sys, const char *name, bool up)
{
    (void)sys;
    run((const char *[]){"ip", "link", "set", name, up ? "up" : "down", NULL});
}

static void real_link_kill(struct sys *sys, const char *name)
{
    (void)sys;
    pid_t pid = next_server(0);
    cr_assert(pid > 0 && next_server(pid) == 0, "there is one server");
    kill(pid, SIGKILL);
    EVENTUALLY(if_nametoindex(name) == 0);
}

static void real_addr(const char *verb, const char *name, const struct prefix *prefix)
{
    char text[ADDR_TEXT_MAX];
    run((const char *[]){"ip", "addr", verb, prefix_format(prefix, text), "dev", name, NULL});
}

static void real_addr_add(struct sys *sys, const char *name, const struct prefix *prefix)
{
    (void)sys;
    real_addr("add", name, prefix);
}

static void real_addr_remove(struct sys *sys, const char *name, const struct prefix *prefix)
{
    (void)sys;
    real_addr("del", name, prefix);
}

/* Stays taken until the test's process ends. */
static void real_port_take(struct sys *sys, uint16_t port)
{
    (void)sys;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
}

static void real_uplink(struct sys *sys, uint32_t mtu)
{
    (void)sys;
    char text[16];
    if (if_nametoindex("uplink0"))
        run((const char *[]){"ip", "link", "del", "uplink0", NULL});
    if (!mtu)
        return;
    snprintf(text, sizeof(text), "%u", mtu);
    run((const char *[]){"ip", "link", "add", "uplink0", "mtu", text, "type", "veth", "peer",
                         "uplink1", NULL});
    run((const char *[]){"ip", "link", "set", "uplink1", "up", NULL});
    run((const char *[]){"ip", "link", "set", "uplink0", "up", NULL});
    run((const char *[]){"ip", "addr", "add", "198.51.100.2/24", "dev", "uplink0", NULL});
    run((const char *[]){"ip", "route", "add", "default", "via", "198.51.100.1", NULL});
}

static void real_uplink6(struct sys *sys, bool on)
{
    (void)sys;
    const char *verb = on ? "add" : "del";
    if (on)
        run((const char *[]){"ip", "-6", "addr", verb, "2001:db8:ffff::2/64", "dev", "uplink0",
                             "nodad", NULL});
    run((const char *[]){"ip", "-6", "route", verb, "default", "via", "2001:db8:ffff::1", "dev",
                         "uplink0", "proto", "ra", NULL});
    if (!on)
        run((const char *[]){"ip", "-6", "addr", verb, "2001:db8:ffff::2/64", "dev", "uplink0",
                             NULL});
}

/* A command line, word by word. */
struct words {
    const char *argv[32];
    char text[16][ADDR_TEXT_MAX]; /* of those that are made here */
    size_t count, texts;
};

static void say(struct words *words, const char *word)
{
    words->argv[words->count++] = word;
}

static void say_number(struct words *words, const char *word, uint32_t number)
{
    char *text = words->text[words->texts++];
    snprintf(text, ADDR_TEXT_MAX, "%u", number);
    say(words, word);
    say(words, text);
}

static void begin(struct words *words, uint8_t family, const char *object, const char *verb)
{
    say(words, "ip");
    say(words, family == AF_INET6 ? "-6" : "-4");
    say(words, object);
    say(words, verb);
}

static void real_route(const char *verb, const struct sys_route *route)
{
    struct words words = {0};
    begin(&words, route->destination.ip.family, "route", verb);
    if (route->type == SYS_ROUTE_OTHER)
        say(&words, "blackhole");
    if (route->type == SYS_ROUTE_UNREACHABLE)
        say(&words, "unreachable");
    say(&words, prefix_format(&route->destination, words.text[words.texts++]));
    if (route->interface[0]) {
        say(&words, "dev");
        say(&words, route->interface);
    }
    if (route->source.family) {
        say(&words, "src");
        say(&words, ip_format(&route->source, words.text[words.texts++]));
    }
    say_number(&words, "table", route->table);
    say_number(&words, "proto", route->protocol);
    if (route->metric)
        say_number(&words, "metric", route->metric);
    run(words.argv);
}

static void real_route_add(struct sys *sys, const struct sys_route *route)
{
    (void)sys;
    real_route("add", route);
}

static void real_route_remove(struct sys *sys, const struct sys_route *route)
{
    (void)sys;
    real_route("del", route);
}

static void real_rule(const char *verb, const struct sys_rule *rule)
{
    struct words words = {0};
    begin(&words, rule->family, "rule", verb);
    if (rule->invert)
        say(&words, "not");
    if (rule->other) {
        say(&words, "from");
        say(&words, rule->family == AF_INET ? "10.99.0.0/16" : "fd99::/32");
    }
    if (rule->mask) {
        char *text = words.text[words.texts++];
        snprintf(text, ADDR_TEXT_MAX, "0x%x/0x%x", rule->mark, rule->mask);
        say(&words, "fwmark");
        say(&words, text);
    }
    if (rule->iif[0]) {
        say(&words, "iif");
        say(&words, rule->iif);
    }
    say_number(&words, "table", rule->table);
    say_number(&words, "priority", rule->priority);
    say_number(&words, "protocol", rule->protocol);
    run(words.argv);
}

static void real_rule_add(struct sys *sys, const struct sys_rule *rule)
{
    (void)sys;
    real_rule("add", rule);
}

static void real_rule_remove(struct sys *sys, const struct sys_rule *rule)
{
    (void)sys;
    real_rule("del", rule);
}

static void real_sysctl_set(struct sys *sys, const char *name, long value)
{
    (void)sys;
    char path[128];
    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    FILE *file = fopen(path, "we");
    cr_assert(file && fprintf(file, "%ld\n", value) > 0, "%s", path);
    cr_assert_eq(fclose(file), 0, "%s", path);
}

const struct side side_real = {
    .open = real_open,
    .close = real_close,
    .reopen = real_reopen,
    .reclose = sys_close,
    .link_add = real_link_add,
    .link_remove = real_link_remove,
    .link_up = real_link_up,
    .link_kill = real_link_kill,
    .addr_add = real_addr_add,
    .addr_remove = real_addr_remove,
    .port_take = real_port_take,
    .uplink = real_uplink,
    .uplink6 = real_uplink6,
    .route_add = real_route_add,
    .route_remove = real_route_remove,
    .rule_add = real_rule_add,
    .rule_remove = real_rule_remove,
    .sysctl_set = real_sysctl_set,
};
