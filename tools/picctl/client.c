#include "tools/picctl/client.h"

#include <errno.h>
#include <string.h>

#include "controller/api/http_client.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

enum { GET_MS = 10000, CONTROL_MS = 60000, HTTP_OK = 200, HTTP_NOT_FOUND = 404 };

int client_missing(const struct config *config, struct error **reterr)
{
    return error_make(reterr, ENOENT,
                      "picd does not run: nobody listens on \"%s/picd.sock\"; start it with "
                      "`systemctl start picd`",
                      config->run);
}

static int ask(const struct config *config, const char *method, const char *target, int timeout,
               struct http_reply *ret, struct error **reterr)
{
    MEM_AUTO char *socket = io_join(config->run, "picd.sock");
    struct error *error = NULL;
    int r = http_client_request(socket, method, target, NULL, ret, timeout, &error);
    if (r == HTTP_NO_DAEMON)
        return CLIENT_NO_DAEMON;
    if (r == -EACCES) {
        error_free(error);
        return error_make(
            reterr, EACCES,
            "no permission for \"%s\": run picctl as root, or as a member of the group "
            "pic",
            socket);
    }
    if (r < 0)
        *reterr = error;
    return r;
}

bool client_answers(const struct config *config)
{
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    ERROR_AUTO error = NULL;
    return ask(config, "GET", "/healthz", GET_MS, &reply, &error) != CLIENT_NO_DAEMON;
}

static json_t *parse(const struct http_reply *reply)
{
    return json_loadb(reply->body.text, reply->body.len, JSON_DECODE_ANY, NULL);
}

/* What the answer says under this key, or a sentence about its status. */
static int fail(const struct http_reply *reply, const char *target, struct error **reterr)
{
    json_t *json = parse(reply);
    const char *why = json_string_value(json_object_get(json, "error"));
    int r =
        why ? error_make(reterr, EINVAL, "%s", why)
            : error_make(reterr, EPROTO, "picd answers %s with status %d", target, reply->status);
    json_decref(json);
    return r;
}

int client_get(const struct config *config, const char *target, json_t **ret, struct error **reterr)
{
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    int r = ask(config, "GET", target, GET_MS, &reply, reterr);
    if (r != 0)
        return r;
    if (reply.status == HTTP_NOT_FOUND)
        return CLIENT_NOT_FOUND;
    if (reply.status != HTTP_OK)
        return fail(&reply, target, reterr);
    json_t *json = parse(&reply);
    if (!json)
        return error_make(reterr, EPROTO, "picd answers %s with something that is not JSON",
                          target);
    *ret = json;
    return 0;
}

int client_control(const struct config *config, const char *verb, char **ret, struct error **reterr)
{
    HTTP_REPLY_AUTO reply = HTTP_REPLY_INIT;
    MEM_AUTO char *target = mem_printf("/v1/control/%s", verb);
    int r = ask(config, "PUT", target, CONTROL_MS, &reply, reterr);
    if (r != 0)
        return r;
    if (reply.status != HTTP_OK)
        return fail(&reply, target, reterr);
    json_t *json = parse(&reply);
    const char *message = json_string_value(json_object_get(json, "message"));
    *ret = mem_strdup(message ? message : "done");
    json_decref(json);
    return 0;
}
