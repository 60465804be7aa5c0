/*
 * The decision: for each touched object which version is in force from now on. Gets files and
 * objects from store.c, hands changes to the model.
 */
#include "controller/store/inside.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/check/cross.h"
#include "schema/kinds/cell.h"

struct commit {
    struct store *store;
    struct changes *changes;
    bool first;
    bool complete;
};

static void set_state(struct inner *inner, enum object_state state, char *message)
{
    inner->object.state = state;
    mem_freep(&inner->object.message);
    inner->object.message = message;
}

static bool file_hides(const struct store *store, const char *path)
{
    const struct store_file *file = path ? map_get_text(&store->files, path) : NULL;
    if (!file)
        return false;
    if (!file->manifest->complete)
        return true;
    for (size_t i = 0; i < file->manifest->count; i++)
        if (!file->manifest->entries[i].id)
            return true;
    return false;
}

/* ---- which document counts ---- */

/* The file that the version in force came from goes before others, then the lower file name. */
static bool is_better(const struct store *store, const struct inner *inner,
                      const struct candidate *a, const struct candidate *b)
{
    const char *a_path = a->file->manifest->path, *b_path = b->file->manifest->path;
    int a_rank = scope_rank(store, a_path), b_rank = scope_rank(store, b_path);
    if (a_rank != b_rank)
        return a_rank > b_rank;
    const char *source = inner->object.force ? inner->object.source : NULL;
    bool a_is = source && strcmp(source, a_path) == 0, b_is = source && strcmp(source, b_path) == 0;
    if (a_is != b_is)
        return a_is;
    return strcmp(a_path, b_path) < 0;
}

/* Cells that we are not are read, and never come into force. */
static bool means_another_cell(const struct store *store, const struct inner *inner)
{
    return inner != store->cell && strncmp(inner->object.id, "Cell/", 5) == 0;
}

static const struct candidate *choose_winner(const struct store *store, const struct inner *inner)
{
    const struct candidate *best = NULL;
    if (means_another_cell(store, inner))
        return NULL;
    for (size_t i = 0; i < inner->candidate_count; i++) {
        const struct candidate *c = &inner->candidates[i];
        if (scope_rank(store, c->file->manifest->path) == 0)
            continue;
        if (!best || is_better(store, inner, c, best))
            best = c;
    }
    return best;
}

static char *first_error(const struct inner *inner)
{
    const struct manifest *manifest = inner->winner->file->manifest;
    for (size_t i = 0; i < manifest->diags.count; i++) {
        const struct diag *d = &manifest->diags.list[i];
        if (d->severity == SEVERITY_ERROR && d->subject &&
            strcmp(d->subject, inner->object.id) == 0)
            return mem_printf("%s:%u:%u: %s", d->file, d->line, d->column, d->message);
    }
    return mem_printf("%s is wrong; `picctl validate` says where", manifest->path);
}

/* ---- bringing into force ---- */

static void emit(struct commit *c, struct inner *inner, struct resource *before)
{
    struct object *o = &inner->object;
    bool applied = c->first && o->recorded && before == o->force;
    if (c->first && before == o->force)
        before = NULL;
    if (before || o->force)
        changes_add(c->changes, before, o->force, applied);
}

static void put_in_force(struct commit *c, struct inner *inner, struct resource *next)
{
    struct object *o = &inner->object;
    struct resource *before = o->force;

    o->force = next ? resource_ref(next) : NULL;
    o->generation += next != NULL;
    o->recorded = false;
    o->source = next ? next->place.file : NULL;
    emit(c, inner, before);
    resource_unref(before);
}

/* The same content again, perhaps in another place: what is in force is replaced without a change,
 * so that messages name the right line. */
