#include "controller/source/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/mem.h"
#include "schema/manifest.h"

enum { TREE_DEPTH_MAX = 16, TREE_FILES_MAX = 200000 };

static char *below(const char *directory, const char *name)
{
    return *directory ? mem_printf("%s/%s", directory, name) : mem_strdup(name);
}

static void add_directory(struct tree *tree, const char *path)
{
    tree->directories = mem_grow(tree->directories, tree->directory_count,
                                 &tree->directory_capacity, sizeof(char *));
    tree->directories[tree->directory_count++] = mem_strdup(path);
}

static void add_ignored(struct tree *tree, const char *path, const char *why)
{
    tree->ignored =
        mem_grow(tree->ignored, tree->ignored_count, &tree->ignored_capacity, sizeof(char *));
    tree->ignored[tree->ignored_count++] = mem_printf("%s: %s", path, why);
}

static void add_file(struct tree *tree, char *path, const struct stat *st)
{
    tree->files = mem_grow(tree->files, tree->count, &tree->capacity, sizeof(*tree->files));
    tree->files[tree->count++] = (struct tree_file){
        .path = path,
        .mtime = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .size = st->st_size,
        .inode = st->st_ino,
    };
}

/* A directory that is being listed, and the one that it was reached through. */
struct listed {
    const struct listed *above;
    const char *path;
    int fd;
    unsigned depth;
    dev_t device;
    ino_t inode;
};

static int list_directory(const struct listed *above, int parent, const char *name,
                          const char *path, struct tree *tree, struct error **reterr);

static int take_file(struct tree *tree, const char *path, const struct stat *st,
                     struct error **reterr)
{
    if (tree->count == TREE_FILES_MAX)
        return error_make(reterr, EFBIG, "more than %d manifest files", TREE_FILES_MAX);
    add_file(tree, mem_strdup(path), st);
    return 0;
}

/* A link to nothing, or in a circle. With a manifest's name it counts: reading it says what is
 * wrong, and what was in force from it stays. */
static int list_broken_link(const struct listed *in, const char *name, const char *path,
                            struct tree *tree, struct error **reterr)
{
    struct stat st;
    if (fstatat(in->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* vanished meanwhile: an event will tell, or has told */
    if (manifest_name_read(name))
        return take_file(tree, path, &st, reterr);
    add_ignored(tree, path, "a link to nothing");
    return 0;
}

static int list_entry(const struct listed *in, const char *name, struct tree *tree,
                      struct error **reterr)
{
    struct stat st;

    if (name[0] == '.')
        return 0; /* editors' and git's own; `..data` is reached through links that point there */
    MEM_AUTO char *path = below(in->path, name);
    if (fstatat(in->fd, name, &st, 0) < 0) {
        if (errno != ENOENT && errno != ELOOP)
            return error_errno(reterr, errno, "cannot look at \"%s\"", path);
        return list_broken_link(in, name, path, tree, reterr);
    }
    if (S_ISDIR(st.st_mode))
        return list_directory(in, in->fd, name, path, tree, reterr);
    if (S_ISREG(st.st_mode) && manifest_name_read(name))
        return take_file(tree, path, &st, reterr);
    add_ignored(tree, path,
                S_ISREG(st.st_mode)
                    ? "its name does not end in .yaml, .yml or .json, or says that it is a copy"
                    : "not a regular file");
    return 0;
}

/* By a link, a directory can be below itself. */
static bool is_circle(const struct listed *here)
{
    for (const struct listed *up = here->above; up; up = up->above)
        if (up->device == here->device && up->inode == here->inode)
            return true;
    return false;
}

static int list_entries(const struct listed *here, DIR *dir, struct tree *tree,
                        struct error **reterr)
{
    const struct dirent *entry;
    int result = 0;
    while (result == 0 && (errno = 0, entry = readdir(dir)))
        result = list_entry(here, entry->d_name, tree, reterr);
    return result == 0 && errno ? -errno : result;
}

static int list_open(const struct listed *here, DIR *dir, struct tree *tree, struct error **reterr)
{
    if (here->depth > TREE_DEPTH_MAX)
        return error_make(reterr, ELOOP, "directories nested deeper than %d at \"%s\"",
                          TREE_DEPTH_MAX, here->path);
    if (is_circle(here)) {
        add_ignored(tree, here->path, "a link to a directory that it lies in");
        return 0;
    }
    add_directory(tree, here->path);
    return list_entries(here, dir, tree, reterr);
}

static int list_directory(const struct listed *above, int parent, const char *name,
                          const char *path, struct tree *tree, struct error **reterr)
{
    struct error *error = NULL;
    struct stat st;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 || fstat(fd, &st) < 0 ? NULL : fdopendir(fd);
    int result = dir ? 0 : -errno;
    if (dir) {
        struct listed here = {above, path, fd, above ? above->depth + 1 : 0, st.st_dev, st.st_ino};
        result = list_open(&here, dir, tree, &error);
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    if (error)
        *reterr = error;
    else if (result < 0)
        error_errno(reterr, -result, "cannot read the directory \"%s\"", *path ? path : name);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct tree_file *)a)->path, ((const struct tree_file *)b)->path);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int tree_list(const char *directory, struct tree *ret, struct error **reterr)
{
    struct tree tree = {0};
    int result = list_directory(NULL, AT_FDCWD, directory, "", &tree, reterr);
    if (result < 0) {
        tree_clear(&tree);
        return result;
    }
    if (tree.count > 1)
        qsort(tree.files, tree.count, sizeof(*tree.files), by_path);
    if (tree.ignored_count > 1)
        qsort(tree.ignored, tree.ignored_count, sizeof(char *), by_text);
    *ret = tree;
    return 0;
}

static void free_texts(char **texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(texts[i]);
    free(texts);
}

void tree_clear(struct tree *tree)
{
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].path);
    free(tree->files);
    free_texts(tree->ignored, tree->ignored_count);
    free_texts(tree->directories, tree->directory_count);
    *tree = (struct tree){0};
}

const struct tree_file *tree_find(const struct tree *tree, const char *path)
{
    struct tree_file key = {.path = (char *)(uintptr_t)path};
    if (!tree->count)
        return NULL;
    return bsearch(&key, tree->files, tree->count, sizeof(*tree->files), by_path);
}
