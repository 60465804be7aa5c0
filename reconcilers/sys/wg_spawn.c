#include "reconcilers/sys/wg_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "schema/base/mem.h"

/* Descriptors in the new process. */
enum { TUN_FD = 3, SOCKET_FD = 4, REPORT_FD = 5, AFTER_LAST_FD = 6, OUT_OF_THE_WAY = 16 };

/* The new process tells who it is when it listens, and why, should it not become wireguard-go. */
struct report {
    pid_t pid;
    int errnum;
};

const char *wg_spawn_program(void)
{
    static const char *const programs[] = {
        "/usr/local/sbin/wireguard-go", "/usr/local/bin/wireguard-go", "/usr/sbin/wireguard-go",
        "/usr/bin/wireguard-go",        "/sbin/wireguard-go",          "/bin/wireguard-go",
    };
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
        if (access(programs[i], X_OK) == 0)
            return programs[i];
    return NULL;
}

/* ---- in the new process: only calls that are legal after fork() ------------------------------ */

static void default_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &action, NULL); /* KILL, STOP and libc's own refuse, as they should */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from(int first)
{
    if (close_range((unsigned)first, ~0U, 0) == 0)
        return;
    for (int fd = first, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
        close(fd);
}

/* Puts the three where they belong, whatever numbers they have now, and nothing else. */
static int arrange_descriptors(int tun, int socket, int report)
{
    tun = fcntl(tun, F_DUPFD, OUT_OF_THE_WAY);
    socket = fcntl(socket, F_DUPFD, OUT_OF_THE_WAY);
    report = fcntl(report, F_DUPFD, OUT_OF_THE_WAY);
    int null = open("/dev/null", O_RDWR);
    if (tun < 0 || socket < 0 || report < 0 || null < 0)
        return -errno;
    for (int fd = 0; fd < TUN_FD; fd++)
        if (dup2(null, fd) < 0)
            return -errno;
    if (dup2(tun, TUN_FD) < 0 || dup2(socket, SOCKET_FD) < 0 ||
        dup3(report, REPORT_FD, O_CLOEXEC) < 0)
        return -errno;
    close_from(AFTER_LAST_FD);
    return 0;
}

/* listen() is called here, not by the parent: the kernel gives a client the number of the process
 * that did it, and this process becomes wireguard-go. */
static _Noreturn void become(const char *program, const char *name, int tun, int socket, int report)
{
    enum { BACKLOG = 128 };
    char *const arguments[] = {"wireguard-go", (char *)name, NULL};
    char *const environment[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "WG_TUN_FD=3",
        "WG_UAPI_FD=4",
        "WG_PROCESS_FOREGROUND=1",
        "LOG_LEVEL=error",
        NULL,
    };
    _Static_assert(TUN_FD == 3 && SOCKET_FD == 4, "as the environment says");

    struct report told = {.pid = getpid()};
    int out = report;
    told.errnum = -arrange_descriptors(tun, socket, report);
    if (told.errnum == 0) {
        out = REPORT_FD;
        default_signals();
        if (chdir("/") < 0 || listen(SOCKET_FD, BACKLOG) < 0)
            told.errnum = errno;
    }
    if (told.errnum == 0 && write(out, &told, sizeof(told)) == sizeof(told)) {
        execve(program, arguments, environment);
        told.errnum = errno;
    }
    if (write(out, &told, sizeof(told)) < 0)
        _exit(126);
    _exit(127);
}

static _Noreturn void detach(const char *program, const char *name, int tun, int socket, int report)
{
    setsid();
    pid_t pid = fork();
    if (pid == 0)
        become(program, name, tun, socket, report);
    struct report told = {.errnum = errno};
    if (pid < 0 && write(report, &told, sizeof(told)) < 0)
        _exit(126);
    _exit(0);
}

/* ---- in our process -------------------------------------------------------------------------- */

/* The pipe ends without a word when the program has been executed. */
static int read_report(int fd, pid_t *ret)
{
    struct report told = {0};
    ssize_t len;
    *ret = 0;
    do {
        len = read(fd, &told, sizeof(told));
        if (len == sizeof(told) && told.pid)
            *ret = told.pid;
    } while ((len < 0 && errno == EINTR) || (len == sizeof(told) && told.errnum == 0));
    if (len == sizeof(told))
        return -told.errnum;
    return len == 0 && *ret ? 0 : -EPROTO;
}

/* With all signals blocked: a handler of ours that runs in the child would write into our pipes. */
static pid_t fork_blocked(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int errnum = errno;
    if (pid != 0)
        sigprocmask(SIG_SETMASK, &before, NULL);
    errno = errnum;
    return pid;
}

int wg_spawn(const char *program, const char *name, int tun, int socket, pid_t *ret)
{
    int report[2];
    if (pipe2(report, O_CLOEXEC) < 0)
        return -errno;
    pid_t child = fork_blocked();
    if (child == 0)
        detach(program, name, tun, socket, report[1]);
    int r = child < 0 ? -errno : 0;
    close(report[1]);
    if (r == 0) {
        r = read_report(report[0], ret);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    close(report[0]);
    return r;
}
