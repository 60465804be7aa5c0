#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "tests/sys/real_hands.h"

static const char socket_path[] = "/run/wireguard/pic0.sock";

/* ---- it is a file ---------------------------------------------------------------------------- */

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

ON_REAL_SIDE(socket, of_another_namespace_is_respected)
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

ON_REAL_SIDE(socket, left_over_is_replaced)
{
    struct sys_wg_device device;
    close(listen_by_hand());
    cr_assert(io_exists(socket_path));
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), 0);
}

ON_REAL_SIDE(socket, is_not_made_for_a_tun_of_others)
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

ON_REAL_SIDE(socket, that_talks_nonsense)
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
