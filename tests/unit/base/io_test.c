#include "schema/base/io.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "schema/base/mem.h"

/* Stands before the C library's in this program: every write is short, as any may be. */
ssize_t write(int fd, const void *data, size_t len)
{
    enum { WRITE_MAX = 1000 };
    return syscall(SYS_write, fd, data, len < WRITE_MAX ? len : WRITE_MAX);
}

enum { SECRET_MAX = 64 * 1024, NOBODY = 65534 };

/* Each test works in a new directory, its working directory, which goes away with it. */
struct room {
    char path[32];
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void room_clear(struct room *room)
{
    cr_expect_eq(chdir("/"), 0);
    nftw(room->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
#define ROOM_AUTO __attribute__((cleanup(room_clear), unused)) struct room

static struct room room_new(void)
{
    struct room room = {"/tmp/pic-io-XXXXXX"};
    cr_assert(mkdtemp(room.path) && chdir(room.path) == 0);
    return room;
}

static void put(const char *path, size_t len, mode_t mode)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    for (size_t i = 0; i < len; i++)
        fputc('x', file);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, mode), 0);
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    cr_assert_eq(stat(path, &st), 0, "%s is absent", path);
    return st.st_mode & 07777;
}

static size_t entries_of(const char *path)
{
    size_t count = 0;
    DIR *dir = opendir(path);
    cr_assert_not_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count - 2; /* . and .. */
}

static void expect_content(const char *path, const char *content)
{
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    cr_expect_eq(io_read(path, 100, &text, &error), 0, "%s", error ? error->message : "");
    cr_expect_str_eq(text.text, content, "%s has \"%s\"", path, text.text);
}

Test(io, read, .timeout = 10)
{
    static const struct {
        const char *path;
        size_t limit;
        int expect;
    } rows[] = {
        {"empty", 0, 0},          {"hundred", 100, 0},
        {"hundred", 99, -EFBIG},  {"hundred", 0, -EFBIG},
        {"large", 100000, 0},     {"large", 99999, -EFBIG},
        {"absent", 100, -ENOENT}, {"empty/below", 100, -ENOTDIR},
        {".", 100, -EISDIR},      {"fifo", 100, 0}, /* nobody writes: its end, not a hang */
    };
    static const size_t sizes[ARRAY_SIZE(rows)] = {[1] = 100, [4] = 100000};
    ROOM_AUTO room = room_new();
    put("empty", 0, 0600);
    put("hundred", 100, 0600);
    put("large", 100000, 0600);
    cr_assert_eq(mkfifo("fifo", 0600), 0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO text = STRBUF_INIT;
        ERROR_AUTO error = NULL;
        strbuf_puts(&text, "before ");
        int r = io_read(rows[i].path, rows[i].limit, &text, &error);
        cr_expect_eq(r, rows[i].expect, "row %zu gives %d", i, r);
        cr_expect_eq((error != NULL), (r < 0), "row %zu", i);
        cr_expect_eq(text.len, strlen("before ") + sizes[i], "row %zu: %zu", i, text.len);
        cr_expect_eq(strncmp(text.text, "before x", text.len < 8 ? text.len : 8), 0, "row %zu", i);
    }
}

Test(io, read_below_a_directory)
{
    ROOM_AUTO room = room_new();
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    cr_assert_eq(mkdir("sub", 0700), 0);
    put("sub/file", 3, 0600);
    int dirfd = open("sub", O_RDONLY | O_DIRECTORY);
    cr_expect_eq(io_read_at(dirfd, "file", 3, &text, &error), 0);
    cr_expect_eq(io_read_at(AT_FDCWD, "sub/file", 3, &text, &error), 0);
    cr_expect_str_eq(text.text, "xxxxxx");
    close(dirfd);
}

