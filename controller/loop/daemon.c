#include "controller/loop/daemon.h"

#include <event2/event.h>
#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/api/api.h"
#include "controller/api/http_server.h"
#include "controller/engine/engine.h"
#include "controller/engine/inputs.h"
#include "controller/loop/keeper.h"
#include "controller/loop/listen.h"
#include "controller/loop/notify.h"
#include "controller/source/source.h"
#include "controller/state/record.h"
#include "controller/status/conditions.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

struct daemon {
    const struct config *config;
    struct log *log;
    bool once, stopping, told_ready;
    int exit_code;

    struct sys *sys;
    struct store *store;
    struct source *source;
    struct inputs inputs;
    struct model *model;
    struct engine *engine;
    struct journal *journal;
    struct keeper keeper;
    struct api api;
    struct http_server *server;
    struct listeners listeners;

    struct event_base *base;
    struct event *turn, *inotify, *kernel, *watchdog;
    struct event *signals[3];
    uint64_t failed_runs;
    int64_t next_seek; /* monotonic */
    size_t told;       /* steps since the last convergence */
};

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

static void mark(void *context, const char *key)
{
    struct daemon *d = context;
    engine_mark(d->engine, key);
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
    bool cell = has_cell_change(changes);
    if (cell)
        follow_cell(d);
    d->inputs.newest_manifest = source_newest(d->source);
    inputs_refresh(&d->inputs);
    model_update(d->model, changes, &d->inputs.model, mark, d);
    for (size_t i = 0; i < changes->count; i++) {
        keeper_touch(&d->keeper, &changes->list[i]);
        if (!changes->list[i].after)
            transitions_forget(d->api.view.transitions, changes->list[i].before->id);
    }
}

static void commit(struct daemon *d)
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

static void tell_ready(struct daemon *d)
{
    if (d->told_ready || !engine_is_converged(d->engine))
        return;
    d->told_ready = d->api.view.ready = true;
    notify_send("READY=1\nSTATUS=converged");
    log_line(d->log, LOG_LEVEL_INFO, "ready", "cell",
             store_cell(d->store) ? store_cell(d->store)->name : "-", NULL);
}

static void stop(struct daemon *d, int exit_code)
{
    d->stopping = true;
    d->exit_code = exit_code;
    event_base_loopbreak(d->base);
}

/* --once ends when all is done, or when the first tries have failed. */
static void finish_once(struct daemon *d)
{
    enum { ONCE_TRIES = 3 };
    const char *why = source_problem(d->source) ? source_problem(d->source)
                      : d->model->hold          ? d->model->hold
                                                : store_cell_problem(d->store);
    if (!d->once || (!source_is_loaded(d->source) && !source_problem(d->source)))
        return;
    if (why && (!engine_is_converged(d->engine) || !store_cell(d->store))) {
        log_line(d->log, LOG_LEVEL_ERROR, "not-converged", "why", why, NULL);
        stop(d, 1);
    } else if (engine_is_converged(d->engine)) {
        stop(d, 0);
    } else if (d->failed_runs >= ONCE_TRIES || engine_is_settled(d->engine)) {
        stop(d, 1);
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
        next = model_expire(d->model, &d->inputs.model, mark, d);
    }
    if (!next)
        return INT64_MAX;
    /* The wall clock may be set meanwhile: never sleep long on its word. */
    int64_t wait = next - now > 60 ? 60 : next - now;
    return clock_system.monotonic(NULL) + SECONDS(wait < 1 ? 1 : wait);
}

static void arm(struct daemon *d, int64_t when)
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
            model_refresh(d->model, &d->inputs.model, mark, d);
    } else {
        listeners_follow(&d->listeners, d->server, cell->spec, d->log);
        model_seek_secrets(d->model, &d->inputs.model, mark, d);
    }
    return d->next_seek;
}

static void on_inotify(evutil_socket_t fd, short what, void *context)
{
    struct daemon *d = context;
    (void)fd, (void)what;
    source_read(d->source);
    arm(d, 0);
}

