#include "controller/api/api.h"

#include <string.h>

#include "schema/base/mem.h"

void api_reply(struct http_response *response, json_t *value)
{
    MEM_AUTO char *text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    strbuf_puts(&response->body, text ? text : "null");
    strbuf_putc(&response->body, '\n');
}

static void healthz(const struct api *api, const struct http_request *request, const char *rest,
                    struct http_response *response)
{
    (void)api, (void)request, (void)rest;
    response->content_type = "text/plain; charset=utf-8";
    strbuf_puts(&response->body, "ok\n");
}

static void readyz(const struct api *api, const struct http_request *request, const char *rest,
                   struct http_response *response)
{
    (void)request, (void)rest;
    response->content_type = "text/plain; charset=utf-8";
    response->status = api->view.ready ? 200 : 503;
    strbuf_puts(&response->body, api->view.ready ? "ready\n" : "not converged yet\n");
}

static void kinds_page(const struct api *api, const struct http_request *request, const char *rest,
                       struct http_response *response)
{
    (void)api, (void)request, (void)rest;
    json_t *items = json_array();
    for (size_t i = 0; i < kind_count; i++)
        json_array_append_new(items, json_pack("{s:s, s:s, s:s?, s:s}", "name", kinds[i]->name,
                                               "plural", kinds[i]->plural, "short",
                                               kinds[i]->short_name, "help", kinds[i]->help));
    api_reply(response, json_pack("{s:o}", "items", items));
}

static void index_page(const struct api *api, const struct http_request *request, const char *rest,
                       struct http_response *response)
{
    (void)api, (void)request, (void)rest;
    api_reply(response, json_pack("{s:[s,s,s,s,s,s,s,s,s]}", "paths", "/healthz", "/readyz",
                                  "/metrics", "/v1/kinds", "/v1/resources", "/v1/plan",
                                  "/v1/status", "/v1/documents", "/v1/trace"));
}

static void control(const struct api *api, const struct http_request *request, const char *rest,
                    struct http_response *response)
{
    const struct api_control *c = &api->control;
    const struct {
        const char *name;
        char *(*act)(void *context);
    } verbs[] = {{"resync", c->resync},
                 {"prune", c->prune},
                 {"teardown", c->teardown},
                 {"documents", c->documents}};

    if (!request->peer->local) {
        http_response_error(response, 404, "control exists on the unix socket only");
        return;
    }
    if (request->head->method != HTTP_PUT) {
        http_response_not_allowed(response, "PUT");
        return;
    }
    if (!http_peer_is_root(request->peer)) {
        http_response_error(response, 403, "only root may do this; try again as root");
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
        if (strcmp(rest, verbs[i].name) != 0)
            continue;
        MEM_AUTO char *message = verbs[i].act(c->context);
        api_reply(response, json_pack("{s:s}", "message", message));
        return;
    }
    http_response_error(response, 404, "no control verb \"%s\"", rest);
}

typedef void page_fn(const struct api *api, const struct http_request *request, const char *rest,
                     struct http_response *response);

static const struct {
    const char *path;
    bool below; /* paths below it as well */
    page_fn *page;
} routes[] = {
    {"/", false, index_page},
    {"/healthz", false, healthz},
    {"/readyz", false, readyz},
    {"/metrics", false, api_metrics},
    {"/v1/kinds", false, kinds_page},
    {"/v1/resources", true, api_resources},
    {"/v1/plan", false, api_plan},
    {"/v1/status", false, api_status},
    {"/v1/documents", true, api_document},
    {"/v1/trace", false, api_trace},
    {"/v1/control", true, control},
};

/* What follows the route's path, without a slash; NULL: the path is another. */
static const char *match(const char *path, const char *route, bool below)
{
    size_t len = strlen(route);
    if (strcmp(path, route) == 0)
        return "";
    if (!below || strncmp(path, route, len) != 0 || path[len] != '/')
        return NULL;
    return path + len + 1;
}

void api_handle(const struct http_request *request, struct http_response *response, void *context)
{
    const struct api *api = context;
    for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
        const char *rest = match(request->head->path, routes[i].path, routes[i].below);
        if (!rest)
            continue;
        if (request->head->method == HTTP_PUT && routes[i].page != control)
            http_response_not_allowed(response, "GET, HEAD");
        else
            routes[i].page(api, request, rest, response);
        return;
    }
    http_response_error(response, 404, "nothing here; / lists the paths");
}