/* old 0: the file is new. The umask takes nothing away. */
Test(io, write_rights)
{
    static const struct {
        mode_t old;
        bool keep_owner;
        mode_t mode, expect;
        uid_t owner;
    } rows[] = {
        {0, false, 0644, 0644, 0},        {0, true, 0640, 0640, 0},
        {0604, false, 0600, 0600, 0},     {0604, true, 0600, 0604, NOBODY},
        {0400, true, 0666, 0400, NOBODY},
    };
    ROOM_AUTO room = room_new();
    umask(077);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ERROR_AUTO error = NULL;
        struct io_write_options options = {
            .mode = rows[i].mode, .keep_owner = rows[i].keep_owner, .no_sync = i % 2};
        struct stat st;
        unlink("file");
        if (rows[i].old) {
            put("file", 5, rows[i].old);
            cr_assert_eq(chown("file", NOBODY, NOBODY), 0, "needs root");
        }
        int r = io_write_atomic("file", "new", 3, &options, &error);
        cr_expect_eq(r, 0, "row %zu: %s", i, error ? error->message : "");
        expect_content("file", "new");
        cr_assert_eq(stat("file", &st), 0);
        cr_expect_eq(st.st_mode & 07777, rows[i].expect, "row %zu: %o", i, st.st_mode);
        cr_expect(st.st_uid == rows[i].owner && st.st_gid == rows[i].owner, "row %zu", i);
        cr_expect_eq(entries_of("."), 1, "row %zu left something behind", i);
    }
}

Test(io, write_failures_change_nothing)
{
    static const struct io_write_options options = {.mode = 0600};
    static char large[100000];
    ROOM_AUTO room = room_new();
    ERROR_AUTO no_directory = NULL;
    ERROR_AUTO is_directory = NULL;
    ERROR_AUTO too_large = NULL;
    put("file", 3, 0600);
    cr_assert_eq(mkdir("sub", 0700), 0);

    cr_expect_eq(io_write_atomic("absent/file", "new", 3, &options, &no_directory), -ENOENT);
    cr_expect_eq(io_write_atomic("./sub", "new", 3, &options, &is_directory), -EISDIR);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {5000, RLIM_INFINITY}; /* the first write is short, the second fails */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int r = io_write_atomic("file", large, sizeof(large), &options, &too_large);
    limit.rlim_cur = RLIM_INFINITY; /* criterion writes its report to a file */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(r, -EFBIG);
    expect_content("file", "xxx");
    cr_expect_eq(entries_of("."), 2, "a temporary file stayed");
}

Test(io, write_large)
{
    static const struct io_write_options options = {.mode = 0600};
    ROOM_AUTO room = room_new();
    STRBUF_AUTO data = STRBUF_INIT;
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    for (int i = 0; i < 10000; i++)
        strbuf_printf(&data, "%d ", i);
    cr_expect_eq(io_write_atomic("file", data.text, data.len, &options, &error), 0);
    cr_expect_eq(io_read("file", data.len, &text, &error), 0);
    cr_expect_str_eq(text.text, data.text);
}

Test(io, write_longest_name)
{
    static const struct io_write_options options = {.mode = 0600};
    ROOM_AUTO room = room_new();
    ERROR_AUTO error = NULL;
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    cr_expect_eq(io_write_atomic(name, "x", 1, &options, &error), 0);
    expect_content(name, "x");
    cr_expect_eq(io_sync_tree(name, &error), 0);
    cr_expect_eq(io_sync_tree("absent", &error), -ENOENT);
}

Test(io, mkdirs)
{
    static const struct {
        const char *path;
        int expect;
    } rows[] = {
        {"a/b/c", 0}, {"a/b/c", 0},       {"a//d/", 0},
        {"a/b", 0},   {"file", -ENOTDIR}, {"file/below", -ENOTDIR},
        {".", 0},     {"/", 0},
    };
    ROOM_AUTO room = room_new();
    put("file", 0, 0600);
    umask(0);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ERROR_AUTO error = NULL;
        int r = io_mkdirs(rows[i].path, 0750, &error);
        cr_expect_eq(r, rows[i].expect, "row %zu gives %d", i, r);
    }
    cr_expect_eq(mode_of("a"), 0755);
    cr_expect_eq(mode_of("a/b/c"), 0750);
    cr_expect(io_exists("a/d") && !io_exists("a/e"));
    MEM_AUTO char *joined = io_join("a", "b"), *root = io_join("/", "b"), *bare = io_join("", "b");
    cr_expect(!strcmp(joined, "a/b") && !strcmp(root, "/b") && !strcmp(bare, "b"));
}

