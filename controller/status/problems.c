#include "controller/status/conditions.h"
#include "schema/base/mem.h"

static void problem(json_t *list, const char *what)
{
    if (what)
        json_array_append_new(list, json_pack("{s:s}", "what", what));
}

static void tell_trouble(void *list, const char *message)
{
    problem(list, message);
}

static void add_diags(const struct view *view, json_t *list)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    store_diags(view->store, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        const struct diag *d = &diags.list[i];
        if (d->severity != SEVERITY_ERROR)
            continue;
        MEM_AUTO char *what =
            mem_printf("%s%s%s", d->subject ? d->subject : "", d->subject ? ": " : "", d->message);
        MEM_AUTO char *where = mem_printf("%s:%u:%u", d->file ? d->file : "", d->line, d->column);
        json_array_append_new(list, json_pack("{s:s, s:s}", "what", what, "where", where));
    }
}

/* With a link, the peers are told with it. */
static void add_blocked(const struct view *view, const struct model_peer *peer, json_t *list)
{
    STRBUF_AUTO how = STRBUF_INIT;
    model_way_text(view->model, peer, &how);
    MEM_AUTO char *what =
        mem_printf("%s: its internet traffic is %s", peer->resource->id, how.text);
    problem(list, what);
}

static void add_peers(const struct view *view, json_t *list)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&view->model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        char *message;
        bool meant = peer->off == PEER_DISABLED || peer->off == PEER_EXPIRED;
        if (meant)
            continue;
        if (peer->off == PEER_ON && peer->block == BLOCK_NO_LINK)
            add_blocked(view, peer, list);
        const char *obstacle =
            view->model->hold ? NULL : conditions_peer_obstacle(view, peer, &message);
        if (!obstacle)
            continue;
        MEM_AUTO char *what =
            mem_printf("%s: %s", peer->resource->id, message ? message : "pending");
        problem(list, what);
        mem_freep(&message);
    }
}

/* What the reconcilers found in the way, as the Cell's status tells it. */
static void add_live(const struct view *view, json_t *list)
{
    static const char *const rooms[] = {"routing", "firewall"};
    const struct resource *cell = view->model->cell.resource;
    json_t *status = json_object(), *text;
    size_t at;

    if (cell)
        engine_status(view->engine, cell, status);
    for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
        json_t *room = json_object_get(status, rooms[i]);
        json_array_foreach(json_object_get(room, "problems"), at, text)
            problem(list, json_string_value(text));
    }
    json_decref(status);
}

static void add_refused(const struct view *view, const struct model_link *link, json_t *list)
{
    STRBUF_AUTO why = STRBUF_INIT;
    model_block_text(view->model, link, link->resource->name, link->block, &why);
    MEM_AUTO char *what = mem_printf("%s: the internet traffic of %zu peer(s) is refused: %s",
                                     link->resource->id, link->users, why.text);
    problem(list, what);
}

static void add_links(const struct view *view, json_t *list)
{
    size_t count;
    const struct model_link **links = model_links(view->model, &count);
    for (size_t i = 0; i < count; i++) {
        char *message = NULL;
        const char *obstacle = conditions_link_obstacle(view, links[i], &message);
        if (obstacle && links[i]->off != LINK_DISABLED && !view->model->hold) {
            MEM_AUTO char *what =
                mem_printf("%s: %s", links[i]->resource->id, message ? message : "pending");
            problem(list, what);
        }
        if (links[i]->off == LINK_ON && links[i]->users && links[i]->block != BLOCK_NONE)
            add_refused(view, links[i], list);
        if (links[i]->document_problem)
            problem(list, links[i]->document_problem);
        mem_freep(&message);
    }
    mem_freep(&links);
}

json_t *problems_json(const struct view *view)
{
    json_t *list = json_array();
    problem(list, source_problem(view->source));
    problem(list, store_cell_problem(view->store));
    problem(list, view->model->hold);
    problem(list, view->inputs->allocations_problem);
    for (size_t i = 0; i < reconciler_count; i++) {
        const struct error *failure = engine_failure(view->engine, reconcilers[i]);
        problem(list, failure ? failure->message : NULL);
    }
    engine_each_trouble(view->engine, MODEL_KEY_CELL, tell_trouble, list);
    problem(list, view->unheard);
    if (view->unrecorded) {
        MEM_AUTO char *text =
            mem_printf("what is in force cannot be recorded, a restart would know "
                       "less: %s",
                       view->unrecorded);
        problem(list, text);
    }
    if (store_held(view->store)) {
        MEM_AUTO char *text =
            mem_printf("PruneHeld: %zu resource(s) are gone from the manifests and "
                       "kept; `picctl prune --confirm` lets them go",
                       store_held(view->store));
        problem(list, text);
    }
    add_diags(view, list);
    add_links(view, list);
    add_peers(view, list);
    add_live(view, list);
    return list;
}
