/*
 * Packets through two real devices: that wireguard-go gets its TUN in the form that it expects, and
 * that a peer's traffic does not notice changes of its other allowed IPs.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "schema/base/io.h"
#include "tests/sys/real_hands.h"

extern char **environ;

/* One end: the namespace that the test is in when it is set up. */
struct end {
    struct sys *sys;
    const char *device, *uplink;
    const char *outer, *inner, *inner6; /* addresses: on the wire, in the tunnel */
};

static struct wgkey public_key_of(const struct end *end)
{
    SEEN_AUTO seen = {0};
    struct wgkey key;
    seen_read(&seen, end->sys, end->device);
    wgkey_public(&seen.device.private_key, &key);
    return key;
}

static struct prefix host(const char *address)
{
    struct ip ip = ip_of(address);
    return prefix_of_host(&ip);
}

static void set_up(const struct end *end, const struct end *other, const struct wgkey *key)
{
    char wire[64], inner[64], inner6[64];
    snprintf(wire, sizeof(wire), "%s/30", end->outer);
    snprintf(inner, sizeof(inner), "%s/24", end->inner);
    snprintf(inner6, sizeof(inner6), "%s/64", end->inner6);
    run((const char *[]){"ip", "addr", "add", wire, "dev", end->uplink, NULL});
    run((const char *[]){"ip", "link", "set", end->uplink, "up", NULL});

    int index = link_of(end->sys, end->device).index;
    struct prefix own = prefix_of(inner), own6 = prefix_of(inner6);
    CHECK(sys_addr_add(end->sys, index, &own, true, &error), 0);
    CHECK(sys_addr_add(end->sys, index, &own6, true, &error), 0);
    struct prefix allowed[] = {host(other->inner), host(other->inner6)};
    struct sys_wg_peer_change peer = {.public_key = *key,
                                      .create = true,
                                      .set_endpoint = true,
                                      .endpoint = ip_of(other->outer),
                                      .endpoint_port = 51820,
                                      .allowed_add = allowed,
                                      .allowed_add_count = 2};
    CHECK(sys_wg_set(end->sys, end->device, NULL, &peer, 1, &error), 0);
}

/* Pings while `meanwhile` runs; nothing may be lost. */
static void ping(const char *address, const char *count, const char *interval,
                 void (*meanwhile)(struct sys *sys, const struct wgkey *key), struct sys *sys,
                 const struct wgkey *key)
{
    pid_t pid;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/run/ping", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const char *const argv[] = {"ping",   "-q", "-c", count,   "-i",
                                interval, "-W", "3",  address, NULL};
    cr_assert_eq(posix_spawnp(&pid, "ping", &actions, NULL, (char *const *)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    if (meanwhile)
        meanwhile(sys, key);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);

    ERROR_AUTO error = NULL;
    STRBUF_AUTO said = STRBUF_INIT;
    cr_assert_eq(io_read("/run/ping", 1 << 16, &said, &error), 0);
    cr_assert(strstr(said.text, " 0% packet loss"), "%s", said.text);
}

static void change_other_prefixes(struct sys *sys, const struct wgkey *key)
{
    struct prefix prefix = prefix_of("10.77.0.0/16");
    struct sys_wg_peer_change add = {
        .public_key = *key, .allowed_add = &prefix, .allowed_add_count = 1};
    struct sys_wg_peer_change remove = {
        .public_key = *key, .allowed_remove = &prefix, .allowed_remove_count = 1};
    for (int i = 0; i < 150; i++) {
        CHECK(sys_wg_set(sys, "pic0", NULL, &add, 1, &error), 0);
        usleep(1000);
        CHECK(sys_wg_set(sys, "pic0", NULL, &remove, 1, &error), 0);
        usleep(1000);
    }
}

ON_REAL_SIDE(traffic, passes_and_is_not_disturbed)
{
    struct end here = {.sys = sys,
                       .device = "pic0",
                       .uplink = "wire0",
                       .outer = "192.0.2.1",
                       .inner = "10.9.0.1",
                       .inner6 = "fd09::1"};
    struct end there = {.device = "pic1",
                        .uplink = "wire1",
                        .outer = "192.0.2.2",
                        .inner = "10.9.0.2",
                        .inner6 = "fd09::2"};
    char pid[16];
    start_device(sys, here.device, 51820);
    snprintf(pid, sizeof(pid), "%d", (int)next_server(0)); /* it names the namespace to ip(8) */
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    struct wgkey key_here = public_key_of(&here);

    cr_assert_eq(unshare(CLONE_NEWNET), 0);
    int guard = guard_namespace();
    run((const char *[]){"ip", "link", "add", "wire1", "type", "veth", "peer", "wire0", "netns",
                         pid, NULL});
    CHECK(sys_open(&there.sys, &error), 0);
    start_device(there.sys, there.device, 51820);
    struct wgkey key_there = public_key_of(&there);
    set_up(&there, &here, &key_here);

    cr_assert_eq(setns(home, CLONE_NEWNET), 0);
    set_up(&here, &there, &key_there);
    ping("10.9.0.2", "3", "0.05", NULL, NULL, NULL);
    ping("fd09::2", "3", "0.05", NULL, NULL, NULL);
    ping("10.9.0.2", "200", "0.002", change_other_prefixes, sys, &key_there);

    SEEN_AUTO seen = {0};
    seen_read(&seen, sys, "pic0");
    cr_assert_eq(seen.count, 1U);
    cr_expect(seen.peers[0].last_handshake > 1600000000);
    cr_expect(seen.peers[0].rx_bytes > 200 * 84 && seen.peers[0].tx_bytes > 200 * 84);
    sys_close(there.sys);
    close(guard);
    close(home);
}