Test(io, secret_rights)
{
    static const struct {
        mode_t mode;
        uid_t owner;
        int expect;
        const char *why;
    } rows[] = {
        {0600, 0, 0, ""},
        {0400, 0, 0, ""},
        {0700, 0, 0, ""},
        {0640, 0, -EPERM, "chmod it to 0600"},
        {0610, 0, -EPERM, "chmod it to 0600"},
        {0604, 0, -EPERM, "chmod it to 0600"},
        {0602, 0, -EPERM, "chmod it to 0600"},
        {0600, NOBODY, -EPERM, "belongs to user 65534"},
    };
    ROOM_AUTO room = room_new();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO text = STRBUF_INIT;
        ERROR_AUTO error = NULL;
        put("key", 5, rows[i].mode);
        cr_assert_eq(chown("key", rows[i].owner, 0), 0, "needs root");
        int r = io_read_secret(room.path, "key", &text, &error);
        cr_expect_eq(r, rows[i].expect, "row %zu gives %d", i, r);
        cr_expect_str_eq(text.text, r ? "" : "xxxxx", "row %zu", i);
        cr_expect(!error == !r && strstr(error ? error->message : "", rows[i].why), "row %zu: %s",
                  i, error ? error->message : "");
        unlink("key");
    }
}

Test(io, secret_names)
{
    static const struct {
        const char *name;
        int expect;
    } rows[] = {
        {"good", 0},
        {"sub/good", 0},
        {"large", 0},
        {"larger", -EFBIG},
        {"absent", -ENOENT},
        {"absent/key", -ENOENT},
        {"sub", -EINVAL},
        {"device", -EINVAL},
        {"fifo", -EINVAL},
        {"", -EINVAL},
        {"/etc/passwd", -EINVAL},
        {"..", -EINVAL},
        {"../outside", -EINVAL},
        {"sub/../good", -EINVAL},
        {"sub/", -EINVAL},
        {"sub//good", -EINVAL},
        {".hidden", -EINVAL},
        {"./good", -EINVAL},
    };
    ROOM_AUTO room = room_new();
    cr_assert(mkdir("in", 0700) == 0 && mkdir("in/sub", 0700) == 0);
    cr_assert(symlink("/dev/null", "in/device") == 0 && mkfifo("in/fifo", 0600) == 0);
    put("outside", 1, 0600);
    put("in/good", 1, 0600);
    put("in/.hidden", 1, 0600);
    put("in/sub/good", 1, 0600);
    put("in/large", SECRET_MAX, 0600);
    put("in/larger", SECRET_MAX + 1, 0600);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO text = STRBUF_INIT;
        ERROR_AUTO error = NULL;
        ERROR_AUTO write_error = NULL;
        int r = io_read_secret("in", rows[i].name, &text, &error);
        cr_expect_eq(r, rows[i].expect, "\"%s\" gives %d", rows[i].name, r);
        cr_expect_eq((text.len > 0), (r == 0), "\"%s\"", rows[i].name);
        if (r == -EINVAL && !io_exists(rows[i].name) && !strstr("sub device fifo", rows[i].name))
            cr_expect_eq(io_write_secret("in", rows[i].name, "x", 1, &write_error), -EINVAL,
                         "\"%s\" was written", rows[i].name);
    }
}

Test(io, secret_written)
{
    ROOM_AUTO room = room_new();
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    umask(0);
    cr_expect_eq(io_write_secret("new/secrets", "mail/key", "one", 3, &error), 0);
    cr_expect_eq(io_write_secret("new/secrets", "mail/key", "two", 3, &error), 0);
    cr_expect_eq(io_read_secret("new/secrets", "mail/key", &text, &error), 0);
    cr_expect_str_eq(text.text, "two");
    cr_expect_eq(mode_of("new/secrets"), 0700);
    cr_expect_eq(mode_of("new/secrets/mail"), 0700);
    cr_expect_eq(mode_of("new/secrets/mail/key"), 0600);
}
