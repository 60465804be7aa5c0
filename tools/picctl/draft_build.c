#include "tools/picctl/draft_file.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/store/load.h"
#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "tools/picctl/edit.h"

/* ---- the new bytes --------------------------------------------------------------------------- */

static int by_entry(const void *a, const void *b)
{
    size_t x = ((const struct draft_edit *)a)->entry, y = ((const struct draft_edit *)b)->entry;
    return (x > y) - (x < y);
}

static bool is_json(const char *path)
{
    size_t len = strlen(path);
    return len > 5 && strcmp(path + len - 5, ".json") == 0;
}

/* A JSON file stays one, whatever the document was written in. */
static void write_as_json(struct draft_edit *edit)
{
    if (!edit->text)
        return;
    json_t *json = emit_json(edit->resource, EMIT_WRITTEN);
    mem_freep(&edit->text);
    edit->text = json_dumps(json, JSON_INDENT(2));
    edit->len = strlen(edit->text);
    json_decref(json);
}

static void make_bytes(struct draft_file *file)
{
    MEM_AUTO struct edit *edits = mem_alloc(file->edit_count * sizeof(*edits));
    struct edit_cursor cursor = EDIT_CURSOR_INIT;
    qsort(file->edits, file->edit_count, sizeof(*file->edits), by_entry);
    for (size_t i = 0; i < file->edit_count; i++) {
        struct draft_edit *edit = &file->edits[i];
        if (is_json(file->path))
            write_as_json(edit);
        edits[i] = (struct edit){.text = edit->text, .text_len = edit->len};
        if (!file->exists)
            continue; /* there is one document, and it is the whole file */
        const struct manifest_entry *entry = &file->manifest->entries[edit->entry];
        edits[i].place = edit_find(file->before.text, file->before.len, &cursor, entry->first_line,
                                   entry->end_line);
    }
    strbuf_reset(&file->after);
    edit_apply(file->before.text, file->before.len, edits, file->edit_count, &file->after);
}

/* ---- reading them again ---------------------------------------------------------------------- */

/* Does the entry say what the resource says, or (both wrong) name the same one? */
static bool entry_is(const struct manifest_entry *entry, const struct resource *resource,
                     const char *id)
{
    if (resource)
        return entry->resource && strcmp(entry->resource->id, resource->id) == 0 &&
               entry->resource->hash == resource->hash;
    return !entry->resource && strcmp(entry->id ? entry->id : "", id ? id : "") == 0;
}

static bool came_out_right(const struct draft_file *file)
{
    const struct manifest *old = file->manifest, *new = file->built;
    size_t at = 0, edit = 0, documents = file->exists ? old->count : 1;
    for (size_t i = 0; i < documents; i++) {
        const struct draft_edit *e = NULL;
        if (edit < file->edit_count && file->edits[edit].entry == i)
            e = &file->edits[edit++];
        if (e && !e->text)
            continue;
        const struct resource *expected = e ? e->resource : old->entries[i].resource;
        const char *id = e ? NULL : old->entries[i].id;
        if (at == new->count || !entry_is(&new->entries[at++], expected, id))
            return false;
    }
    return at == new->count &&new->complete;
}

static int build_file(struct draft *draft, struct draft_file *file, struct error **reterr)
{
    make_bytes(file);
    manifest_free(file->built);
    file->built = manifest_parse(file->path, file->after.text, file->after.len);
    if (!came_out_right(file))
        return error_make(reterr, EINVAL,
                          "\"%s/%s\" is written in a way that cannot be edited safely here: change "
                          "it by hand",
                          draft->config->manifests, file->path);
    file->goes =
        file->exists && file->built->count == 0 && edit_is_empty(file->after.text, file->after.len);
    return 0;
}

int draft_build(struct draft *draft, struct error **reterr)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < draft->count; i++)
        if (draft->files[i]->edit_count)
            r = build_file(draft, draft->files[i], reterr);
    return r;
}

bool draft_changed(const struct draft *draft)
{
    for (size_t i = 0; i < draft->count; i++)
        if (draft->files[i]->edit_count)
            return true;
    return false;
}

const struct resource *draft_built(const struct draft *draft, const char *id)
{
    const struct draft_document *found = map_get_text(&draft->documents, id);
    const struct manifest *built = found ? found->file->built : NULL;
    for (size_t i = 0; built && i < built->count; i++)
        if (built->entries[i].id && strcmp(built->entries[i].id, id) == 0)
            return built->entries[i].resource;
    return NULL;
}

static struct manifest *parse_built(const struct draft_file *file)
{
    return manifest_parse(file->path, file->after.text, file->after.len);
}

int draft_load(const struct draft *draft, struct store **ret, struct changes *changes,
               struct error **reterr)
{
    const struct config *config = draft->config;
    return load_tree(config->manifests, config->state, config->cell, NULL, 0, ret, changes, reterr);
}

void draft_enter(const struct draft *draft, struct store *store, struct changes *changes)
{
    for (size_t i = 0; i < draft->count; i++) {
        const struct draft_file *file = draft->files[i];
        if (file->goes)
            store_gone(store, file->path);
        else if (file->edit_count)
            store_put(store, parse_built(file));
    }
    store_commit(store, true, changes);
}

int draft_preview(const struct draft *draft, struct store **ret, struct changes *changes,
                  struct error **reterr)
{
    MEM_AUTO struct manifest **replace = mem_alloc((draft->count + 1) * sizeof(struct manifest *));
    const struct config *config = draft->config;
    size_t count = 0;
    for (size_t i = 0; i < draft->count; i++)
        if (draft->files[i]->edit_count)
            replace[count++] = parse_built(draft->files[i]);
    return load_tree(config->manifests, config->state, config->cell, replace, count, ret, changes,
                     reterr);
}
