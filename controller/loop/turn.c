#include "controller/loop/inside.h"

#include <stdio.h>
#include <string.h>

#include "controller/loop/notify.h"
#include "controller/status/conditions.h"
#include "schema/base/mem.h"

/* ---- what the engine tells ---- */

static const char verb_signs[] = {[VERB_CREATE] = '+', [VERB_UPDATE] = '~', [VERB_DELETE] = '-'};

static void on_step(void *context, const struct reconciler *reconciler, const struct step *step,
                    const char *error, bool withheld)
{
    struct daemon *d = context;
    bool drift = strcmp(step->cause, CAUSE_DRIFT) == 0;
    char verb[2] = {verb_signs[step->verb], '\0'};

    journal_step(d->journal, clock_system.realtime(NULL), step, error, withheld);
    if (d->once && !error && !withheld) {
        STRBUF_AUTO text = STRBUF_INIT;
        step_print(step, &text);
        fputs(text.text, stdout);
    }
    enum { TOLD_EACH = 50 }; /* a first start with thousands is summed up */
    enum log_level level = error                    ? LOG_LEVEL_ERROR
                           : d->told++ >= TOLD_EACH ? LOG_LEVEL_DEBUG
                           : drift                  ? LOG_LEVEL_WARNING
                                                    : LOG_LEVEL_INFO;
    log_line(d->log, level, withheld ? "withheld" : "step", "reconciler", reconciler->name, "verb",
             verb, "object", step->object, "cause", step->cause, "error", error ? error : "-",
             NULL);
}

static void on_run(void *context, const struct reconciler *reconciler, const struct error *error)
{
    struct daemon *d = context;
    if (error) {
        d->failed_runs += error->class == ERROR_TRANSIENT ? 1 : 2;
        log_line(d->log, LOG_LEVEL_ERROR, "run-failed", "reconciler", reconciler->name, "error",
                 error->message, NULL);
    } else {
        log_line(d->log, LOG_LEVEL_INFO, "run-recovered", "reconciler", reconciler->name, NULL);
    }
}

static void on_converged(void *context)
{
    struct daemon *d = context;
    if (d->told) {
        MEM_AUTO char *steps = mem_printf("%zu", d->told);
        log_line(d->log, LOG_LEVEL_INFO, "converged", "steps", steps, NULL);
        d->told = 0;
    }
    keeper_settled(&d->keeper, clock_system.monotonic(NULL));
}

void turn_mark(void *context, const char *key)
{
    struct daemon *d = context;
    engine_mark(d->engine, key);
}

struct engine_hooks turn_hooks(struct daemon *d)
{
    return (struct engine_hooks){on_step, on_run, on_converged, d};
}

/* ---- from files to the model ---- */

static void log_diags(struct daemon *d)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    store_recent_diags(d->store, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        STRBUF_AUTO text = STRBUF_INIT;
        diag_print(&diags.list[i], &text);
        text.text[text.len ? text.len - 1 : 0] = '\0';
        log_line(d->log,
                 diags.list[i].severity == SEVERITY_ERROR ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
                 "manifest", "finding", text.text, NULL);
    }
}

static bool has_cell_change(const struct changes *changes)
{
    return changes->count && change_resource(&changes->list[0])->kind == &kind_cell;
}

static void follow_cell(struct daemon *d)
{
    const struct resource *cell = store_cell(d->store);
    struct wgkey public_key;

    MEM_AUTO char *former = mem_strdup(d->model->hold);
    inputs_identify(&d->inputs, cell, IDENTITY_KEEP, d->model);
    if (d->model->hold && (!former || strcmp(former, d->model->hold) != 0))
        log_line(d->log, LOG_LEVEL_ERROR, "hold", "why", d->model->hold, NULL);
    if (!cell)
        return;
    if (d->inputs.has_identity) {
        wgkey_public(&d->inputs.identity.private_key, &public_key);
        store_set_own_key(d->store, &public_key);
    }
    const struct cell_spec *spec = cell->spec;
    if (!d->config->log_level)
        d->log->level = (enum log_level)spec->log_level;
    listeners_follow(&d->listeners, d->server, spec, d->log);
}

/* Hands what came into force to the model, which marks the keys. */
static void take_changes(struct daemon *d, const struct changes *changes)
{
    d->next_links = 0;
    bool cell = has_cell_change(changes);
    if (cell)
        follow_cell(d);
    d->inputs.newest_manifest = source_newest(d->source);
    inputs_refresh(&d->inputs);
    model_update(d->model, changes, &d->inputs.model, turn_mark, d);
    for (size_t i = 0; i < changes->count; i++) {
        keeper_touch(&d->keeper, &changes->list[i]);
        if (!changes->list[i].after)
            transitions_forget(d->api.view.transitions, changes->list[i].before->id);
    }
}

void turn_commit(struct daemon *d)
{
    do {
        struct changes changes = {0};
        store_commit(d->store, !source_problem(d->source), &changes);
        log_diags(d);
        if (changes.count)
            take_changes(d, &changes);
        changes_clear(&changes);
    } while (store_is_unsettled(d->store));
    log_line(d->log, LOG_LEVEL_DEBUG, "committed", NULL);
}

/* ---- the turn ---- */

/* What keeps the cell as a whole from converging, in words; NULL: nothing does. */
static const char *obstacle(const struct daemon *d)
{
    if (source_problem(d->source))
        return source_problem(d->source);
    return d->model->hold ? d->model->hold : store_cell_problem(d->store);
}

/* The service manager waits for the first complete pass, not for success: a lost key or a taken
 * port must not hold up the boot. The endpoint's /readyz is the one that means convergence. */
