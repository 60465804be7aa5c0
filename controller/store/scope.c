#include "controller/store/inside.h"

#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/cell.h"

static size_t directory_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) : 0;
}

/* Where a Cell lies: the file of a document that means it, else of its version in force. */
static const char *cell_path(const struct inner *cell)
{
    if (cell->candidate_count)
        return cell->candidates[0].file->manifest->path;
    return cell->object.force ? cell->object.source : NULL;
}

/* Does the directory of `of` contain (or equal) that of `path`? */
static bool contains(const char *of, const char *path)
{
    size_t len = directory_len(of), other = directory_len(path);
    if (len == 0)
        return true;
    return other >= len && memcmp(of, path, len) == 0 && (other == len || path[len] == '/');
}

const char *scope_of(const struct store *store, const char *path)
{
    const struct inner *best = NULL;
    for (size_t i = 0; i < store->cell_count; i++) {
        const struct inner *cell = store->cells[i];
        if (!cell_path(cell) || !contains(cell_path(cell), path))
            continue;
        if (!best || directory_len(cell_path(cell)) > directory_len(cell_path(best)) ||
            cell == store->cell)
            best = cell;
    }
    return best ? best->object.id : NULL;
}

int scope_rank(const struct store *store, const char *path)
{
    const char *scope = scope_of(store, path);
    if (!scope)
        return 1;
    return store->cell && strcmp(scope, store->cell->object.id) == 0 ? 2 : 0;
}

const char *scope_nested_in(const struct store *store, const struct inner *cell)
{
    if (cell == store->cell || !cell_path(cell))
        return NULL;
    for (size_t i = 0; i < store->cell_count; i++) {
        const struct inner *other = store->cells[i];
        /* One that only the prune guard keeps is none of the tree: this one got another name. */
        if (other != cell && other->candidate_count && contains(cell_path(other), cell_path(cell)))
            return other->object.id;
    }
    return NULL;
}

static void list_cells(struct store *store)
{
    size_t capacity = 0, at = 0;
    struct map_entry *entry;

    mem_freep(&store->cells);
    store->cell_count = 0;
    while ((entry = map_next(&store->objects, &at))) {
        struct inner *inner = entry->value;
        if (strncmp(inner->object.id, "Cell/", 5) != 0 || !cell_path(inner))
            continue;
        store->cells = mem_grow(store->cells, store->cell_count, &capacity, sizeof(inner));
        store->cells[store->cell_count++] = inner;
    }
}

static void set_problem(struct store *store, char *problem)
{
    mem_freep(&store->cell_problem);
    store->cell_problem = problem;
}

/* Who is in force, from the record of an earlier run too. */
static struct inner *cell_in_force(const struct store *store)
{
    if (store->cell && store->cell->object.force)
        return store->cell;
    for (size_t i = 0; i < store->cell_count; i++)
        if (store->cells[i]->object.force)
            return store->cells[i];
    return NULL;
}

static void choose(struct store *store)
{
    size_t count = store->cell_count;

    set_problem(store, NULL);
    if (store->wanted_cell) {
        char *id = mem_printf("Cell/%s", store->wanted_cell);
        store->cell = map_get_text(&store->objects, id);
        if (!store->cell || !cell_path(store->cell))
            set_problem(store,
                        mem_printf("there is no Cell \"%s\" in the manifests; --cell names it",
                                   store->wanted_cell));
        mem_freep(&id);
    } else if (count == 1) {
        store->cell = store->cells[0];
    } else if (count == 0) {
        set_problem(store,
                    mem_strdup("there is no Cell in the manifests; `picctl init` makes one"));
    } else {
        /* A second Cell never takes over from the one that is in force. */
        store->cell = cell_in_force(store);
        if (!store->cell)
            set_problem(
                store,
                mem_printf("there are %zu Cells in the manifests: name one with --cell", count));
    }
}

void scope_forget_cell(struct store *store, const struct inner *cell)
{
    size_t kept = 0;
    for (size_t i = 0; i < store->cell_count; i++)
        if (store->cells[i] != cell)
            store->cells[kept++] = store->cells[i];
    store->cell_count = kept;
    if (store->cell == cell)
        store->cell = NULL;
    store->scopes_changed = true;
}

void scope_choose_cell(struct store *store)
{
    if (!store->scopes_changed)
        return;
    store->scopes_changed = false;
    list_cells(store);
    choose(store);
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&store->objects, &at)))
        store_touch(store, entry->value);
}