static void refresh(struct commit *c, struct inner *inner)
{
    struct object *o = &inner->object;
    const struct candidate *w = inner->winner;

    if (w && w->entry->resource && w->entry->resource->hash == o->force->hash &&
        w->entry->resource != o->force) {
        claims_release(&c->store->claims, o->force);
        resource_unref(o->force);
        o->force = resource_ref(w->entry->resource);
        claims_take(&c->store->claims, o->force);
        o->source = o->force->place.file;
    }
    if (c->first)
        emit(c, inner, o->force);
}

static void find(struct inner *inner, struct diags *findings)
{
    if (inner->findings)
        diags_clear(inner->findings);
    mem_freep(&inner->findings);
    if (!findings->count)
        return;
    inner->findings = mem_alloc(sizeof(*inner->findings));
    diags_move(inner->findings, findings);
}

/* Is this version right beside everything else that is in force? The message says why not;
 * findings, warnings too, are added. */
static char *objection(struct commit *c, const struct resource *next, struct diags *findings,
                       enum object_state *retstate)
{
    struct store *store = c->store;
    const struct resource *cell = store_cell(store);
    char what[96];
    char *message = NULL;

    *retstate = OBJECT_STALE;
    if (next->kind == &kind_cell)
        return NULL;
    if (!cell)
        return mem_strdup("there is no Cell in force that it could belong to");
    cross_check(cell, wgkey_is_zero(&store->own_key) ? NULL : &store->own_key, next, findings);
    for (size_t i = 0; i < findings->count && !message; i++)
        if (findings->list[i].severity == SEVERITY_ERROR)
            message = mem_printf("%s:%u:%u: %s", findings->list[i].file, findings->list[i].line,
                                 findings->list[i].column, findings->list[i].message);
    if (message)
        return message;
    const struct resource *other = claims_conflict(&store->claims, next, what);
    if (!other)
        return NULL;
    *retstate = OBJECT_CONFLICT;
    return mem_printf("%s is already that of %s (%s:%u); change one of the two", what, other->id,
                      other->place.file, other->place.line);
}

static void wait_for_others(struct store *store, struct inner *inner, bool waits)
{
    if (waits)
        map_put_text(&store->waiting, inner->object.id, inner);
    else
        map_remove_text(&store->waiting, inner->object.id);
}

/* The old version stays if it still can: others may have taken what it had. */
static void fall_back(struct commit *c, struct inner *inner)
{
    struct object *o = &inner->object;
    enum object_state state;
    DIAGS_AUTO not_told = DIAGS_INIT; /* what is wrong is told of the manifest's version */
    if (!o->force)
        return;
    char *why = objection(c, o->force, &not_told, &state);
    if (why) {
        put_in_force(c, inner, NULL);
        mem_freep(&why);
        return;
    }
    claims_take(&c->store->claims, o->force);
    if (c->first)
        emit(c, inner, o->force);
}

static void try_next(struct commit *c, struct inner *inner)
{
    struct object *o = &inner->object;
    struct resource *next = inner->winner->entry->resource;
    enum object_state state;
    DIAGS_AUTO findings = DIAGS_INIT;
    char *why = objection(c, next, &findings, &state);

    find(inner, &findings);
    wait_for_others(c->store, inner, why);
    if (why) {
        set_state(inner, state, why);
        fall_back(c, inner);
        return;
    }
    set_state(inner, OBJECT_IN_FORCE, NULL);
    claims_take(&c->store->claims, next);
    if (o->force && o->force->hash == next->hash) {
        refresh(c, inner);
        return;
    }
    put_in_force(c, inner, next);
}

static void keep_stale(struct commit *c, struct inner *inner, char *message)
{
    DIAGS_AUTO none = DIAGS_INIT;
    set_state(inner, OBJECT_STALE, message);
    find(inner, &none);
    wait_for_others(c->store, inner, false);
    if (c->first && inner->object.force)
        emit(c, inner, inner->object.force);
}

/* ---- removing ---- */

