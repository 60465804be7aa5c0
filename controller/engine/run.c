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

static int64_t floor_of(unsigned failures)
{
    return backoff_first << (failures < FLOOR_EXPONENT ? failures : FLOOR_EXPONENT);
}

/* The first failure is followed at once by a careful run, so that what fails stops only itself. */
static void fail(struct engine *engine, struct run *run, struct error *error)
{
    int64_t now = engine->clock->monotonic(engine->clock->context);

    error_free(run->error);
    run->error = error;
    run->retry_at = run->careful ? now + backoff(error->class, run->failures, now) : now;
    run->retry_floor = now + floor_of(run->failures);
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

/* What the key names is carried out when the last of the reconcilers is done with it. */
static void applied(const struct engine *engine, const struct run *run, const char *key)
{
    if (troubles_find(&run->troubles, key, NULL))
        return;
    for (size_t i = 0; i < reconciler_count; i++)
        if (&engine->runs[i] != run && run_has_open(&engine->runs[i], key))
            return;
    model_applied(engine->model, key);
}

/* What failed is tried again in its time, however seldom the system is read by itself. */
static void hurry(struct run *run)
{
    size_t at = 0;
    const struct trouble *t;
    while ((t = troubles_next(&run->troubles, &at)))
        for (; t; t = t->next)
            if (t->retry_at && t->retry_at < run->next_look)
                run->next_look = t->retry_at;
}

static void succeed(struct engine *engine, struct run *run)
{
    size_t at = 0;
    const struct trouble *former;
    for (size_t i = 0; i < run->key_count; i++)
        applied(engine, run, run->keys[i]);
    while ((former = troubles_next(&run->former, &at)))
        applied(engine, run, former->key);
    hurry(run);
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
    t->retry_floor = former->retry_floor;
    t->retry_at = former->retry_at;
    if (run->happened && t->retry_floor && t->retry_floor < t->retry_at)
        t->retry_at = t->retry_floor;
}

/* Drift that is undone again and again is left alone for a while. */
static bool rest(struct engine *engine, struct run *run, const struct step *step,
                 const struct trouble *former, int64_t now)
{
    STRBUF_AUTO why = STRBUF_INIT;
    int64_t until;
    if (strcmp(step->cause, CAUSE_DRIFT) != 0 ||
        !fights_rest(&run->fights, step->object, now, run->author, &until, &why))
        return false;
    if (!former)
        tell_step(engine, run, step, why.text, false);
    struct trouble *t = troubles_add(&run->troubles, step->key, step->object, why.text);
    t->retry_at = until;
    if (run->next_look > until)
        run->next_look = until;
    return true;
}

/* Takes out of the plan what is not wanted, and what failed and is not to be tried again yet. */
static void leave_out(struct engine *engine, struct run *run, int64_t now)
{
    struct plan *plan = &run->plan;
    size_t kept = 0;
    for (size_t i = 0; i < plan->count; i++) {
        struct step step = plan->steps[i];
        const struct trouble *former = troubles_find(&run->former, step.key, step.object);
        const char *why = waits_withheld(engine->model, &step);
        bool failed = former && !former->withheld;
        if (why) {
            withhold(engine, run, &step, why, former);
        } else if (failed && now < former->retry_at) {
            put_off(run, former);
        } else if (!rest(engine, run, &step, former, now)) {
            run->careful |= failed;
            step.author = strcmp(step.cause, CAUSE_DRIFT) == 0 && *run->author
                              ? arena_strdup(&plan->arena, run->author)
                              : NULL;
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
    run->author[0] = '\0';
    run->happened = false;
    fights_tidy(&run->fights, now);
    run->at = 0;
    if (run->plan.count == 0)
        succeed(engine, run);
}

/* ---- carrying out ---- */

/* Is it about more than peers? */
static bool concerns_structure(const struct plan *plan, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (strncmp(plan->steps[i].key, MODEL_KEY_PEER, sizeof(MODEL_KEY_PEER) - 1) != 0)
            return true;
    return false;
}

/* The plan is carried out: look again (or, when only peers changed, trust what was acknowledged;
 * the next reading checks it). What is still to do then is the error. */
static void finish(struct engine *engine, struct run *run)
{
    struct error *error = NULL;
    struct plan again;
    bool again_everything = run->everything || concerns_structure(&run->plan, 0, run->plan.count);
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
        const struct step *step = &again.steps[i];
        bool changed_since = map_get_text(&run->queue.waiting, step->key);
        if (changed_since || troubles_find(&run->troubles, step->key, step->object))
            continue;
        first = first ? first : step;
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
    t->retry_floor = now + floor_of(failures);
    tell_step(engine, run, step, error->message, false);
    error_free(error);
    run->at++;
}

/* A restricted peer waits while somebody fails to enforce it. Returns true when it was left out. */
static bool wait_for_guard(struct engine *engine, struct run *run)
{
    const struct step *step = &run->plan.steps[run->at];
    const char *why = waits_guard(engine, run, step);
    if (!why)
        return false;
    const struct trouble *former = troubles_find(&run->former, step->key, step->object);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_printf(&text, "waits, because it could not be confined: %s", why);
    if (!former || strcmp(former->message, text.text) != 0)
        tell_step(engine, run, step, text.text, false);
    troubles_add(&run->troubles, step->key, step->object, text.text)->retry_at =
        engine->clock->monotonic(engine->clock->context) + SECONDS(1);
    run->at++;
    return true;
}

/* The end of the slice that begins at run->at: what waits for the others, and what waits for them
 * to succeed, is not mixed with the rest. */
static size_t slice_end(const struct engine *engine, const struct run *run)
{
    const struct plan *plan = &run->plan;
    size_t most = run->careful ? 1 : run->reconciler->slice ? run->reconciler->slice : SLICE_STEPS;
    size_t to = run->at + 1;
    while (to < plan->count && to - run->at < most &&
           plan->steps[to].last == plan->steps[run->at].last &&
           !waits_guard(engine, run, &plan->steps[to]))
        to++;
    return to;
}

/* Others may build on what was just made; the kernel does not report our own changes to us. */
static void tell_others(struct engine *engine, const struct run *run)
{
    const struct sys_event event = {.type = SYS_EVENT_LINK};
    for (size_t i = 0; i < reconciler_count; i++) {
        struct run *other = &engine->runs[i];
        if (other != run && other->reconciler->concerned(engine->model, &event))
            other->look = other->happened = true;
    }
}

static void note_repairs(const struct engine *engine, struct run *run, size_t to)
{
    int64_t now = engine->clock->monotonic(engine->clock->context);
    for (size_t i = run->at; i < to; i++)
        if (strcmp(run->plan.steps[i].cause, CAUSE_DRIFT) == 0)
            fights_repaired(&run->fights, run->plan.steps[i].object, now);
}

static void carry_out(struct engine *engine, struct run *run)
{
    struct error *error = NULL;

    if (run->plan.steps[run->at].last && !waits_over(engine, run))
        return;
    while (run->at < run->plan.count && wait_for_guard(engine, run))
        ;
    if (run->at == run->plan.count) {
        finish(engine, run);
        return;
    }
    size_t to = slice_end(engine, run);
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
        note_repairs(engine, run, to);
        if (concerns_structure(&run->plan, run->at, to))
            tell_others(engine, run);
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
