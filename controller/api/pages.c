#include "controller/api/api.h"

#include "controller/status/conditions.h"
#include "schema/base/mem.h"

static const char *const verbs[] = {
    [VERB_CREATE] = "create", [VERB_UPDATE] = "update", [VERB_DELETE] = "delete"};

static json_t *step_json(const struct step *step)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < step->change_count; i++) {
        const struct field_change *c = &step->changes[i];
        json_array_append_new(changes, json_pack("{s:s, s:s?, s:s?}", "field", c->field, "before",
                                                 c->before, "after", c->after));
    }
    return json_pack("{s:s, s:s, s:s, s:s, s:o}", "verb", verbs[step->verb], "object", step->object,
                     "cause", step->cause, "disruption", disruption_name(step->disruption),
                     "changes", changes);
}

void api_plan(const struct api *api, const struct http_request *request, const char *rest,
              struct http_response *response)
{
    PLAN_AUTO plan;
    STRBUF_AUTO text = STRBUF_INIT;
    json_t *steps = json_array();

    (void)request, (void)rest;
    engine_plan(api->view.engine, &plan);
    for (size_t i = 0; i < plan.count; i++)
        json_array_append_new(steps, step_json(&plan.steps[i]));
    plan_print(&plan, &text);
    api_reply(response, json_pack("{s:b, s:b, s:o, s:s}", "drift", plan_has_drift(&plan), "pending",
                                  plan_has_pending(&plan), "steps", steps, "text", text.text));
}

static json_t *diags_json(const struct store *store)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    json_t *list = json_array();
    store_diags(store, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        const struct diag *d = &diags.list[i];
        json_array_append_new(list,
                              json_pack("{s:s, s:s?, s:i, s:i, s:s?, s:s}", "severity",
                                        d->severity == SEVERITY_ERROR ? "error" : "warning", "file",
                                        d->file, "line", (int)d->line, "column", (int)d->column,
                                        "subject", d->subject, "message", d->message));
    }
    return list;
}

static json_t *ignored_json(const struct source *source)
{
    size_t count;
    char *const *ignored = source_ignored(source, &count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(ignored[i]));
    return list;
}

void api_status(const struct api *api, const struct http_request *request, const char *rest,
                struct http_response *response)
{
    const struct view *v = &api->view;
    const struct sys_counters *counters = sys_counters(v->sys);
    const struct resource *cell = store_cell(v->store);

    (void)request, (void)rest;
    json_t *status = json_pack(
        "{s:s, s:b, s:s?, s:o, s:o, s:o, s:I, s:{s:s, s:s?}, s:{s:I, s:I, s:I}, s:o, s:o}",
        "version", PIC_VERSION, "ready", v->ready, "cell", cell ? cell->name : NULL, "problems",
        problems_json(v), "diags", diags_json(v->store), "ignored", ignored_json(v->source), "held",
        (json_int_t)store_held(v->store), "source", "mode", source_mode(v->source), "problem",
        source_problem(v->source), "counters", "reads", (json_int_t)counters->reads, "writes",
        (json_int_t)counters->writes, "failures", (json_int_t)counters->failures, "drift",
        journal_json(v->journal, true), "journal", journal_json(v->journal, false));
    api_reply(response, status);
}
