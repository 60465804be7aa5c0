#include "controller/store/inside.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/cell.h"

struct store *store_new(const char *cell)
{
    struct store *store = mem_alloc(sizeof(*store));
    store->wanted_cell = mem_strdup(cell);
    store->scopes_changed = true; /* that there is no Cell has to be found out too */
    return store;
}

void inner_free(struct inner *inner)
{
    resource_unref(inner->object.force);
    mem_freep(&inner->object.id);
    mem_freep(&inner->object.message);
    mem_freep(&inner->candidates);
    if (inner->findings)
        diags_clear(inner->findings);
    mem_freep(&inner->findings);
    mem_freep(&inner);
}

static void file_free(struct store_file *file)
{
    manifest_free(file->manifest);
    mem_freep(&file);
}

void store_free(struct store *store)
{
    size_t at = 0;
    struct map_entry *entry;

    if (!store)
        return;
    claims_clear(&store->claims);
    while ((entry = map_next(&store->objects, &at)))
        inner_free(entry->value);
    at = 0;
    while ((entry = map_next(&store->files, &at)))
        file_free(entry->value);
    map_clear(&store->objects);
    map_clear(&store->files);
    map_clear(&store->waiting);
    mem_freep(&store->touched);
    mem_freep(&store->cells);
    diags_clear(&store->recent);
    mem_freep(&store->wanted_cell);
    mem_freep(&store->cell_problem);
    mem_freep(&store);
}

/* ---- objects ---- */

struct inner *store_inner(struct store *store, const char *id)
{
    struct inner *inner = map_get_text(&store->objects, id);
    if (inner)
        return inner;
    inner = mem_alloc(sizeof(*inner));
    inner->object.id = mem_strdup(id);
    map_put_text(&store->objects, inner->object.id, inner);
    return inner;
}

void store_touch(struct store *store, struct inner *inner)
{
    if (inner->touched)
        return;
    inner->touched = true;
    store->touched =
        mem_grow(store->touched, store->touched_count, &store->touched_capacity, sizeof(inner));
    store->touched[store->touched_count++] = inner;
}

static bool means_cell(const char *id)
{
    return strncmp(id, "Cell/", 5) == 0;
}

static void add_candidate(struct store *store, struct store_file *file,
                          const struct manifest_entry *entry)
{
    if (!entry->id)
        return;
    struct inner *inner = store_inner(store, entry->id);
    /* Nearly always one: exact, not doubled. */
    inner->candidates =
        mem_resize(inner->candidates, (inner->candidate_count + 1) * sizeof(*inner->candidates));
    inner->candidates[inner->candidate_count++] = (struct candidate){file, entry};
    store->scopes_changed |= means_cell(entry->id);
    store_touch(store, inner);
}

static void drop_candidates(struct store *store, const struct store_file *file)
{
    for (size_t i = 0; i < file->manifest->count; i++) {
        const char *id = file->manifest->entries[i].id;
        struct inner *inner = id ? map_get_text(&store->objects, id) : NULL;
        if (!inner)
            continue;
        size_t kept = 0;
        for (size_t j = 0; j < inner->candidate_count; j++)
            if (inner->candidates[j].file != file)
                inner->candidates[kept++] = inner->candidates[j];
        inner->candidate_count = kept;
        inner->winner = NULL;
        store->scopes_changed |= means_cell(id);
        store_touch(store, inner);
    }
}

/* ---- files ---- */

/* What is in force from a file although no document of it says so any more (an unreadable rest
 * shielded it) has to be looked at when the file changes. */
static void touch_shielded(struct store *store, const char *path)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&store->objects, &at))) {
        struct inner *inner = entry->value;
        if (inner->object.force && inner->candidate_count == 0 && inner->object.source &&
            strcmp(inner->object.source, path) == 0)
            store_touch(store, inner);
    }
}

static bool hides_something(const struct manifest *manifest)
{
    bool hides = !manifest->complete;
    for (size_t i = 0; i < manifest->count; i++)
        hides |= !manifest->entries[i].id;
    return hides;
}

