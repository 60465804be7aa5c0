/*
 * Files: read with a limit, written atomically (write all, fsync, rename, fsync the directory).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "schema/base/error.h"
#include "schema/base/strbuf.h"

/* Appends the file's bytes to ret, all or none. Longer than `limit`: -EFBIG. Absent: -ENOENT (still
 * an error). */
int io_read(const char *path, size_t limit, struct strbuf *ret, struct error **reterr);
/* The same below an open directory (AT_FDCWD: the working directory). */
int io_read_at(int dirfd, const char *path, size_t limit, struct strbuf *ret,
               struct error **reterr);

struct io_write_options {
    mode_t mode;     /* of a new file */
    bool keep_owner; /* an existing file keeps its mode and owner */
    bool no_sync;    /* caller syncs later, once, with io_sync_tree() */
};

/* Replaces path by data, whole or not at all. The temporary name is in the same directory and
 * starts with '.'; a symbolic link is replaced, not followed. The umask takes nothing away. */
int io_write_atomic(const char *path, const void *data, size_t len,
                    const struct io_write_options *options, struct error **reterr);
/* Flushes the file system that holds path. */
int io_sync_tree(const char *path, struct error **reterr);

/* Makes a directory, and parents with mode 0755. Exists: fine. */
int io_mkdirs(const char *path, mode_t mode, struct error **reterr);
bool io_exists(const char *path);
char *io_join(const char *directory, const char *name); /* the caller frees */

/*
 * Reads a secret: a regular file owned by us or root, not accessible to group or others, at most
 * 64 KiB. `name` is a plain name, or several joined by "/", below the directory; none may be empty
 * or start with "." (no "..", no leading "/"). Wipe ret after use. Absent: -ENOENT.
 */
int io_read_secret(const char *directory, const char *name, struct strbuf *ret,
                   struct error **reterr);
/* Writes it with mode 0600 in a 0700 directory; the temporary file has that mode from birth. */
int io_write_secret(const char *directory, const char *name, const void *data, size_t len,
                    struct error **reterr);
