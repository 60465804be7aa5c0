#include "controller/store/load.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "controller/source/tree.h"
#include "controller/state/record.h"
#include "schema/base/hash.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/decode/node.h"

/* A file that is there but cannot be read says nothing about its resources: it is not complete, so
 * that what was in force from it stays. */
static struct manifest *unreadable(const char *path, const char *why)
{
    struct manifest *m = mem_alloc(sizeof(*m));
    struct place place = {.file = path};
    m->path = mem_strdup(path);
    diags_add(&m->diags, SEVERITY_ERROR, &place, NULL, "%s", why);
    return m;
}

static bool is_link(const char *full)
{
    struct stat st;
    return lstat(full, &st) == 0 && S_ISLNK(st.st_mode);
}

struct manifest *load_file(const char *directory, const char *path, uint64_t *rethash,
                           struct error **reterr)
{
    char *full = io_join(directory, path);
    STRBUF_AUTO text = STRBUF_INIT;
    struct error *error = NULL;
    struct manifest *manifest = NULL;

    *rethash = 0;
    if (io_read(full, YAML_FILE_MAX, &text, &error) == 0) {
        *rethash = hash_bytes(text.text, text.len, 1);
        manifest = manifest_parse(path, text.text, text.len);
    } else if (error->errnum == ENOENT && is_link(full)) {
        manifest = unreadable(path, "a link to nothing: what it led to stays in force");
    } else if (error->errnum == ENOENT) {
        *reterr = error;
        error = NULL;
    } else {
        manifest = unreadable(path, error->message);
    }
    error_free(error);
    mem_freep(&full);
    return manifest;
}

static bool is_replaced(struct manifest **replace, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(replace[i]->path, path) == 0)
            return true;
    return false;
}

int load_tree(const char *directory, const char *state, const char *cell, struct manifest **replace,
              size_t replace_count, struct store **ret, struct changes *changes,
              struct error **reterr)
{
    struct tree tree;
    DIAGS_AUTO problems = DIAGS_INIT;
    int result = tree_list(directory, &tree, reterr);
    if (result < 0)
        return result;

    struct store *store = store_new(cell);
    if (state)
        record_load(store, state, &problems);
    for (size_t i = 0; i < tree.count; i++) {
        ERROR_AUTO error = NULL;
        uint64_t hash;
        if (is_replaced(replace, replace_count, tree.files[i].path))
            continue;
        struct manifest *manifest = load_file(directory, tree.files[i].path, &hash, &error);
        if (manifest)
            store_put(store, manifest);
    }
    for (size_t i = 0; i < replace_count; i++)
        store_put(store, replace[i]);
    tree_clear(&tree);

    struct changes own = {0};
    store_commit(store, true, changes ? changes : &own);
    changes_clear(&own);
    *ret = store;
    return 0;
}
