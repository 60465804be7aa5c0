#include "controller/source/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

static int list_directory(int parent, const char *name, const char *path, unsigned depth,
                          struct tree *tree, struct error **reterr);

static int list_entry(int dirfd, const char *name, const char *path, unsigned depth,
                      struct tree *tree, struct error **reterr)
{
    struct stat st;

    if (name[0] == '.')
        return 0; /* editors' and git's own; `..data` is reached through the links that point there
                   */
    char *full = below(path, name);
    int result = 0;
    if (fstatat(dirfd, name, &st, 0) < 0) {
        /* Vanished meanwhile, or a link to nowhere: an event will tell, or has told. */
        if (errno != ENOENT)
            result = error_errno(reterr, errno, "cannot look at \"%s\"", full);
        else
            add_ignored(tree, full, "a link to nothing");
    } else if (S_ISDIR(st.st_mode)) {
        result = list_directory(dirfd, name, full, depth + 1, tree, reterr);
    } else if (!S_ISREG(st.st_mode)) {
        add_ignored(tree, full, "not a regular file");
    } else if (!manifest_name_read(name)) {
        add_ignored(tree, full,
                    "its name does not end in .yaml, .yml or .json, or says that it is a copy");
    } else if (tree->count == TREE_FILES_MAX) {
        result = error_make(reterr, EFBIG, "more than %d manifest files", TREE_FILES_MAX);
    } else {
        add_file(tree, full, &st);
        return 0;
    }
    mem_freep(&full);
    return result;
}

static int list_directory(int parent, const char *name, const char *path, unsigned depth,
                          struct tree *tree, struct error **reterr)
{
    if (depth > TREE_DEPTH_MAX)
        return error_make(reterr, ELOOP, "directories nested deeper than %d at \"%s\"",
                          TREE_DEPTH_MAX, path);
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        int errnum = errno;
        if (fd >= 0)
            close(fd);
        return error_errno(reterr, errnum, "cannot read the directory \"%s\"", *path ? path : name);
    }
    add_directory(tree, path);
    int result = 0;
    while (result == 0) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno)
                result = error_errno(reterr, errno, "cannot read the directory \"%s\"",
                                     *path ? path : name);
            break;
        }
        result = list_entry(dirfd(dir), entry->d_name, path, depth, tree, reterr);
    }
    closedir(dir);
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
    int result = list_directory(AT_FDCWD, directory, "", 0, &tree, reterr);
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