static bool guard_holds(const struct store *store, size_t removals, size_t total, bool cell_goes)
{
    const struct resource *cell = store_cell(store);
    if (cell_goes)
        return true;
    if (!cell)
        return false;
    const struct cell_spec *spec = cell->spec;
    return removals > spec->guard_minimum && removals * 100 > (size_t)spec->guard_fraction * total;
}

static size_t count_in_force(const struct store *store)
{
    size_t count = 0, at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&store->objects, &at)))
        count += ((const struct object *)entry->value)->force != NULL;
    return count;
}

/* What is held stays so until it comes back or is let go: a directory that is filled again file by
 * file must not lose the rest on the way. */
static bool wants_removal(const struct commit *c, const struct inner *inner)
{
    if (inner->object.state == OBJECT_HELD && !inner->released)
        return false;
    return c->complete && inner->object.force && !inner->winner &&
           !file_hides(c->store, inner->object.source);
}

static void remove_or_hold(struct commit *c, struct inner **gone, size_t count)
{
    struct store *store = c->store;
    size_t unreleased = 0;
    bool cell_goes = false;

    for (size_t i = 0; i < count; i++) {
        unreleased += !gone[i]->released;
        cell_goes |= gone[i] == store->cell && !gone[i]->released;
    }
    bool held = unreleased && guard_holds(store, unreleased + store_held(store),
                                          count_in_force(store), cell_goes);
    for (size_t i = 0; i < count; i++) {
        struct inner *inner = gone[i];
        if (held && !inner->released) {
            set_state(inner, OBJECT_HELD,
                      mem_strdup("gone from the manifests, and kept: one change would remove too "
                                 "much; `picctl prune --confirm` lets it go"));
            if (c->first)
                emit(c, inner, inner->object.force);
            continue;
        }
        claims_release(&store->claims, inner->object.force);
        set_state(inner, OBJECT_IN_FORCE, NULL);
        wait_for_others(store, inner, false);
        put_in_force(c, inner, NULL);
        inner->released = false;
    }
}

/* ---- the Cell itself ---- */

/* A Cell that would throw out more peers than the guard allows does not come into force. */
static char *throws_out(const struct store *store, const struct resource *next)
{
    size_t thrown = 0, total = 0, at = 0;
    const struct map_entry *entry;
    const struct resource *now = store_cell(store);

    if (!now || !next)
        return NULL;
    while ((entry = map_next(&store->objects, &at))) {
        const struct inner *inner = entry->value;
        DIAGS_AUTO findings = DIAGS_INIT;
        if (!inner->object.force || inner->object.force->kind == &kind_cell)
            continue;
        /* A peer whose manifest changes in the same commit is judged by its new version. */
        const struct resource *judged =
            inner->touched && inner->winner && inner->winner->entry->resource
                ? inner->winner->entry->resource
                : inner->object.force;
        total++;
        cross_check(next, NULL, judged, &findings);
        thrown += findings.errors > 0;
    }
    if (!guard_holds(store, thrown, total, false))
        return NULL;
    return mem_printf("%s:%u: this change would put %zu of %zu resources out of force (addresses "
                      "outside network.vpn…); change them too, or delete them first",
                      next->place.file, next->place.line, thrown, total);
}

static void commit_cell(struct commit *c)
{
    struct inner *cell = c->store->cell;
    if (!cell || !cell->touched)
        return;
    struct resource *next = cell->winner ? cell->winner->entry->resource : NULL;
    if (!cell->winner)
        return; /* remove_or_hold() decides */
    if (!next) {
        keep_stale(c, cell, first_error(cell));
        return;
    }
    char *why = cell->object.force && cell->object.force->hash != next->hash
                    ? throws_out(c->store, next)
                    : NULL;
    if (why) {
        keep_stale(c, cell, why);
        return;
    }
    if (cell->object.force)
        claims_release(&c->store->claims, cell->object.force);
    bool changes = !cell->object.force || cell->object.force->hash != next->hash;
    try_next(c, cell);
    /* Everything is judged against the Cell: look at all of it again. */
    size_t at = 0;
    struct map_entry *entry;
    while (changes && (entry = map_next(&c->store->objects, &at)))
        store_touch(c->store, entry->value);
}