static void tell_manager(struct daemon *d)
{
    bool looked = source_is_loaded(d->source) || source_problem(d->source);
    bool well = engine_is_converged(d->engine) && !obstacle(d);
    bool tried = well || obstacle(d) || d->failed_runs || engine_is_settled(d->engine);

    if (d->told_manager || !looked || !tried)
        return;
    d->told_manager = true;
    notify_send(well ? "READY=1\nSTATUS=converged"
                     : "READY=1\nSTATUS=something is wrong: see picctl status");
}

static void tell_ready(struct daemon *d)
{
    if (d->api.view.ready || obstacle(d) || !engine_is_converged(d->engine))
        return;
    d->api.view.ready = true;
    notify_send("STATUS=converged");
    log_line(d->log, LOG_LEVEL_INFO, "ready", "cell",
             store_cell(d->store) ? store_cell(d->store)->name : "-", NULL);
}

void turn_stop(struct daemon *d, int exit_code)
{
    d->stopping = true;
    d->exit_code = exit_code;
    event_base_loopbreak(d->base);
}

/* --once ends when all is done, or when the first tries have failed. */
static void finish_once(struct daemon *d)
{
    enum { ONCE_TRIES = 3 };
    const char *why = obstacle(d);
    if (!d->once || (!source_is_loaded(d->source) && !source_problem(d->source)))
        return;
    if (why && (!engine_is_converged(d->engine) || !store_cell(d->store))) {
        log_line(d->log, LOG_LEVEL_ERROR, "not-converged", "why", why, NULL);
        turn_stop(d, 1);
    } else if (engine_is_converged(d->engine)) {
        turn_stop(d, 0);
    } else if (d->failed_runs >= ONCE_TRIES || engine_is_settled(d->engine)) {
        turn_stop(d, 1);
    }
}

static int64_t expire(struct daemon *d)
{
    int64_t next = d->model->next_expiry;
    if (!next)
        return INT64_MAX;
    int64_t now = clock_system.realtime(NULL) / SECONDS(1);
    if (now >= next) {
        inputs_refresh(&d->inputs);
        next = model_expire(d->model, &d->inputs.model, turn_mark, d);
    }
    if (!next)
        return INT64_MAX;
    /* The wall clock may be set meanwhile: never sleep long on its word. */
    int64_t wait = next - now > 60 ? 60 : next - now;
    return clock_system.monotonic(NULL) + SECONDS(wait < 1 ? 1 : wait);
}

void turn_arm(struct daemon *d, int64_t when)
{
    int64_t wait = when - clock_system.monotonic(NULL);
    if (wait < 0)
        wait = 0;
    struct timeval tv = {.tv_sec = wait / SECONDS(1), .tv_usec = wait % SECONDS(1) / 1000};
    evtimer_add(d->turn, &tv);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What a person puts right outside the manifests (a secret, a port) raises no event: what is missed
 * is looked for now and then. */
static int64_t seek(struct daemon *d)
{
    int64_t now = clock_system.monotonic(NULL);
    const struct resource *cell = store_cell(d->store);

    if (now < d->next_seek)
        return d->next_seek;
    d->next_seek = now + SECONDS(5);
    if (!cell || d->model->teardown)
        return d->next_seek;
    if (d->model->hold) {
        follow_cell(d);
        inputs_refresh(&d->inputs);
        if (!d->model->hold)
            model_refresh(d->model, &d->inputs.model, turn_mark, d);
    } else {
        listeners_follow(&d->listeners, d->server, cell->spec, d->log);
        model_seek_secrets(d->model, &d->inputs.model, turn_mark, d);
    }
    return d->next_seek;
}

/* The machine around us changed: another uplink, another network. Not more often than its reading
 * costs: a routing daemon may move thousands of routes. */
static int64_t follow_host(struct daemon *d)
{
    int64_t began = clock_system.monotonic(NULL);
    if ((!d->inputs.surroundings_stale && !d->inputs.host_changed) || !store_cell(d->store))
        return INT64_MAX;
    if (!d->inputs.host_changed && began < d->next_host)
        return d->next_host;
    if (inputs_follow_host(&d->inputs))
        model_refresh(d->model, &d->inputs.model, turn_mark, d);
    int64_t ended = clock_system.monotonic(NULL);
    d->next_host = ended + (ended - began) * 20;
    return INT64_MAX;
}

/* Everything that is due, once: files, model, one slice of the live system, the record on disk. */
void turn_run(evutil_socket_t fd, short what, void *context)
{
    struct daemon *d = context;
    int64_t next;

    (void)fd, (void)what;
    if (source_turn(d->source, d->store, &next))
        turn_commit(d);
    intake_follow_inotify(d);
    next = earlier(next, earlier(expire(d), seek(d)));
    next = earlier(next, earlier(follow_host(d), links_turn(d)));
    if (source_is_loaded(d->source) || source_problem(d->source))
        next = earlier(next, engine_turn(d->engine));
    tell_manager(d);
    tell_ready(d);
    next =
        earlier(next, keeper_turn(&d->keeper, d->store, d->model, &d->inputs.allocations, d->log));
    d->api.view.unrecorded = d->keeper.problem;
    d->api.view.unheard = d->listeners.problem;
    finish_once(d);
    if (d->model->teardown && engine_is_converged(d->engine))
        turn_stop(d, 0);
    if (!d->stopping)
        turn_arm(d, next);
}

void turn_look_at_all(struct daemon *d)
{
    const struct resource *cell = store_cell(d->store);
    source_rescan(d->source);
    d->inputs.surroundings_stale = true;
    if (cell) {
        follow_cell(d);
        inputs_refresh(&d->inputs);
        inputs_follow_host(&d->inputs);
        model_refresh(d->model, &d->inputs.model, turn_mark, d);
    }
    engine_look_at_all(d->engine);
    turn_arm(d, 0);
}
