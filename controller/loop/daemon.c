#include "controller/loop/inside.h"

#include <grp.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/state/record.h"
#include "controller/status/conditions.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

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
        .control = intake_control(d),
    };
}

static int start(struct daemon *d, struct error **reterr)
{
    struct engine_hooks hooks = turn_hooks(d);
    struct event_config *event_config = event_config_new();
    DIAGS_AUTO problems = DIAGS_INIT;
    int result;

    event_config_set_flag(event_config, EVENT_BASE_FLAG_NOLOCK);
    d->base = event_base_new_with_config(event_config);
    event_config_free(event_config);
    if ((result = config_check(d->config, reterr)) < 0 || (result = sys_open(&d->sys, reterr)) < 0)
        return result;
    resolver_init(&d->resolver, d->base, links_resolved, d);
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
    d->turn = evtimer_new(d->base, turn_run, d);
    intake_add(d);
    turn_arm(d, 0);
    return 0;
}

static void clear(struct daemon *d)
{
    if (d->turn)
        event_free(d->turn);
    intake_clear(d);
    resolver_clear(&d->resolver);
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