/* ---- all of it ---- */

static int in_force_first(const void *a, const void *b)
{
    const struct inner *x = *(const struct inner *const *)a, *y = *(const struct inner *const *)b;
    bool x_is = x->object.force, y_is = y->object.force;
    if (x_is != y_is)
        return x_is ? -1 : 1;
    return strcmp(x->object.id, y->object.id);
}

static void touch_waiting(struct store *store)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&store->waiting, &at)))
        store_touch(store, entry->value);
}

static void commit_object(struct commit *c, struct inner *inner)
{
    if (!inner->winner && inner->object.force)
        keep_stale(c, inner,
                   mem_printf("%s cannot be read: the last good version stays",
                              c->complete ? inner->object.source : "the manifest directory"));
    else if (inner->winner && !inner->winner->entry->resource)
        keep_stale(c, inner, first_error(inner));
    else if (inner->winner)
        try_next(c, inner);
    else
        set_state(inner, OBJECT_IN_FORCE, NULL);
}

/* Objects that nothing speaks of any more. */
static void forget(struct store *store, struct inner **list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct inner *inner = list[i];
        inner->touched = false;
        if (inner->object.force || inner->candidate_count)
            continue;
        map_remove_text(&store->waiting, inner->object.id);
        map_remove_text(&store->objects, inner->object.id);
        if (strncmp(inner->object.id, "Cell/", 5) == 0)
            scope_forget_cell(store, inner);
        inner_free(inner);
    }
}

static void touch_all(struct store *store)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&store->objects, &at)))
        store_touch(store, entry->value);
}

static void commit_removals(struct commit *c)
{
    struct store *store = c->store;
    struct inner **gone = mem_alloc((store->touched_count + 1) * sizeof(*gone));
    size_t count = 0;
    for (size_t i = 0; i < store->touched_count; i++)
        if (wants_removal(c, store->touched[i]))
            gone[count++] = store->touched[i];
    remove_or_hold(c, gone, count);
    mem_freep(&gone);
}

static void commit_objects(struct commit *c)
{
    struct store *store = c->store;

    /* What changes gives back its claims first, so that two can exchange theirs. */
    for (size_t i = 0; i < store->touched_count; i++) {
        const struct inner *inner = store->touched[i];
        if (inner != store->cell && inner->object.force && inner->winner &&
            inner->winner->entry->resource)
            claims_release(&store->claims, inner->object.force);
    }
    for (size_t i = 0; i < store->touched_count; i++) {
        struct inner *inner = store->touched[i];
        bool done = inner->winner ? inner == store->cell : inner->object.state == OBJECT_HELD;
        if (!done)
            commit_object(c, inner);
    }
}

void store_commit(struct store *store, bool complete, struct changes *changes)
{
    struct commit c = {store, changes, !store->committed, complete};
    if (store->incomplete && complete)
        touch_all(store);
    store->incomplete = !complete;

    scope_choose_cell(store);
    touch_waiting(store);
    for (size_t i = 0; i < store->touched_count; i++)
        store->touched[i]->winner = choose_winner(store, store->touched[i]);
    size_t before_cell = store->touched_count;
    commit_cell(&c);
    for (size_t i = before_cell; i < store->touched_count; i++)
        store->touched[i]->winner = choose_winner(store, store->touched[i]);

    if (store->touched_count > 1)
        qsort(store->touched, store->touched_count, sizeof(*store->touched), in_force_first);
    commit_removals(&c);

    commit_objects(&c);
    for (size_t i = 0; i < store->touched_count; i++)
        report_object(store, store->touched[i], &store->recent);
    changes_sort(changes);
    forget(store, store->touched, store->touched_count);
    store->touched_count = 0;
    store->committed = true;
}
