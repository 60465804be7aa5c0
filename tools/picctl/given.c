#include "tools/picctl/given.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/source/tree.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/decode/node.h"
#include "tools/picctl/out.h"

enum { READ_STEP = 64 * 1024 };

void given_clear(struct given *given)
{
    for (size_t i = 0; i < given->count; i++) {
        mem_freep(&given->list[i].name);
        strbuf_clear(&given->list[i].bytes);
        manifest_free(given->list[i].manifest);
    }
    mem_freep(&given->list);
    *given = (struct given){0};
}

static bool lies_below(const char *directory, const char *path)
{
    char outer[PATH_MAX], inner[PATH_MAX];
    if (!realpath(directory, outer) || !realpath(path, inner))
        return false;
    size_t len = strlen(outer);
    return strncmp(outer, inner, len) == 0 && inner[len] == '/';
}

static void add(struct given *given, const char *name, struct strbuf *bytes, bool in_place)
{
    given->list = mem_grow(given->list, given->count, &given->capacity, sizeof(*given->list));
    given->list[given->count++] = (struct given_file){
        .name = mem_strdup(name),
        .manifest = manifest_parse(name, bytes->text, bytes->len),
        .bytes = *bytes,
        .in_place = in_place,
    };
    *bytes = (struct strbuf)STRBUF_INIT;
}

static int read_stdin(struct given *given, struct error **reterr)
{
    STRBUF_AUTO bytes = STRBUF_INIT;
    for (;;) {
        strbuf_reserve(&bytes, READ_STEP);
        ssize_t n = read(STDIN_FILENO, bytes.text + bytes.len, READ_STEP);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_errno(reterr, errno, "cannot read standard input");
        bytes.len += (size_t)n;
        bytes.text[bytes.len] = '\0';
        if (n == 0 || bytes.len > YAML_FILE_MAX)
            break;
    }
    add(given, "standard input", &bytes, false);
    return 0;
}

static int read_one(const struct config *config, const char *path, struct given *given,
                    struct error **reterr)
{
    STRBUF_AUTO bytes = STRBUF_INIT;
    int r = io_read(path, YAML_FILE_MAX, &bytes, reterr);
    if (r == 0)
        add(given, path, &bytes, lies_below(config->manifests, path));
    return r;
}

static int read_directory(const struct config *config, const char *path, struct given *given,
                          struct error **reterr)
{
    struct tree tree;
    int r = tree_list(path, &tree, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < tree.count; i++) {
        MEM_AUTO char *file = io_join(path, tree.files[i].path);
        r = read_one(config, file, given, reterr);
    }
    tree_clear(&tree);
    return r;
}

int given_read(const struct config *config, const struct words *files, struct given *ret,
               struct error **reterr)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < files->count; i++) {
        struct stat st;
        const char *path = files->list[i];
        if (strcmp(path, "-") == 0)
            r = read_stdin(ret, reterr);
        else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
            r = read_directory(config, path, ret, reterr);
        else
            r = read_one(config, path, ret, reterr);
    }
    return r;
}

bool given_wrong(const struct given *given)
{
    bool wrong = false;
    size_t resources = 0;
    for (size_t i = 0; i < given->count; i++) {
        const struct manifest *manifest = given->list[i].manifest;
        out_findings(stderr, &manifest->diags);
        wrong |= manifest->diags.errors > 0 || !manifest->complete;
        resources += manifest->count;
    }
    if (!wrong && !resources)
        out_refused("there is no resource in what -f names");
    return wrong || !resources;
}