/* There may be no descriptor at first, when the system's limit of them is reached. */
static void follow_inotify(struct daemon *d)
{
    if (d->inotify || source_fd(d->source) < 0)
        return;
    d->inotify = event_new(d->base, source_fd(d->source), EV_READ | EV_PERSIST, on_inotify, d);
    event_add(d->inotify, NULL);
}

/* Everything that is due, once: files, model, one slice of the live system, the record on disk. */
static void daemon_turn(evutil_socket_t fd, short what, void *context)
{
    struct daemon *d = context;
    int64_t next;

    (void)fd, (void)what;
    if (source_turn(d->source, d->store, &next))
        commit(d);
    follow_inotify(d);
    next = earlier(next, earlier(expire(d), seek(d)));
    if (source_is_loaded(d->source) || source_problem(d->source))
        next = earlier(next, engine_turn(d->engine));
    tell_ready(d);
    next =
        earlier(next, keeper_turn(&d->keeper, d->store, d->model, &d->inputs.allocations, d->log));
    d->api.view.unrecorded = d->keeper.problem;
    d->api.view.unheard = d->listeners.problem;
    finish_once(d);
    if (d->model->teardown && engine_is_converged(d->engine))
        stop(d, 0);
    if (!d->stopping)
        arm(d, next);
}

/* ---- what arrives only marks ---- */

static void on_interface(const char *interface, void *context)
{
    struct daemon *d = context;
    engine_look(d->engine, interface);
}

static void on_kernel(evutil_socket_t fd, short what, void *context)
{
    struct daemon *d = context;
    (void)fd, (void)what;
    sys_events_read(d->sys, on_interface, d);
    arm(d, 0);
}

static void look_at_all(struct daemon *d)
{
    const struct resource *cell = store_cell(d->store);
    source_rescan(d->source);
    if (cell) {
        follow_cell(d);
        inputs_refresh(&d->inputs);
        model_refresh(d->model, &d->inputs.model, mark, d);
    }
    engine_look(d->engine, NULL);
    arm(d, 0);
}

static void on_signal(evutil_socket_t signum, short what, void *context)
{
    struct daemon *d = context;
    (void)what;
    if (signum == SIGHUP) {
        notify_send("RELOADING=1");
        look_at_all(d);
        notify_send("READY=1");
        return;
    }
    log_line(d->log, LOG_LEVEL_INFO, "stopping", "why", "a signal; everything stays live", NULL);
    notify_send("STOPPING=1");
    stop(d, 0);
}

static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what, (void)context;
    notify_send("WATCHDOG=1");
}

static char *control_resync(void *context)
{
    look_at_all(context);
    return mem_strdup("looking at everything again");
}

static char *control_prune(void *context)
{
    struct daemon *d = context;
    size_t released = store_release(d->store);
    if (released) {
        commit(d);
        arm(d, 0);
    }
    return mem_printf(released ? "%zu resource(s) let go" : "nothing is held back", released);
}

static char *control_teardown(void *context)
{
    struct daemon *d = context;
    d->model->teardown = true;
    mem_freep(&d->model->hold);
    engine_mark(d->engine, MODEL_KEY_CELL);
    engine_look(d->engine, NULL);
    arm(d, 0);
    return mem_strdup("taking everything of ours away; picd ends when that is done");
}

/* ---- life ---- */

static int listen_local(struct daemon *d, struct error **reterr)
{
    MEM_AUTO char *socket = io_join(d->config->run, "picd.sock");
    const struct group *group = getgrnam("pic");
    int result = io_mkdirs(d->config->run, 0755, reterr);
    if (result < 0)
        return result;
    return http_server_listen_unix(d->server, socket, 0660, group ? group->gr_gid : 0, reterr);
}

static void log_problems(const struct daemon *d, const struct diags *problems)
{
    if (d->inputs.allocations_problem)
        log_line(d->log, LOG_LEVEL_WARNING, "state", "problem", d->inputs.allocations_problem,
                 NULL);
    for (size_t i = 0; i < problems->count; i++)
        log_line(d->log, LOG_LEVEL_WARNING, "state", "problem", problems->list[i].message, "file",
                 problems->list[i].file, NULL);
}

