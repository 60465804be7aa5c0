#include "controller/api/api.h"

#include "schema/base/mem.h"

/* OpenMetrics 1.0: a counter's samples end in _total, the text ends with # EOF. */

static void gauge(struct strbuf *out, const char *name, const char *help, double value)
{
    strbuf_printf(out, "# TYPE %s gauge\n# HELP %s %s\n%s %.17g\n", name, name, help, name, value);
}

static void counter(struct strbuf *out, const char *name, const char *help, uint64_t value)
{
    strbuf_printf(out, "# TYPE %s counter\n# HELP %s %s\n%s_total %llu\n", name, name, help, name,
                  (unsigned long long)value);
}

static void sys_calls(struct strbuf *out, const struct sys *sys)
{
    const struct sys_counters *counters = sys_counters(sys);
    strbuf_puts(out, "# TYPE pic_system_calls counter\n"
                     "# HELP pic_system_calls Calls to the kernel and to wireguard-go.\n");
    for (int call = 0; call < SYS_CALL_COUNT; call++)
        strbuf_printf(out, "pic_system_calls_total{call=\"%s\",writes=\"%s\"} %llu\n",
                      sys_call_name((enum sys_call)call),
                      sys_call_writes((enum sys_call)call) ? "true" : "false",
                      (unsigned long long)counters->calls[call]);
}

static size_t peers_on(const struct model *model)
{
    size_t on = 0, at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&model->peers, &at)))
        on += ((const struct model_peer *)entry->value)->off == PEER_ON;
    return on;
}

void api_metrics(const struct api *api, const struct http_request *request, const char *rest,
                 struct http_response *response)
{
    const struct view *v = &api->view;
    const struct sys_counters *counters = sys_counters(v->sys);
    struct strbuf *out = &response->body;

    (void)request, (void)rest;
    response->content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    gauge(out, "pic_ready", "1 after the first full convergence.", v->ready);
    gauge(out, "pic_converged", "1 while the live system is what the manifests say.",
          engine_is_converged(v->engine));
    gauge(out, "pic_resources", "Resources known.", (double)store_count(v->store));
    gauge(out, "pic_resources_held", "Resources that the prune guard keeps.",
          (double)store_held(v->store));
    gauge(out, "pic_peers", "Peers that are to be on the device.", (double)peers_on(v->model));
    counter(out, "pic_system_reads", "Reading calls.", counters->reads);
    counter(out, "pic_system_writes", "Writing calls.", counters->writes);
    counter(out, "pic_system_failures", "Calls that failed.", counters->failures);
    counter(out, "pic_drift_repairs", "Repairs of what somebody else changed.",
            journal_drift_count(v->journal));
    counter(out, "pic_source_overflows", "Overflows of the inotify queue.",
            source_overflows(v->source));
    sys_calls(out, v->sys);
    strbuf_puts(out, "# EOF\n");
}
