#include "tools/picctl/check.h"

#include <errno.h>
#include <string.h>

#include "controller/source/tree.h"
#include "controller/store/load.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/decode/node.h"
#include "schema/kinds/cell.h"
#include "schema/types.h"

/* Findings of several readings of the same files: each is told once. */
struct findings {
    struct diags *diags;
    struct map seen; /* by its text → that text, owned */
};

static void findings_clear(struct findings *findings)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&findings->seen, &at)))
        mem_freep(&entry->value);
    map_clear(&findings->seen);
}

static void findings_add(struct findings *findings, const struct diag *d, const char *directory)
{
    STRBUF_AUTO text = STRBUF_INIT;
    diag_print(d, &text);
    if (map_get_text(&findings->seen, text.text))
        return;
    char *key = strbuf_steal(&text);
    map_put_text(&findings->seen, key, key);
    MEM_AUTO char *file = directory && d->file ? io_join(directory, d->file) : mem_strdup(d->file);
    struct place place = {file, d->line, d->column};
    diags_add(findings->diags, d->severity, &place, d->subject, "%s", d->message);
}

static void findings_take(struct findings *findings, const struct store *store,
                          const char *directory)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    store_diags(store, &diags);
    for (size_t i = 0; i < diags.count; i++)
        findings_add(findings, &diags.list[i], directory);
}

/* ---- secrets --------------------------------------------------------------------------------- */

/* A secret that a manifest names must be there: an error where the secrets are, else a warning, for
 * the manifests may be checked on another machine. */
static void check_secrets(const struct config *config, const struct resource *resource,
                          struct diags *ret)
{
    bool here = io_exists(config->secrets);
    for (size_t row = 0; row < resource->kind->field_count; row++) {
        const struct field *field = &resource->kind->fields[row];
        if (field->type != FIELD_SECRET || !resource_has(resource, (unsigned)row) ||
            resource->kind == &kind_cell)
            continue; /* picd makes a Cell's own key itself */
        const char *name = *(const char *const *)field_value(field, resource->spec);
        MEM_AUTO char *path = io_join(config->secrets, name);
        struct place place = resource_field_place(resource, (unsigned)row);
        if (!io_exists(path))
            diags_add(ret, here ? SEVERITY_ERROR : SEVERITY_WARNING, &place, resource->id,
                      "%s: there is no file \"%s\"", field->path, path);
    }
}

static void check_all_secrets(const struct config *config, const struct store *store,
                              const char *directory, struct findings *findings)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    size_t count;
    const struct object **objects = store_objects(store, &count);
    for (size_t i = 0; i < count; i++)
        if (objects[i]->force)
            check_secrets(config, objects[i]->force, &diags);
    for (size_t i = 0; i < diags.count; i++)
        findings_add(findings, &diags.list[i], directory);
    mem_freep(&objects);
}

/* ---- one tree, all cells --------------------------------------------------------------------- */

struct cells {
    char **names;
    size_t count, capacity;
};

static void cells_clear(struct cells *cells)
{
    for (size_t i = 0; i < cells->count; i++)
        mem_freep(&cells->names[i]);
    mem_freep(&cells->names);
}
#define CELLS_AUTO __attribute__((cleanup(cells_clear))) struct cells

static void count_manifest(const struct manifest *manifest, struct cells *cells,
                           struct check_counts *counts)
{
    counts->files++;
    counts->resources += manifest->count;
    for (size_t i = 0; i < manifest->count; i++) {
        const char *id = manifest->entries[i].id;
        if (!id || strncmp(id, "Cell/", 5) != 0)
            continue;
        cells->names =
            mem_grow(cells->names, cells->count, &cells->capacity, sizeof(*cells->names));
        cells->names[cells->count++] = mem_strdup(id + 5);
    }
}

static int list_cells(const char *directory, struct cells *cells, struct check_counts *counts,
                      struct error **reterr)
{
    struct tree tree;
    int r = tree_list(directory, &tree, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < tree.count; i++) {
        uint64_t hash;
        struct manifest *manifest = load_file(directory, tree.files[i].path, &hash, reterr);
        if (manifest)
            count_manifest(manifest, cells, counts);
        else
            r = -ENOENT;
        manifest_free(manifest);
    }
    tree_clear(&tree);
    return r;
}

static int check_cell(const struct config *config, const char *directory, const char *cell,
                      struct findings *findings, struct error **reterr)
{
    struct store *store = NULL;
    int r = load_tree(directory, NULL, cell, NULL, 0, &store, NULL, reterr);
    if (r < 0)
        return r;
    findings_take(findings, store, directory);
    check_all_secrets(config, store, directory, findings);
    if (store_cell_problem(store)) {
        struct place place = {.file = directory};
        diags_add(findings->diags, SEVERITY_ERROR, &place, NULL, "%s", store_cell_problem(store));
    }
    store_free(store);
    return 0;
}

int check_tree(const struct config *config, const char *directory, struct diags *ret,
               struct check_counts *counts, struct error **reterr)
{
    CELLS_AUTO cells = {0};
    struct findings findings = {.diags = ret};
    int r = list_cells(directory, &cells, counts, reterr);
    counts->cells = cells.count;
    if (r == 0 && (config->cell || !cells.count))
        r = check_cell(config, directory, config->cell, &findings, reterr);
    for (size_t i = 0; r == 0 && !config->cell && i < cells.count; i++)
        r = check_cell(config, directory, cells.names[i], &findings, reterr);
    findings_clear(&findings);
    return r;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int parse_file(const char *path, struct manifest **ret, struct error **reterr)
{
    STRBUF_AUTO bytes = STRBUF_INIT;
    int r = io_read(path, YAML_FILE_MAX, &bytes, reterr);
    if (r == 0)
        *ret = manifest_parse(path, bytes.text, bytes.len);
    return r;
}

int check_files(const struct config *config, const char *const *paths, size_t count,
                struct diags *ret, struct check_counts *counts, struct error **reterr)
{
    CELLS_AUTO cells = {0};
    struct findings findings = {.diags = ret};
    struct store *store = store_new(config->cell);
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct manifest *manifest = NULL;
        r = parse_file(paths[i], &manifest, reterr);
        if (r < 0)
            break;
        count_manifest(manifest, &cells, counts);
        for (size_t k = 0; k < manifest->diags.count; k++)
            findings_add(&findings, &manifest->diags.list[k], NULL);
        store_put(store, manifest);
    }
    counts->cells = cells.count;
    if (r == 0 && cells.count) {
        struct changes changes = {0};
        store_commit(store, true, &changes);
        changes_clear(&changes);
        findings_take(&findings, store, NULL);
        check_all_secrets(config, store, NULL, &findings);
    }
    store_free(store);
    findings_clear(&findings);
    return r;
}
