/*
 * picd's HTTP content: what is served on the unix socket and, read-only, on api.listen. Control
 * verbs exist on the unix socket only, for root.
 */
#pragma once

#include "controller/api/http_request.h"
#include "controller/api/http_response.h"
#include "controller/status/view.h"

/* What control requests ask of the daemon; each returns what will happen, in words. */
struct api_control {
    char *(*resync)(void *context);
    char *(*prune)(void *context);
    char *(*teardown)(void *context);
    char *(*documents)(void *context); /* what linked cells said is read from the disk again */
    void *context;
};

struct api {
    struct view view;
    struct api_control control;
};

/* The handler for http_server_new(); context is the struct api. */
void api_handle(const struct http_request *request, struct http_response *response, void *context);

/* The pages, by file; each fills in the response. `rest` is what follows the route's own path. */
void api_resources(const struct api *api, const struct http_request *request, const char *rest,
                   struct http_response *response);
void api_plan(const struct api *api, const struct http_request *request, const char *rest,
              struct http_response *response);
void api_status(const struct api *api, const struct http_request *request, const char *rest,
                struct http_response *response);
/* What this cell tells a linked one: peer-sync's document. */
void api_document(const struct api *api, const struct http_request *request, const char *rest,
                  struct http_response *response);
/* What would happen to a packet: ?peer=NAME&to=ADDRESS. */
void api_trace(const struct api *api, const struct http_request *request, const char *rest,
               struct http_response *response);
void api_metrics(const struct api *api, const struct http_request *request, const char *rest,
                 struct http_response *response);

/* Puts a JSON value into the response and releases it. */
void api_reply(struct http_response *response, json_t *value);
