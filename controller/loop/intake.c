#include "controller/loop/inside.h"

#include <signal.h>

#include "controller/loop/notify.h"
#include "schema/base/mem.h"

static void on_inotify(evutil_socket_t fd, short what, void *context)
{
    struct daemon *d = context;
    (void)fd, (void)what;
    source_read(d->source);
    turn_arm(d, 0);
}

/* There may be no descriptor at first, when the system's limit of them is reached. */
void intake_follow_inotify(struct daemon *d)
{
    if (d->inotify || source_fd(d->source) < 0)
        return;
    d->inotify = event_new(d->base, source_fd(d->source), EV_READ | EV_PERSIST, on_inotify, d);
    event_add(d->inotify, NULL);
}

static void on_event(const struct sys_event *event, void *context)
{
    struct daemon *d = context;
    inputs_happened(&d->inputs, event);
    engine_look(d->engine, event);
}

static void on_kernel(evutil_socket_t fd, short what, void *context)
{
    struct daemon *d = context;
    (void)fd, (void)what;
    sys_events_read(d->sys, on_event, d);
    turn_arm(d, 0);
}

static void on_signal(evutil_socket_t signum, short what, void *context)
{
    struct daemon *d = context;
    (void)what;
    if (signum == SIGHUP) {
        notify_send("RELOADING=1");
        turn_look_at_all(d);
        notify_send("READY=1");
        return;
    }
    log_line(d->log, LOG_LEVEL_INFO, "stopping", "why", "a signal; everything stays live", NULL);
    notify_send("STOPPING=1");
    turn_stop(d, 0);
}

static void on_watchdog(evutil_socket_t fd, short what, void *context)
{
    (void)fd, (void)what, (void)context;
    notify_send("WATCHDOG=1");
}

static char *control_resync(void *context)
{
    turn_look_at_all(context);
    return mem_strdup("looking at everything again");
}

static char *control_prune(void *context)
{
    struct daemon *d = context;
    size_t released = store_release(d->store);
    if (released) {
        turn_commit(d);
        turn_arm(d, 0);
    }
    return mem_printf(released ? "%zu resource(s) let go" : "nothing is held back", released);
}

static char *control_teardown(void *context)
{
    struct daemon *d = context;
    d->model->teardown = true;
    mem_freep(&d->model->hold);
    engine_mark(d->engine, MODEL_KEY_CELL);
    engine_look_at_all(d->engine);
    turn_arm(d, 0);
    return mem_strdup("taking everything of ours away; picd ends when that is done");
}

static char *control_documents(void *context)
{
    struct daemon *d = context;
    size_t count;
    const struct model_link **links = model_links(d->model, &count);
    inputs_refresh(&d->inputs);
    for (size_t i = 0; i < count; i++)
        model_refresh_link(d->model, links[i]->resource->name, &d->inputs.model, turn_mark, d);
    mem_freep(&links);
    turn_arm(d, 0);
    return mem_printf("%zu document(s) read again", count);
}

struct api_control intake_control(struct daemon *d)
{
    return (struct api_control){control_resync, control_prune, control_teardown, control_documents,
                                d};
}

void intake_add(struct daemon *d)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
        d->signals[i] = evsignal_new(d->base, signals[i], on_signal, d);
        event_add(d->signals[i], NULL);
    }
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

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

void intake_clear(struct daemon *d)
{
    free_event(d->inotify);
    free_event(d->kernel);
    free_event(d->watchdog);
    for (size_t i = 0; i < ARRAY_SIZE(d->signals); i++)
        free_event(d->signals[i]);
}
