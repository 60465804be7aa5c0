#include "controller/engine/inside.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"

enum {
    SLICE_STEPS = 64,     /* 6–12 ms of wireguard-go: the endpoint answers in between */
    BACKOFF_EXPONENT = 8, /* 0.2 s … 51 s */
    FLOOR_EXPONENT = 4,   /* 3.2 s */
};
static const int64_t backoff_first = MILLISECONDS(200);
static const int64_t backoff_person = SECONDS(30); /* a person has to do something first */

void run_drop_plan(struct run *run)
{
    plan_clear(&run->plan);
    queue_free_keys(run->keys, run->key_count);
    run->keys = NULL;
    run->key_count = run->at = 0;
    run->everything = false;
    troubles_clear(&run->former);
}

static void tell_step(struct engine *engine, const struct run *run, const struct step *step,
                      const char *error, bool withheld)
{
    if (engine->hooks.step)
        engine->hooks.step(engine->hooks.context, run->reconciler, step, error, withheld);
}

/* Jitter from the failure's own number and time: no state, no random source. */
static int64_t backoff(enum error_class class, unsigned failures, int64_t now)
{
    if (class != ERROR_TRANSIENT)
        return backoff_person;
    unsigned exponent = failures < BACKOFF_EXPONENT ? failures : BACKOFF_EXPONENT;
    int64_t wait = backoff_first << exponent;
    uint64_t spread = hash_bytes(&now, sizeof(now), failures) % 41;
    return wait * (int64_t)(80 + spread) / 100;
}

/* The first failure is followed at once by a careful run, so that what fails stops only itself. */
static void fail(struct engine *engine, struct run *run, struct error *error)
{
    int64_t now = engine->clock->monotonic(engine->clock->context);

    error_free(run->error);
    run->error = error;
    run->retry_at = run->careful ? now + backoff(error->class, run->failures, now) : now;
    run->retry_floor =
        now + (backoff_first << (run->failures < FLOOR_EXPONENT ? run->failures : FLOOR_EXPONENT));
    run->failures++;
    run->careful = true;
    run->look = true;
    run->converged = false;
    /* What was taken is still to be done: the next look is about everything. */
    for (size_t i = 0; i < run->key_count; i++)
        queue_add(&run->queue, run->keys[i]);
    run_drop_plan(run);
    if (engine->hooks.run)
        engine->hooks.run(engine->hooks.context, run->reconciler, error);
}

static void applied(const struct engine *engine, const struct run *run, const char *key)
{
    if (!troubles_find(&run->troubles, key, NULL))
        model_applied(engine->model, key);
}

static void succeed(struct engine *engine, struct run *run)
{
    size_t at = 0;
    const struct trouble *former;
    for (size_t i = 0; i < run->key_count; i++)
        applied(engine, run, run->keys[i]);
    while ((former = troubles_next(&run->former, &at)))
        applied(engine, run, former->key);
    bool was_failing = run->error;
    error_free(run->error);
    run->error = NULL;
    run->failures = 0;
    run->careful = false;
    run->converged = !troubles_any(&run->troubles);
    run_drop_plan(run);
    if (was_failing && engine->hooks.run)
        engine->hooks.run(engine->hooks.context, run->reconciler, NULL);
    if (engine->hooks.converged)
        engine->hooks.converged(engine->hooks.context);
}

/* ---- looking and planning ---- */

static int look(struct engine *engine, struct run *run, struct error **reterr)
{
    int64_t began = engine->clock->monotonic(engine->clock->context);
    int result = run->reconciler->observe(engine->sys, engine->model, run->observed, reterr);
    int64_t ended = engine->clock->monotonic(engine->clock->context);
    int64_t pause = (ended - began) * run->reconciler->share;

    if (pause < run->reconciler->period)
        pause = run->reconciler->period;
    run->next_look = ended + pause;
    run->look = result < 0;
    return result;
}

static void make_plan(const struct engine *engine, const struct run *run, const struct keys *keys,
                      struct plan *ret)
{
    struct arena arena;
    arena_init(&arena, 4096);
    plan_init(ret);
    const void *desired = run->reconciler->desired(engine->model, keys, &arena);
    run->reconciler->plan(desired, run->observed, ret);
    arena_clear(&arena);
}

/* Suspended: nothing is changed. Observed only: what has drifted is not repaired. */
static const char *withheld_by(const struct model *model, const struct step *step)
{
    const struct common_spec *cell = model->cell.resource ? model->cell.resource->spec : NULL;
    const struct common_spec *spec = cell;
    struct wgkey key;

    if (model->teardown)
        return NULL;
    if (cell && cell->suspend)
        return "the Cell is suspended";
    if (strncmp(step->key, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1) == 0 &&
        wgkey_parse(step->key + sizeof(MODEL_KEY_PEER) - 1, &key) == 0) {
        const struct model_peer *peer = model_peer_by_key(model, &key);
        spec = peer ? peer->resource->spec : cell;
    }
    if (spec && spec->suspend)
        return "suspended: a change waits";
    if (spec && spec->reconcile == RECONCILE_OBSERVE && strcmp(step->cause, CAUSE_DRIFT) == 0)
        return "drifted, and reconcile: observe says not to repair it";
    return NULL;
}

