#include "controller/store/inside.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

static void copy_diag(const struct diag *d, struct diags *ret)
{
    struct place place = {d->file, d->line, d->column};
    diags_add(ret, d->severity, &place, d->subject, "%s", d->message);
}

static void copy_diags(const struct diags *from, struct diags *ret)
{
    for (size_t i = 0; i < from->count; i++)
        copy_diag(&from->list[i], ret);
}

/* A document that lost to another one of the same kind and name. */
static void report_duplicates(const struct store *store, const struct inner *inner,
                              struct diags *ret)
{
    for (size_t i = 0; inner->winner && i < inner->candidate_count; i++) {
        const struct candidate *c = &inner->candidates[i];
        const char *path = c->file->manifest->path;
        const char *winner = inner->winner->file->manifest->path;
        int rank = scope_rank(store, path);
        if (c == inner->winner || rank == 0)
            continue;
        struct place place = {path, c->entry->first_line, 1};
        bool replaced = rank < scope_rank(store, winner);
        diags_add(ret, replaced ? SEVERITY_WARNING : SEVERITY_ERROR, &place, inner->object.id,
                  replaced ? "replaced for this cell by %s:%u"
                           : "the same kind and name stands in %s:%u, which is in force; rename or "
                             "remove one",
                  winner, inner->winner->entry->first_line);
    }
}

static void report_nested(const struct store *store, const struct inner *inner, struct diags *ret)
{
    if (strncmp(inner->object.id, "Cell/", 5) != 0 || !inner->candidate_count)
        return;
    const char *outer = scope_nested_in(store, inner);
    if (!outer)
        return;
    const struct candidate *c = &inner->candidates[0];
    struct place place = {c->file->manifest->path, c->entry->first_line, 1};
    diags_add(ret, SEVERITY_ERROR, &place, inner->object.id,
              "lies in the directory of %s: give each Cell a directory of its own", outer);
}

void report_object(const struct store *store, const struct inner *inner, struct diags *ret)
{
    const struct object *o = &inner->object;
    report_duplicates(store, inner, ret);
    report_nested(store, inner, ret);
    if (inner->findings)
        copy_diags(inner->findings, ret);
    if (o->force)
        reference_check(store, o->force, ret);
    if (o->state == OBJECT_CONFLICT || (o->state == OBJECT_STALE && inner->winner &&
                                        inner->winner->entry->resource && !inner->findings)) {
        struct place place = inner->winner->entry->resource->place;
        diags_add(ret, SEVERITY_ERROR, &place, o->id, "%s", o->message);
    }
}

static int by_place(const void *a, const void *b)
{
    const struct diag *x = a, *y = b;
    int order = strcmp(x->file ? x->file : "", y->file ? y->file : "");
    if (order)
        return order;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

void report_file(const struct store_file *file, struct diags *ret)
{
    copy_diags(&file->manifest->diags, ret);
}

void store_recent_diags(struct store *store, struct diags *ret)
{
    diags_move(ret, &store->recent);
    if (ret->count > 1)
        qsort(ret->list, ret->count, sizeof(*ret->list), by_place);
}

void store_diags(const struct store *store, struct diags *ret)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&store->files, &at)))
        report_file(entry->value, ret);
    at = 0;
    while ((entry = map_next(&store->objects, &at)))
        report_object(store, entry->value, ret);
    if (ret->count > 1)
        qsort(ret->list, ret->count, sizeof(*ret->list), by_place);
}

bool store_file_good(const struct store *store, const char *path)
{
    const struct store_file *file = map_get_text(&store->files, path);
    if (!file || !file->manifest->complete)
        return false;
    for (size_t i = 0; i < file->manifest->count; i++) {
        const struct manifest_entry *entry = &file->manifest->entries[i];
        const struct object *object = entry->id ? store_object(store, entry->id) : NULL;
        if (!object || !object->force || object->state != OBJECT_IN_FORCE || !object->source ||
            strcmp(object->source, path) != 0)
            return false;
    }
    return true;
}
