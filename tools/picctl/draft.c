#include "tools/picctl/draft_file.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "controller/source/tree.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/decode/node.h"
#include "schema/kinds/cell.h"
#include "tools/picctl/directory.h"
#include "tools/picctl/edit.h"

/* ---- life ------------------------------------------------------------------------------------ */

struct draft_file *draft_add_file(struct draft *draft, const char *path)
{
    struct draft_file *file = mem_alloc(sizeof(*file));
    file->path = mem_strdup(path);
    file->before = file->after = (struct strbuf)STRBUF_INIT;
    draft->files =
        mem_grow((void *)draft->files, draft->count, &draft->capacity, sizeof(*draft->files));
    draft->files[draft->count++] = file;
    return file;
}

static void edit_clear(struct draft_edit *edit)
{
    mem_freep(&edit->text);
    resource_unref(edit->resource);
}

static void file_free(struct draft_file *file)
{
    for (size_t i = 0; i < file->edit_count; i++)
        edit_clear(&file->edits[i]);
    mem_freep(&file->edits);
    mem_freep(&file->path);
    mem_freep(&file->new_id);
    strbuf_clear(&file->before);
    strbuf_clear(&file->after);
    manifest_free(file->manifest);
    manifest_free(file->built);
    mem_freep(&file);
}

void draft_clear(struct draft *draft)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&draft->documents, &at)))
        mem_freep(&entry->value);
    map_clear(&draft->documents);
    for (size_t i = 0; i < draft->count; i++)
        file_free(draft->files[i]);
    for (size_t i = 0; i < draft->cell_count; i++)
        mem_freep(&draft->cells[i]);
    mem_freep(&draft->cells);
    mem_freep(&draft->files);
    *draft = (struct draft){0};
}

/* ---- which files count for our cell ---------------------------------------------------------- */

#define CELL_PREFIX "Cell/"

static size_t directory_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

static bool lies_in(const char *path, const char *directory, size_t len)
{
    return len == 0 || (strncmp(path, directory, len) == 0 && path[len] == '/');
}

static const char *cell_name(const struct manifest_entry *entry)
{
    size_t len = strlen(CELL_PREFIX);
    return entry->id && strncmp(entry->id, CELL_PREFIX, len) == 0 ? entry->id + len : NULL;
}

static void add_cell(struct draft *draft, const char *name, const char *path)
{
    char *directory = mem_strndup(path, directory_len(path));
    draft->cells = mem_grow((void *)draft->cells, draft->cell_count, &draft->cell_capacity,
                            sizeof(*draft->cells));
    draft->cells[draft->cell_count++] = directory;
    if (!draft->config->cell || strcmp(draft->config->cell, name) == 0)
        draft->cell_directory = directory;
}

/* Ours is the one that --cell names, or the only one. */
static void find_cells(struct draft *draft)
{
    for (size_t i = 0; i < draft->count; i++) {
        const struct draft_file *file = draft->files[i];
        for (size_t k = 0; k < file->manifest->count; k++) {
            const char *name = cell_name(&file->manifest->entries[k]);
            if (name)
                add_cell(draft, name, file->path);
        }
    }
}

/* 0: it belongs to another cell, 1: to all, 2: to ours. */
static int rank_of(const struct draft *draft, const char *path)
{
    const char *own = draft->cell_directory;
    if (own && lies_in(path, own, strlen(own)))
        return 2;
    for (size_t i = 0; i < draft->cell_count; i++)
        if (lies_in(path, draft->cells[i], strlen(draft->cells[i])))
            return 0;
    return 1;
}

/* ---- reading --------------------------------------------------------------------------------- */

static void index_document(struct draft *draft, struct draft_file *file, size_t entry, int rank)
{
    const char *id = file->manifest->entries[entry].id;
    struct draft_document *found = id ? map_get_text(&draft->documents, id) : NULL;
    if (!id || (found && rank <= rank_of(draft, found->file->path)))
        return;
    if (!found)
        found = mem_alloc(sizeof(*found));
    *found = (struct draft_document){file, entry};
    map_put_text(&draft->documents, id, found);
}

/* A cell's own document goes before a common one, then the lower file name before others. */
static void index_documents(struct draft *draft)
{
    for (size_t i = 0; i < draft->count; i++) {
        struct draft_file *file = draft->files[i];
        int rank = rank_of(draft, file->path);
        for (size_t k = 0; rank && k < file->manifest->count; k++)
            index_document(draft, file, k, rank);
    }
}

static int read_file(struct draft *draft, const char *path, struct error **reterr)
{
    MEM_AUTO char *full = io_join(draft->config->manifests, path);
    struct draft_file *file = draft_add_file(draft, path);
    int r = io_read(full, YAML_FILE_MAX, &file->before, reterr);
    file->manifest = manifest_parse(path, file->before.text, file->before.len);
    file->exists = true;
    return r;
}

static int check_cell(const struct draft *draft, struct error **reterr)
{
    const struct config *config = draft->config;
    if (draft->cell_count > 1 && !config->cell)
        return error_make(reterr, EINVAL, "there are %zu Cells in \"%s\": name one with --cell",
                          draft->cell_count, config->manifests);
    if (draft->cell_count && !draft->cell_directory)
        return error_make(reterr, ENOENT, "there is no Cell \"%s\" in \"%s\": --cell names it",
                          config->cell, config->manifests);
    return 0;
}

