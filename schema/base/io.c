#include "schema/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/mem.h"

enum { READ_STEP = 16 * 1024, SECRET_MAX = 64 * 1024, PARENT_MODE = 0755 };

static void close_fdp(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}
#define FD_AUTO __attribute__((cleanup(close_fdp))) int

/* Reads to the end, or one byte over the limit. Returns the bytes read, or a negative errno. */
static ssize_t read_all(int fd, size_t limit, struct strbuf *ret)
{
    size_t got = 0;
    while (got <= limit) {
        size_t step = limit + 1 - got < READ_STEP ? limit + 1 - got : READ_STEP;
        strbuf_reserve(ret, step);
        ssize_t n = read(fd, ret->text + ret->len, step);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        ret->len += (size_t)n;
        ret->text[ret->len] = '\0';
        got += (size_t)n;
    }
    return (ssize_t)got;
}

/* Appends all or nothing; what was read in vain is wiped, for it may be a secret. */
static int read_fd(int fd, const char *path, size_t limit, struct strbuf *ret,
                   struct error **reterr)
{
    size_t start = ret->len;
    ssize_t got = read_all(fd, limit, ret);
    if (got >= 0 && (size_t)got <= limit)
        return 0;
    mem_wipe(ret->text + start, ret->len - start);
    ret->len = start;
    if (got < 0)
        return error_errno(reterr, (int)-got, "cannot read \"%s\"", path);
    return error_make(reterr, EFBIG, "cannot read \"%s\": it is larger than %zu bytes", path,
                      limit);
}

/* Does not hang on a pipe that nobody writes to. */
static int open_to_read(int dirfd, const char *path, int *ret, struct error **reterr)
{
    int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return error_errno(reterr, errno, "cannot open \"%s\"", path);
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
    *ret = fd;
    return 0;
}

int io_read_at(int dirfd, const char *path, size_t limit, struct strbuf *ret, struct error **reterr)
{
    FD_AUTO fd = -1;
    int r = open_to_read(dirfd, path, &fd, reterr);
    return r < 0 ? r : read_fd(fd, path, limit, ret, reterr);
}

int io_read(const char *path, size_t limit, struct strbuf *ret, struct error **reterr)
{
    return io_read_at(AT_FDCWD, path, limit, ret, reterr);
}

static int write_all(int fd, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

/* What a file is to become: its place, its bytes, its rights. */
struct replacement {
    int dirfd;
    const char *name;
    const void *data;
    size_t len;
    mode_t mode;
    uid_t uid; /* -1: as created */
    gid_t gid;
    bool sync;
};

/* Rights are never wider than the final ones, not for a moment: the owner changes before the mode.
 */
static int fill(int fd, const struct replacement *r)
{
    if (r->uid != (uid_t)-1 && fchown(fd, r->uid, r->gid) < 0)
        return -errno;
    if (fchmod(fd, r->mode) < 0)
        return -errno;
    int result = write_all(fd, r->data, r->len);
    if (result == 0 && r->sync && fsync(fd) < 0)
        result = -errno;
    return result;
}

/* The name does not contain the file's own, which may already be as long as names can be. */
static int create_temporary(const struct replacement *r, char *name, size_t size)
{
    for (;;) {
        uint64_t number;
        if (getrandom(&number, sizeof(number), 0) != sizeof(number))
            return -errno;
        snprintf(name, size, ".tmp-%016llx", (unsigned long long)number);
        int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
        int fd = openat(r->dirfd, name, flags, r->uid == (uid_t)-1 ? r->mode : r->mode & 0700);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return -errno;
    }
}

static int replace(const struct replacement *r)
{
    char temporary[32];
    int fd = create_temporary(r, temporary, sizeof(temporary));
    if (fd < 0)
        return fd;
    int result = fill(fd, r);
    if (close(fd) < 0 && result == 0 && errno != EINTR)
        result = -errno;
    if (result == 0 && renameat(r->dirfd, temporary, r->dirfd, r->name) < 0)
        result = -errno;
    if (result < 0) {
        unlinkat(r->dirfd, temporary, 0);
        return result;
    }
    if (r->sync && fsync(r->dirfd) < 0)
        return -errno;
    return 0;
}

/* The directory part of path: "." when it has none. The caller frees. */
static char *directory_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return mem_strdup(".");
    return slash == path ? mem_strdup("/") : mem_strndup(path, (size_t)(slash - path));
}