void store_gone(struct store *store, const char *path)
{
    struct store_file *file = map_remove_text(&store->files, path);
    if (!file)
        return;
    drop_candidates(store, file);
    if (hides_something(file->manifest))
        touch_shielded(store, path);
    file_free(file);
}

void store_put(struct store *store, struct manifest *manifest)
{
    store_gone(store, manifest->path);
    struct store_file *file = mem_alloc(sizeof(*file));
    file->manifest = manifest;
    map_put_text(&store->files, manifest->path, file);
    for (size_t i = 0; i < manifest->count; i++)
        add_candidate(store, file, &manifest->entries[i]);
    report_file(file, &store->recent);
}

void store_record(struct store *store, struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct resource *resource = manifest->entries[i].resource;
        char what[96];
        if (!resource)
            continue;
        struct inner *inner = store_inner(store, resource->id);
        if (inner->object.force || claims_conflict(&store->claims, resource, what))
            continue;
        inner->object.force = resource_ref(resource);
        inner->object.source = inner->object.force->place.file;
        inner->object.generation = 1;
        inner->object.recorded = true;
        claims_take(&store->claims, resource);
        store->scopes_changed |= resource->kind == &kind_cell;
        store_touch(store, inner);
    }
    manifest_free(manifest);
}

const char **store_paths(const struct store *store, size_t *retcount)
{
    const char **paths = mem_alloc((store->files.count + 1) * sizeof(*paths));
    size_t at = 0;
    const struct map_entry *entry;
    *retcount = 0;
    while ((entry = map_next(&store->files, &at)))
        paths[(*retcount)++] = ((const struct store_file *)entry->value)->manifest->path;
    return paths;
}

bool store_has(const struct store *store, const char *path, uint64_t content_hash)
{
    const struct store_file *file = map_get_text(&store->files, path);
    return file && file->content_hash == content_hash;
}

void store_set_content_hash(struct store *store, const char *path, uint64_t content_hash)
{
    struct store_file *file = map_get_text(&store->files, path);
    if (file)
        file->content_hash = content_hash;
}

void store_set_own_key(struct store *store, const struct wgkey *key)
{
    size_t at = 0;
    struct map_entry *entry;
    if (wgkey_equal(&store->own_key, key))
        return;
    store->own_key = *key;
    while ((entry = map_next(&store->objects, &at)))
        store_touch(store, entry->value);
}

/* ---- looking ---- */

const struct resource *store_cell(const struct store *store)
{
    return store->cell ? store->cell->object.force : NULL;
}

const char *store_cell_problem(const struct store *store)
{
    return store->cell_problem;
}

const struct object *store_object(const struct store *store, const char *id)
{
    const struct inner *inner = map_get_text(&store->objects, id);
    return inner ? &inner->object : NULL;
}

static size_t rank_of_id(const char *id)
{
    size_t len = strcspn(id, "/"), i = 0;
    while (i < kind_count &&
           (strlen(kinds[i]->name) != len || memcmp(kinds[i]->name, id, len) != 0))
        i++;
    return i;
}

static int by_id(const void *a, const void *b)
{
    const struct object *x = a, *y = b;
    size_t x_rank = rank_of_id(x->id), y_rank = rank_of_id(y->id);
    if (x_rank != y_rank)
        return x_rank < y_rank ? -1 : 1;
    return strcmp(x->id, y->id);
}

size_t store_count(const struct store *store)
{
    return store->objects.count;
}

const struct object **store_objects(const struct store *store, size_t *retcount)
{
    *retcount = store->objects.count;
    return (const struct object **)map_sorted(&store->objects, by_id);
}

size_t store_held(const struct store *store)
{
    size_t held = 0, at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&store->objects, &at)))
        held += ((const struct object *)entry->value)->state == OBJECT_HELD;
    return held;
}

bool store_is_unsettled(const struct store *store)
{
    return store->scopes_changed;
}

size_t store_release(struct store *store)
{
    size_t released = 0, at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&store->objects, &at))) {
        struct inner *inner = entry->value;
        if (inner->object.state != OBJECT_HELD)
            continue;
        inner->released = true;
        store_touch(store, inner);
        released++;
    }
    return released;
}