int draft_open(const struct config *config, struct draft *ret, struct error **reterr)
{
    struct tree tree;
    int r = directory_exists(config, reterr);
    if (r == 0)
        r = tree_list(config->manifests, &tree, reterr);
    if (r < 0)
        return r;
    *ret = (struct draft){.config = config};
    for (size_t i = 0; r == 0 && i < tree.count; i++)
        r = read_file(ret, tree.files[i].path, reterr);
    tree_clear(&tree);
    if (r < 0)
        return r;
    find_cells(ret);
    index_documents(ret);
    return check_cell(ret, reterr);
}

/* ---- looking --------------------------------------------------------------------------------- */

static const struct manifest_entry *find_entry(const struct draft *draft, const char *id)
{
    const struct draft_document *found = map_get_text(&draft->documents, id);
    if (!found || !found->file->exists)
        return NULL;
    return &found->file->manifest->entries[found->entry];
}

bool draft_has(const struct draft *draft, const char *id)
{
    return find_entry(draft, id);
}

const struct resource *draft_resource(const struct draft *draft, const char *id)
{
    const struct manifest_entry *entry = find_entry(draft, id);
    return entry ? entry->resource : NULL;
}

const char *draft_path(const struct draft *draft, const char *id)
{
    const struct draft_document *found = map_get_text(&draft->documents, id);
    return found ? found->file->path : NULL;
}

bool draft_content(const struct draft *draft, const char *id, struct strbuf *ret)
{
    const struct draft_document *found = map_get_text(&draft->documents, id);
    const struct manifest_entry *entry = find_entry(draft, id);
    if (!entry)
        return false;
    const struct strbuf *bytes = &found->file->before;
    struct edit_cursor cursor = EDIT_CURSOR_INIT;
    struct edit_place place =
        edit_find(bytes->text, bytes->len, &cursor, entry->first_line, entry->end_line);
    strbuf_add(ret, bytes->text + place.start, place.end - place.start);
    return true;
}

void draft_each(const struct draft *draft,
                void (*visit)(const struct resource *resource, void *context), void *context)
{
    for (size_t i = 0; i < draft->count; i++) {
        const struct manifest *manifest = draft->files[i]->manifest;
        for (size_t k = 0; manifest && k < manifest->count; k++)
            if (manifest->entries[k].resource &&
                find_entry(draft, manifest->entries[k].id) == &manifest->entries[k])
                visit(manifest->entries[k].resource, context);
    }
}

/* ---- changing -------------------------------------------------------------------------------- */

static void set_edit(struct draft_file *file, size_t entry, const char *text, size_t len,
                     const struct resource *resource)
{
    struct draft_edit *edit = NULL;
    for (size_t i = 0; i < file->edit_count && !edit; i++)
        if (file->edits[i].entry == entry)
            edit = &file->edits[i];
    if (edit) {
        edit_clear(edit);
    } else {
        file->edits =
            mem_grow(file->edits, file->edit_count, &file->edit_capacity, sizeof(*file->edits));
        edit = &file->edits[file->edit_count++];
    }
    *edit = (struct draft_edit){.entry = entry, .len = len};
    if (text) {
        edit->text = mem_strndup(text, len);
        edit->resource = resource_ref(resource);
    }
}

/* The file that a new document gets. */
static int new_file(struct draft *draft, const struct resource *resource, struct draft_file **ret,
                    struct error **reterr)
{
    const char *directory = draft->cell_directory ? draft->cell_directory : "";
    MEM_AUTO char *kind = mem_strdup(resource->kind->name);
    for (char *c = kind; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    MEM_AUTO char *path =
        mem_printf("%s%s%s-%s.yaml", directory, *directory ? "/" : "", kind, resource->name);
    MEM_AUTO char *full = io_join(draft->config->manifests, path);
    if (io_exists(full))
        return error_make(
            reterr, EEXIST,
            "\"%s\" is there, and %s is not in it as far as it can be read: look at it, "
            "then rename or remove it",
            full, resource->id);
    *ret = draft_add_file(draft, path);
    (*ret)->manifest = manifest_parse(path, "", 0);
    return 0;
}

static int find_file(struct draft *draft, const char *id, struct draft_document **ret,
                     struct error **reterr)
{
    struct draft_document *found = map_get_text(&draft->documents, id);
    if (found && found->file->exists && !found->file->manifest->complete)
        return error_make(reterr, EINVAL,
                          "\"%s/%s\" cannot be read to its end, so no document in it can be "
                          "changed: repair it first, `picctl validate` says where",
                          draft->config->manifests, found->file->path);
    *ret = found;
    return 0;
}

int draft_put(struct draft *draft, const struct resource *resource, const char *text, size_t len,
              struct error **reterr)
{
    struct draft_document *found;
    int r = find_file(draft, resource->id, &found, reterr);
    if (r == 0 && !found) {
        struct draft_file *file;
        r = new_file(draft, resource, &file, reterr);
        if (r < 0)
            return r;
        set_edit(file, 0, text, len, resource);
        file->new_id = mem_strdup(resource->id);
        found = mem_alloc(sizeof(*found));
        *found = (struct draft_document){file, 0};
        map_put_text(&draft->documents, file->new_id, found);
    } else if (r == 0) {
        set_edit(found->file, found->entry, text, len, resource);
    }
    return r;
}

int draft_remove(struct draft *draft, const char *id, struct error **reterr)
{
    struct draft_document *found;
    int r = find_file(draft, id, &found, reterr);
    if (r == 0 && !found)
        return error_make(reterr, ENOENT, "there is no %s", id);
    if (r == 0)
        set_edit(found->file, found->entry, NULL, 0, NULL);
    return r;
}