static void fill_view(struct daemon *d)
{
    d->api = (struct api){
        .view = {.store = d->store,
                 .model = d->model,
                 .engine = d->engine,
                 .source = d->source,
                 .inputs = &d->inputs,
                 .sys = d->sys,
                 .journal = d->journal,
                 .transitions = transitions_new(),
                 .clock = &clock_system},
        .control = {control_resync, control_prune, control_teardown, d},
    };
}

static void add_events(struct daemon *d)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        d->signals[i] = evsignal_new(d->base, signals[i], on_signal, d);
        event_add(d->signals[i], NULL);
    }
    d->turn = evtimer_new(d->base, daemon_turn, d);
    if (sys_events_fd(d->sys) >= 0) {
        d->kernel = event_new(d->base, sys_events_fd(d->sys), EV_READ | EV_PERSIST, on_kernel, d);
        event_add(d->kernel, NULL);
    }
    uint64_t watchdog = notify_watchdog() / 2;
    if (watchdog) {
        struct timeval tv = {.tv_sec = (time_t)(watchdog / 1000000),
                             .tv_usec = (suseconds_t)(watchdog % 1000000)};
        d->watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
        event_add(d->watchdog, &tv);
    }
}

static int start(struct daemon *d, struct error **reterr)
{
    struct engine_hooks hooks = {on_step, on_run, on_converged, d};
    struct event_config *event_config = event_config_new();
    DIAGS_AUTO problems = DIAGS_INIT;
    int result;

    event_config_set_flag(event_config, EVENT_BASE_FLAG_NOLOCK);
    d->base = event_base_new_with_config(event_config);
    event_config_free(event_config);
    if ((result = config_check(d->config, reterr)) < 0 || (result = sys_open(&d->sys, reterr)) < 0)
        return result;
    d->server = http_server_new(d->base, &http_limits_default, api_handle, &d->api);
    if ((result = listen_local(d, reterr)) < 0)
        return result;
    d->journal = journal_new();
    d->store = store_new(d->config->cell);
    d->model = model_new(reconcilers_enforce());
    inputs_init(&d->inputs, d->sys, d->config, &clock_system);
    record_load(d->store, d->config->state, &problems);
    log_problems(d, &problems);
    d->source = source_new(d->config->manifests, &clock_system);
    d->engine = engine_new(d->sys, d->model, &clock_system, &hooks);
    keeper_init(&d->keeper, d->config);
    fill_view(d);
    add_events(d);
    arm(d, 0);
    return 0;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static void clear(struct daemon *d)
{
    free_event(d->turn);
    free_event(d->inotify);
    free_event(d->kernel);
    free_event(d->watchdog);
    for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
        free_event(d->signals[i]);
    listeners_clear(&d->listeners);
    if (d->server)
        http_server_free(d->server);
    keeper_clear(&d->keeper);
    engine_free(d->engine);
    source_free(d->source);
    if (d->model)
        inputs_clear(&d->inputs);
    model_free(d->model);
    store_free(d->store);
    journal_free(d->journal);
    transitions_free(d->api.view.transitions);
    sys_close(d->sys);
    if (d->base)
        event_base_free(d->base);
}

int daemon_run(const struct config *config, struct log *log, bool once)
{
    struct daemon d = {.config = config, .log = log, .once = once, .exit_code = 1};
    ERROR_AUTO error = NULL;

    /* Large blocks (a file's nodes, a plan) go back to the kernel when they are freed; by default
     * the limit rises with them and they stay. */
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    /* Before anything else: a SIGHUP in the first moment must not be the end (the default action).
     * A client that goes away is seen by write(); a lease that breaks is of no interest. */
    static const int not_the_end[] = {SIGHUP, SIGPIPE, SIGIO, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < ARRAY_SIZE(not_the_end); i++)
        signal(not_the_end[i], SIG_IGN);
    if (start(&d, &error) < 0)
        log_line(log, LOG_LEVEL_ERROR, "cannot-start", "error", error->message, NULL);
    else
        event_base_dispatch(d.base);
    if (d.stopping && d.store)
        keeper_finish(&d.keeper, d.store, d.model, &d.inputs.allocations, log);
    clear(&d);
    return d.exit_code;
}
