#include "tools/picctl/view.h"

#include <errno.h>
#include <string.h>

#include "controller/store/load.h"
#include "schema/base/mem.h"
#include "schema/base/suggest.h"
#include "schema/emit/emit.h"
#include "tools/picctl/directory.h"
#include "tools/picctl/item.h"
#include "tools/picctl/out.h"

void view_clear(struct view *view)
{
    json_decref(view->items);
    mem_freep(&view->problem);
    *view = (struct view){0};
}

/* ---- from picd ------------------------------------------------------------------------------- */

static const char *next_item(const void *context, size_t i)
{
    const json_t *item = json_array_get(context, i);
    return item ? item_name(item) : NULL;
}

/* Looks for a name like it among all of the kind. */
static int absent(const struct config *config, const struct target *target, struct error **reterr)
{
    MEM_AUTO char *path = mem_printf("/v1/resources/%s", target->kind->plural);
    json_t *list = NULL;
    ERROR_AUTO ignored = NULL;
    const char *nearest = NULL;
    if (client_get(config, path, &list, &ignored) == 0)
        nearest = suggest_nearest(target->name, next_item, json_object_get(list, "items"));
    int r = target_absent(target, nearest, reterr);
    json_decref(list);
    return r;
}

static int ask_target(const struct config *config, const struct target *target, json_t *items,
                      struct error **reterr)
{
    MEM_AUTO char *path = mem_printf("/v1/resources/%s%s%s", target->kind->plural,
                                     target->name ? "/" : "", target->name ? target->name : "");
    json_t *answer = NULL;
    int r = client_get(config, path, &answer, reterr);
    if (r == CLIENT_NOT_FOUND && target->name)
        return absent(config, target, reterr);
    if (r == CLIENT_NOT_FOUND)
        return error_make(reterr, EPROTO,
                          "the running picd knows no kind %s: it is another version",
                          target->kind->name);
    if (r != 0)
        return r;
    if (target->name)
        json_array_append(items, answer);
    else
        json_array_extend(items, json_object_get(answer, "items"));
    json_decref(answer);
    return 0;
}

/* ---- from the manifests ---------------------------------------------------------------------- */

static const char *const state_reasons[] = {
    [OBJECT_IN_FORCE] = NULL,         [OBJECT_STALE] = "Stale",    [OBJECT_CONFLICT] = "Conflict",
    [OBJECT_DUPLICATE] = "Duplicate", [OBJECT_HELD] = "PruneHeld",
};

/* Without picd only what is wrong in the manifests is known. */
static json_t *object_json(const struct object *object)
{
    json_t *item = emit_json(object->force, EMIT_WRITTEN);
    json_t *status = json_pack("{s:s?}", "source", object->source);
    const char *reason = state_reasons[object->state];
    if (reason)
        json_object_set_new(status, "conditions",
                            json_pack("[{s:s, s:s, s:s, s:s?}]", "type", "Ready", "status", "False",
                                      "reason", reason, "message", object->message));
    json_object_set_new(item, "status", status);
    return item;
}

struct objects {
    const struct object **list;
    size_t count;
    const struct kind *kind; /* of the names that next_object() gives */
};

static const char *next_object(const void *context, size_t i)
{
    const struct objects *objects = context;
    if (i >= objects->count)
        return NULL;
    const struct resource *force = objects->list[i]->force;
    return force && force->kind == objects->kind ? force->name : "";
}

/* A resource that is written but not in force is worth more than "there is none". */
static int missing_object(const struct store *store, struct objects *objects,
                          const struct target *target, struct error **reterr)
{
    MEM_AUTO char *id = mem_printf("%s/%s", target->kind->name, target->name);
    const struct object *object = store_object(store, id);
    if (object && object->message)
        return error_make(reterr, ENOENT, "%s is not in force: %s", id, object->message);
    objects->kind = target->kind;
    const char *nearest = suggest_nearest(target->name, next_object, objects);
    return target_absent(target, nearest && *nearest ? nearest : NULL, reterr);
}

static int take_target(const struct store *store, struct objects *objects,
                       const struct target *target, json_t *items, struct error **reterr)
{
    bool found = false;
    for (size_t i = 0; i < objects->count; i++) {
        const struct resource *force = objects->list[i]->force;
        if (!force || !target_matches(target, force->kind, force->name))
            continue;
        json_array_append_new(items, object_json(objects->list[i]));
        found = true;
    }
    return found || !target->name ? 0 : missing_object(store, objects, target, reterr);
}

void view_say(const struct view *view)
{
    if (view->live)
        return;
    out_note("picd does not run: nothing is watching; this is what the manifests say");
    if (view->problem)
        out_note("%s", view->problem);
    if (view->errors)
        out_note("%zu error%s in the manifests; `picctl validate` lists %s", view->errors,
                 view->errors == 1 ? "" : "s", view->errors == 1 ? "it" : "them");
}

static void look_at_manifests(const struct store *store, struct view *view)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    store_diags(store, &diags);
    view->errors = diags.errors;
    view->problem = mem_strdup(store_cell_problem(store));
}

static int load_manifests(const struct config *config, const struct targets *targets,
                          struct view *view, struct error **reterr)
{
    struct store *store = NULL;
    int r = directory_exists(config, reterr);
    if (r == 0)
        r = load_tree(config->manifests, config->state, config->cell, NULL, 0, &store, NULL,
                      reterr);
    if (r < 0)
        return r;
    look_at_manifests(store, view);
    struct objects objects = {0};
    objects.list = store_objects(store, &objects.count);
    for (size_t i = 0; r == 0 && i < targets->count; i++)
        r = take_target(store, &objects, &targets->list[i], view->items, reterr);
    mem_freep(&objects.list);
    store_free(store);
    return r;
}

int view_load(const struct config *config, const struct targets *targets, struct view *ret,
              struct error **reterr)
{
    struct view view = {.items = json_array(), .live = true};
    int r = 0;
    for (size_t i = 0; r == 0 && i < targets->count; i++)
        r = ask_target(config, &targets->list[i], view.items, reterr);
    if (r == CLIENT_NO_DAEMON) {
        view.live = false;
        json_array_clear(view.items);
        r = load_manifests(config, targets, &view, reterr);
    }
    if (r < 0)
        view_clear(&view);
    else
        *ret = view;
    return r;
}
