#include "tools/picctl/directory.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"

int directory_exists(const struct config *config, struct error **reterr)
{
    if (io_exists(config->manifests))
        return 0;
    return error_make(reterr, ENOENT,
                      "there is no manifest directory \"%s\": `picctl init` makes a cell, "
                      "--manifests names another directory",
                      config->manifests);
}

static bool is_link(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

/* Kubernetes' way of swapping a volume: ..data points to ..2027_01_31_18_00_00.123. */
static bool has_swapped_part(const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) && strstr(real, "/..");
}

int directory_refuse_swapped(const char *directory, struct error **reterr)
{
    size_t len = strlen(directory);
    while (len > 1 && directory[len - 1] == '/')
        len--;
    MEM_AUTO char *bare = mem_strndup(directory, len);
    MEM_AUTO char *data = io_join(bare, "..data");
    if (!is_link(bare) && !is_link(data) && !has_swapped_part(bare))
        return 0;
    return error_make(
        reterr, EROFS,
        "the manifest directory \"%s\" is swapped as a whole by a sync tool (it is or "
        "holds a symbolic link), which would undo what is written here: make the change "
        "where it syncs from",
        directory);
}

int directory_refuse_link(const char *path, struct error **reterr)
{
    if (!is_link(path))
        return 0;
    return error_make(reterr, EROFS, "\"%s\" is a symbolic link: change the file that it points to",
                      path);
}
