#include "controller/engine/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* ---- life ---- */

struct engine *engine_new(struct sys *sys, struct model *model, const struct clock *clock,
                          const struct engine_hooks *hooks)
{
    struct engine *engine = mem_alloc(sizeof(*engine));
    *engine = (struct engine){.sys = sys, .model = model, .clock = clock};
    if (hooks)
        engine->hooks = *hooks;
    engine->runs = mem_alloc(reconciler_count * sizeof(*engine->runs));
    for (size_t i = 0; i < reconciler_count; i++) {
        struct run *run = &engine->runs[i];
        run->reconciler = reconcilers[i];
        run->observed = reconcilers[i]->observed_new();
        run->look = true;
    }
    return engine;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    for (size_t i = 0; i < reconciler_count; i++) {
        struct run *run = &engine->runs[i];
        run_drop_plan(run);
        queue_clear(&run->queue);
        troubles_clear(&run->troubles);
        fights_clear(&run->fights);
        error_free(run->error);
        run->reconciler->observed_free(run->observed);
    }
    mem_freep(&engine->runs);
    mem_freep(&engine);
}

/* ---- marks ---- */

void engine_mark(struct engine *engine, const char *key)
{
    for (size_t i = 0; i < reconciler_count; i++) {
        queue_add(&engine->runs[i].queue, key);
        engine->runs[i].retry_at = 0;
        engine->runs[i].converged = false;
    }
}

/* Who did it, as far as the kernel says. */
static void note_author(struct run *run, const struct sys_event *event)
{
    if (*event->process)
        snprintf(run->author, sizeof(run->author), "%s", event->process);
    else if (event->protocol)
        snprintf(run->author, sizeof(run->author), "protocol %u", event->protocol);
    else
        run->author[0] = '\0';
}

void engine_look(struct engine *engine, const struct sys_event *event)
{
    for (size_t i = 0; i < reconciler_count; i++) {
        struct run *run = &engine->runs[i];
        if (!run->reconciler->concerned(engine->model, event))
            continue;
        run->look = run->happened = true;
        note_author(run, event);
        if (run->retry_floor < run->retry_at)
            run->retry_at = run->retry_floor;
    }
}

void engine_look_at_all(struct engine *engine)
{
    engine_look(engine, &(struct sys_event){.type = SYS_EVENT_LOST});
}

/* ---- turns ---- */

static bool is_due(const struct engine *engine, const struct run *run, int64_t now)
{
    if (now < run->retry_at)
        return false;
    return run->look || now >= run->next_look ||
           (!queue_is_empty(&run->queue) && !engine->model->hold);
}

static int64_t next_turn(const struct engine *engine, const struct run *run, int64_t now)
{
    if (run->plan.count)
        return now;
    int64_t next = run->next_look;
    if (run->look || (!queue_is_empty(&run->queue) && !engine->model->hold))
        next = now;
    return next < run->retry_at ? run->retry_at : next;
}

/* What an earlier reconciler is making, a later one builds on: it does not begin in between. */
static bool is_early(const struct engine *engine, size_t i)
{
    for (size_t j = 0; j < i && engine->runs[i].plan.count == 0; j++) {
        const struct run *earlier = &engine->runs[j];
        if (earlier->plan.count && !earlier->plan.steps[earlier->at].last)
            return true;
    }
    return false;
}

int64_t engine_turn(struct engine *engine)
{
    int64_t now = engine->clock->monotonic(engine->clock->context), next = INT64_MAX;

    for (size_t i = 0; i < reconciler_count; i++) {
        struct run *run = &engine->runs[i];
        if (run->plan.count || (is_due(engine, run, now) && !is_early(engine, i)))
            run_turn(engine, run, now);
        int64_t at = next_turn(engine, run, now);
        next = at < next ? at : next;
    }
    return next;
}

bool engine_is_converged(const struct engine *engine)
{
    if (engine->model->hold)
        return false;
    for (size_t i = 0; i < reconciler_count; i++)
        if (!engine->runs[i].converged || engine->runs[i].error || engine->runs[i].plan.count ||
            !queue_is_empty(&engine->runs[i].queue))
            return false;
    return true;
}

bool engine_is_settled(const struct engine *engine)
{
    for (size_t i = 0; i < reconciler_count; i++) {
        const struct run *run = &engine->runs[i];
        if (run->look || run->error || run->plan.count || !queue_is_empty(&run->queue))
            return false;
    }
    return true;
}

/* ---- telling ---- */

const char *engine_trouble(const struct engine *engine, const char *key)
{
    for (size_t i = 0; i < reconciler_count; i++) {
        const struct run *run = &engine->runs[i];
        const struct trouble *trouble = troubles_find(&run->troubles, key, NULL);
        if (trouble)
            return trouble->message;
        if (run->error && map_get_text(&run->queue.waiting, key))
            return run->error->message;
    }
    return NULL;
}

void engine_each_trouble(const struct engine *engine, const char *key,
                         void (*tell)(void *context, const char *message), void *context)
{
    for (size_t i = 0; i < reconciler_count; i++) {
        const struct trouble *t = troubles_find(&engine->runs[i].troubles, key, NULL);
        for (; t; t = t->next)
            tell(context, t->message);
    }
}

const struct error *engine_failure(const struct engine *engine, const struct reconciler *reconciler)
{
    for (size_t i = 0; i < reconciler_count; i++)
        if (reconcilers[i] == reconciler)
            return engine->runs[i].error;
    return NULL;
}

void engine_plan(const struct engine *engine, struct plan *ret)
{
    plan_init(ret);
    for (size_t i = 0; i < reconciler_count; i++) {
        const struct run *run = &engine->runs[i];
        struct arena arena;
        arena_init(&arena, 4096);
        const void *desired = run->reconciler->desired(engine->model, &(struct keys){0}, &arena);
        run->reconciler->plan(desired, run->observed, ret);
        arena_clear(&arena);
    }
}

void engine_status(const struct engine *engine, const struct resource *resource, json_t *status)
{
    for (size_t i = 0; i < reconciler_count; i++)
        engine->runs[i].reconciler->status(engine->model, engine->runs[i].observed, resource,
                                           status);
}
