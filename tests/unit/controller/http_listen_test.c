/*
 * Where the HTTP server listens.
 */
#include "controller/api/http_socket.h"

#include "tests/unit/controller/http_harness.h"

static void expect_listen_error(const char *path, int want)
{
    ERROR_AUTO error = NULL;
    int fd = -1;
    int r = http_socket_unix(path, 0660, (gid_t)-1, &fd, &error);
    cr_assert_eq(r, -want, "\"%s\": %d", path, r);
    cr_expect(strstr(error->message, path), "%s", error->message);
}

/* A second server must not take the socket of a live one. */
Test(http_listen, live_socket, .timeout = 60)
{
    struct harness h;
    harness_start(&h, &harness_limits, 0);
    expect_listen_error(h.path, EADDRINUSE);
    expect_hello(dial_unix(&h));
    harness_stop(&h);
}

/* What a killed server leaves is replaced, with the mode and group that were asked for. */
Test(http_listen, stale_socket, .timeout = 60)
{
    struct harness h;
    ERROR_AUTO error = NULL;
    struct stat st;
    int fd, status;
    harness_start(&h, &harness_limits, 0);
    kill(h.pid, SIGKILL);
    cr_assert_eq(waitpid(h.pid, &status, 0), h.pid);
    cr_assert_eq(access(h.path, F_OK), 0);

    gid_t group = getuid() == 0 ? 4242 : getgid();
    cr_assert_eq(http_socket_unix(h.path, 0640, group, &fd, &error), 0);
    cr_assert_eq(lstat(h.path, &st), 0);
    cr_expect(S_ISSOCK(st.st_mode) && (st.st_mode & 07777) == 0640 && st.st_gid == group);
    close(fd);
    unlink(h.path);
    rmdir(h.directory);
}

/* A file in the place of the socket is somebody's file. */
Test(http_listen, foreign_file)
{
    char directory[] = "/tmp/pic-http-XXXXXX";
    cr_assert_not_null(mkdtemp(directory));
    MEM_AUTO char *path = mem_printf("%s/sock", directory);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert_geq(fd, 0);
    close(fd);
    expect_listen_error(path, EEXIST);
    cr_expect_eq(access(path, F_OK), 0);

    MEM_AUTO char *absent = mem_printf("%s/absent/sock", directory);
    expect_listen_error(absent, ENOENT);
    MEM_AUTO char *deep = mem_printf("%s/%0120d", directory, 1);
    expect_listen_error(deep, ENAMETOOLONG);
    unlink(path);
    rmdir(directory);
}

static const struct {
    const char *address;
    int error;
} addresses[] = {
    {"cell.home:80", EINVAL},         {"127.0.0.1", EINVAL},
    {"127.0.0.1:0", EINVAL},          {"::1:80", EINVAL},
    {"192.0.2.77:80", EADDRNOTAVAIL}, {"", EINVAL},
};

Test(http_listen, bad_addresses)
{
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        ERROR_AUTO error = NULL;
        int fd;
        int r = http_socket_tcp(addresses[i].address, &fd, &error);
        cr_assert_eq(r, -addresses[i].error, "row %zu: %d", i, r);
    }
}

/* Stops listening; what is connected goes on. The socket of another server stays where it is. */
Test(http_listen, unlisten)
{
    char directory[] = "/tmp/pic-http-XXXXXX";
    ERROR_AUTO error = NULL;
    cr_assert_not_null(mkdtemp(directory));
    MEM_AUTO char *path = mem_printf("%s/sock", directory);
    struct event_base *base = event_base_new();
    struct http_server *server = http_server_new(base, &harness_limits, handle, NULL);
    cr_assert_eq(http_server_listen_unix(server, path, 0600, (gid_t)-1, &error), 0);
    http_server_unlisten(server, "elsewhere");
    cr_expect_eq(access(path, F_OK), 0);
    http_server_unlisten(server, path);
    cr_expect_neq(access(path, F_OK), 0);

    cr_assert_eq(http_server_listen_unix(server, path, 0600, (gid_t)-1, &error), 0);
    unlink(path);
    int fd;
    cr_assert_eq(http_socket_unix(path, 0600, (gid_t)-1, &fd, &error), 0);
    http_server_free(server);
    event_base_free(base);
    cr_expect_eq(access(path, F_OK), 0, "the socket of another server was removed");
    close(fd);
    unlink(path);
    rmdir(directory);
}

/* One exchange with a server on the same loop. */
static void exchange_here(struct event_base *base, int fd, const char *request, struct strbuf *ret)
{
    char lump[4096];
    say(fd, request);
    for (int turns = 0; turns < 50; turns++)
        event_base_loop(base, EVLOOP_NONBLOCK);
    ssize_t n = recv(fd, lump, sizeof(lump), MSG_DONTWAIT);
    strbuf_add(ret, lump, n > 0 ? (size_t)n : 0);
}

Test(http_listen, ipv6)
{
    struct sockaddr_in6 to = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct child child = {.base = event_base_new()};
    struct http_server *server = http_server_new(child.base, &harness_limits, handle, &child);
    ERROR_AUTO error = NULL;
    STRBUF_AUTO answer = STRBUF_INIT;
    uint16_t port = free_port();
    MEM_AUTO char *address = mem_printf("[::1]:%u", port);
    int r = http_server_listen_tcp(server, address, &error);
    if (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT)
        cr_skip_test("there is no IPv6 here");
    cr_assert_eq(r, 0, "%s", error->message);

    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    to.sin6_port = htons(port);
    cr_assert_eq(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    exchange_here(child.base, fd, "GET /who HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", &answer);
    cr_expect_str_eq(body_in(answer.text), "local=0 uid=-1 pid=0 ip=::1 port=1 root=0");
    strbuf_reset(&answer);
    exchange_here(child.base, fd, "GET /who HTTP/1.1\r\nHost: [::2]\r\n\r\n", &answer);
    cr_expect_eq(status_in(answer.text), 421);
    close(fd);
    http_server_free(server);
    event_base_free(child.base);
}