/* What is withheld for the same reason as before has been told. */
static void withhold(struct engine *engine, struct run *run, const struct step *step,
                     const char *why, const struct trouble *former)
{
    if (!former || strcmp(former->message, why) != 0)
        tell_step(engine, run, step, NULL, true);
    troubles_add(&run->troubles, step->key, step->object, why)->withheld = true;
}

/* It failed, and its time has not come again. */
static void put_off(struct run *run, const struct trouble *former)
{
    struct trouble *t = troubles_add(&run->troubles, former->key, former->object, former->message);
    t->failures = former->failures;
    t->retry_at = former->retry_at;
}

/* Takes out of the plan what is not wanted, and what failed and is not to be tried again yet. */
static void leave_out(struct engine *engine, struct run *run, int64_t now)
{
    struct plan *plan = &run->plan;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct step step = plan->steps[i];
        const struct trouble *former = troubles_find(&run->former, step.key, step.object);
        const char *why = withheld_by(engine->model, &step);
        bool failed = former && !former->withheld;
        if (why) {
            withhold(engine, run, &step, why, former);
        } else if (failed && now < former->retry_at) {
            put_off(run, former);
        } else {
            run->careful |= failed;
            plan->steps[kept++] = step;
            continue;
        }
        mem_freep(&step.changes);
    }
    plan->count = kept;
}

static void begin(struct engine *engine, struct run *run, bool everything, int64_t now)
{
    run->keys = queue_take(&run->queue, &run->key_count);
    run->everything = everything;
    struct keys keys = {(const char *const *)run->keys, run->key_count};
    make_plan(engine, run, everything ? &(struct keys){0} : &keys, &run->plan);
    /* What was marked is tried at once. */
    for (size_t i = 0; i < run->key_count; i++)
        troubles_forget(&run->troubles, run->keys[i]);
    if (everything) {
        run->former = run->troubles;
        run->troubles = (struct troubles){0};
    }
    leave_out(engine, run, now);
    run->at = 0;
    if (run->plan.count == 0)
        succeed(engine, run);
}

/* ---- carrying out ---- */

static bool concerns_cell(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->steps[i].key, MODEL_KEY_CELL) == 0)
            return true;
    return false;
}

/* The plan is carried out: look again (or, when only peers changed, trust what was acknowledged;
 * the next reading checks it). What is still to do then is the error. */
static void finish(struct engine *engine, struct run *run)
{
    struct error *error = NULL;
    struct plan again;
    bool again_everything = run->everything || concerns_cell(&run->plan);
    struct keys keys = {(const char *const *)run->keys, run->key_count};

    if (run->plan.count > SLICE_STEPS)
        malloc_trim(0);
    if (again_everything && look(engine, run, &error) < 0) {
        fail(engine, run, error);
        return;
    }
    make_plan(engine, run, again_everything ? &(struct keys){0} : &keys, &again);
    size_t left = 0;
    const struct step *first = NULL;
    for (size_t i = 0; i < again.count; i++) {
        if (troubles_find(&run->troubles, again.steps[i].key, again.steps[i].object))
            continue;
        first = first ? first : &again.steps[i];
        left++;
    }
    if (left) {
        STRBUF_AUTO text = STRBUF_INIT;
        step_print(first, &text);
        error_make(&error, EAGAIN, "%s: %zu change(s) did not hold; the first: %s",
                   run->reconciler->name, left, text.text);
    }
    plan_clear(&again);
    if (error)
        fail(engine, run, error);
    else
        succeed(engine, run);
}

static void skip_step(struct engine *engine, struct run *run, struct error *error)
{
    int64_t now = engine->clock->monotonic(engine->clock->context);
    const struct step *step = &run->plan.steps[run->at];
    const struct trouble *former = troubles_find(&run->former, step->key, step->object);
    unsigned failures = former ? former->failures + 1 : 0;
    struct trouble *t = troubles_add(&run->troubles, step->key, step->object, error->message);

    t->failures = failures;
    t->retry_at = now + backoff(error->class, failures, now);
    tell_step(engine, run, step, error->message, false);
    error_free(error);
    run->at++;
}

static void carry_out(struct engine *engine, struct run *run)
{
    struct error *error = NULL;
    size_t slice = run->careful ? 1 : SLICE_STEPS;
    size_t to = run->plan.count - run->at < slice ? run->plan.count : run->at + slice;

    if (run->reconciler->apply(engine->sys, &run->plan, run->at, to, &error) < 0) {
        if (run->careful && !run->plan.steps[run->at].needed) {
            skip_step(engine, run, error);
        } else {
            fail(engine, run, error);
            return;
        }
    } else {
        run->reconciler->learn(run->observed, &run->plan, run->at, to);
        for (size_t i = run->at; i < to; i++)
            tell_step(engine, run, &run->plan.steps[i], NULL, false);
        run->at = to;
    }
    if (run->at == run->plan.count)
        finish(engine, run);
}

void run_turn(struct engine *engine, struct run *run, int64_t now)
{
    struct error *error = NULL;

    if (run->plan.count) {
        carry_out(engine, run);
        return;
    }
    bool everything = run->look || now >= run->next_look;
    if (everything && look(engine, run, &error) < 0) {
        fail(engine, run, error);
        return;
    }
    if (!engine->model->hold)
        begin(engine, run, everything, now);
}