int io_write_atomic(const char *path, const void *data, size_t len,
                    const struct io_write_options *options, struct error **reterr)
{
    MEM_AUTO char *directory = directory_of(path);
    FD_AUTO dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0)
        return error_errno(reterr, errno, "cannot open directory \"%s\"", directory);

    const char *slash = strrchr(path, '/');
    struct replacement replacement = {
        .dirfd = dirfd,
        .name = slash ? slash + 1 : path,
        .data = data,
        .len = len,
        .mode = options->mode,
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
        .sync = !options->no_sync,
    };
    struct stat st;
    if (options->keep_owner && fstatat(dirfd, replacement.name, &st, 0) == 0) {
        replacement.mode = st.st_mode & 07777;
        replacement.uid = st.st_uid;
        replacement.gid = st.st_gid;
    }
    int r = replace(&replacement);
    return r < 0 ? error_errno(reterr, -r, "cannot write \"%s\"", path) : 0;
}

int io_sync_tree(const char *path, struct error **reterr)
{
    FD_AUTO fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_errno(reterr, errno, "cannot open \"%s\"", path);
    if (syncfs(fd) < 0)
        return error_errno(reterr, errno, "cannot flush the file system of \"%s\"", path);
    return 0;
}

int io_mkdirs(const char *path, mode_t mode, struct error **reterr)
{
    MEM_AUTO char *part = mem_strdup(path);
    for (char *slash = strchr(part + (part[0] == '/'), '/'); slash;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, PARENT_MODE) < 0 && errno != EEXIST)
            return error_errno(reterr, errno, "cannot make directory \"%s\"", part);
        *slash = '/';
    }
    struct stat st;
    if (mkdir(path, mode) == 0)
        return 0;
    int errnum = errno;
    if (errnum == EEXIST && stat(path, &st) == 0)
        errnum = S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
    return errnum ? error_errno(reterr, errnum, "cannot make directory \"%s\"", path) : 0;
}

bool io_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

char *io_join(const char *directory, const char *name)
{
    size_t len = strlen(directory);
    const char *slash = len && directory[len - 1] != '/' ? "/" : "";
    return mem_printf("%s%s%s", directory, slash, name);
}

/* Plain names, or such below one another; none that is empty or starts with '.'. */
static bool is_secret_name(const char *name)
{
    for (const char *part = name;; part++) {
        size_t len = strcspn(part, "/");
        if (len == 0 || part[0] == '.')
            return false;
        part += len;
        if (!*part)
            return true;
    }
}

static int secret_path(const char *directory, const char *name, char **ret, struct error **reterr)
{
    if (!is_secret_name(name))
        return error_make(reterr, EINVAL,
                          "secret \"%s\" is not a plain name; use the name of a file in \"%s\"",
                          name, directory);
    *ret = io_join(directory, name);
    return 0;
}

static int check_secret(int fd, const char *path, struct error **reterr)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return error_errno(reterr, errno, "cannot read \"%s\"", path);
    if (!S_ISREG(st.st_mode))
        return error_make(reterr, EINVAL, "secret \"%s\" is not a regular file", path);
    if (st.st_uid != 0 && st.st_uid != geteuid())
        return error_make(reterr, EPERM, "secret \"%s\" belongs to user %u; chown it to root", path,
                          st.st_uid);
    if (st.st_mode & 077)
        return error_make(reterr, EPERM,
                          "secret \"%s\" is accessible to group or others (mode %04o); chmod it to "
                          "0600",
                          path, st.st_mode & 07777);
    return 0;
}

int io_read_secret(const char *directory, const char *name, struct strbuf *ret,
                   struct error **reterr)
{
    MEM_AUTO char *path = NULL;
    FD_AUTO fd = -1;
    int r = secret_path(directory, name, &path, reterr);
    if (r == 0)
        r = open_to_read(AT_FDCWD, path, &fd, reterr);
    if (r == 0)
        r = check_secret(fd, path, reterr);
    if (r < 0)
        return r;
    strbuf_reserve(ret, SECRET_MAX + 1); /* growing while reading would leave copies behind */
    return read_fd(fd, path, SECRET_MAX, ret, reterr);
}

int io_write_secret(const char *directory, const char *name, const void *data, size_t len,
                    struct error **reterr)
{
    static const struct io_write_options options = {.mode = 0600};
    MEM_AUTO char *path = NULL;
    int r = secret_path(directory, name, &path, reterr);
    if (r < 0)
        return r;
    MEM_AUTO char *parent = directory_of(path);
    r = io_mkdirs(directory, 0700, reterr);
    if (r == 0)
        r = io_mkdirs(parent, 0700, reterr);
    return r < 0 ? r : io_write_atomic(path, data, len, &options, reterr);
}
