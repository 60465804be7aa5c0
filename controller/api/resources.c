#include "controller/api/api.h"

#include <stdio.h>
#include <string.h>

#include "controller/status/conditions.h"
#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/emit/emit.h"

static void set_ip(json_t *status, const char *key, const struct ip *ip)
{
    char text[ADDR_TEXT_MAX];
    if (ip->family)
        json_object_set_new(status, key, json_string(ip_format(ip, text)));
}

/* How its internet traffic leaves, in words. */
static void set_leaves(const struct view *view, const struct model_peer *peer, json_t *status)
{
    STRBUF_AUTO text = STRBUF_INIT;
    if (peer->off != PEER_ON)
        strbuf_puts(&text, "blocked: not on the device");
    else
        model_way_text(view->model, peer, &text);
    json_object_set_new(status, "leaves", json_string(text.text));
}

/* Changes exactly when the device's own config has to be issued again. */
static void set_client_hash(const struct view *view, const struct model_peer *peer, json_t *status)
{
    const struct peer_spec *spec = peer->resource->spec;
    const struct cell_spec *cell = view->model->cell.spec;
    uint64_t hash = hash_bytes(&peer->public_key, WGKEY_LEN, 1);
    char text[17];

    hash = hash_bytes(&view->model->cell.public_key, WGKEY_LEN, hash);
    hash = hash_bytes(&peer->address, sizeof(peer->address), hash);
    hash = hash_bytes(&peer->address6, sizeof(peer->address6), hash);
    hash = hash_bytes(&cell->vpn, sizeof(cell->vpn), hash);
    hash = hash_bytes(&cell->vpn6, sizeof(cell->vpn6), hash);
    hash = hash_bytes(&cell->listen_port, sizeof(cell->listen_port), hash);
    hash = hash_text(cell->endpoint.host ? cell->endpoint.host : "", hash + cell->endpoint.port);
    hash = hash_bytes(&spec->keepalive, sizeof(spec->keepalive), hash);
    hash += (uint64_t)peer_tunnel(peer->resource) + spec->client_dns;
    if (peer->preshared_key)
        hash = hash_bytes(peer->preshared_key, WGKEY_LEN, hash);
    snprintf(text, sizeof(text), "%016llx", (unsigned long long)hash_bytes(&hash, sizeof(hash), 1));
    json_object_set_new(status, "clientConfigHash", json_string(text));
}

static void peer_fields(const struct view *view, const struct object *object, json_t *status)
{
    const struct model_peer *peer = model_peer_by_name(view->model, strchr(object->id, '/') + 1);
    if (!peer || !view->model->cell.spec)
        return;
    set_ip(status, "address", &peer->address);
    set_ip(status, "address6", &peer->address6);
    set_leaves(view, peer, status);
    set_client_hash(view, peer, status);
}

static void cell_fields(const struct view *view, json_t *status)
{
    const struct cell_spec *cell = view->model->cell.spec;
    if (!cell)
        return;
    size_t count;
    const struct model_link **links = model_links(view->model, &count);
    MEM_AUTO char *port = mem_printf("%u/udp", cell->listen_port);
    json_t *ports = json_pack("[s]", port);
    for (size_t i = 0; i < count; i++) {
        MEM_AUTO char *one = mem_printf("%u/udp", links[i]->listen_port);
        if (links[i]->off == LINK_ON)
            json_array_append_new(ports, json_string(one));
    }
    mem_freep(&links);
    json_object_set_new(status, "portsToForward", ports);
}

static json_t *resource_json(const struct view *view, const struct object *object)
{
    const struct resource *resource = object->force;
    json_t *status = json_object();
    json_t *json = resource ? emit_json(resource, EMIT_WRITTEN)
                            : json_pack("{s:s, s:s#, s:{s:s}, s:{}}", "apiVersion", "pic/v1",
                                        "kind", object->id, (int)strcspn(object->id, "/"),
                                        "metadata", "name", strchr(object->id, '/') + 1, "spec");
    json_object_set_new(json_object_get(json, "metadata"), "generation",
                        json_integer((json_int_t)object->generation));
    if (object->source)
        json_object_set_new(status, "source", json_string(object->source));
    if (resource) {
        engine_status(view->engine, resource, status);
        if (resource->kind == &kind_peer)
            peer_fields(view, object, status);
        else if (resource->kind == &kind_cell)
            cell_fields(view, status);
    }
    struct conditions conditions;
    conditions_of(view, object, status, &conditions);
    json_object_set_new(status, "conditions", conditions_json(view, object, &conditions));
    conditions_clear(&conditions);
    json_object_set_new(json, "status", status);
    return json;
}

/* Objects of other cells, and leftovers, are not shown. */
static bool is_shown(const struct object *object)
{
    return object->force || object->state != OBJECT_IN_FORCE;
}

static void list(const struct api *api, const struct kind *kind, struct http_response *response)
{
    size_t count;
    const struct object **objects = store_objects(api->view.store, &count);
    json_t *items = json_array();
    for (size_t i = 0; i < count; i++) {
        size_t len = strcspn(objects[i]->id, "/");
        bool fits =
            !kind || (strlen(kind->name) == len && memcmp(objects[i]->id, kind->name, len) == 0);
        if (fits && is_shown(objects[i]))
            json_array_append_new(items, resource_json(&api->view, objects[i]));
    }
    mem_freep(&objects);
    api_reply(response, json_pack("{s:o}", "items", items));
}

static void set_etag(struct http_response *response)
{
    strbuf_printf(&response->etag, "%016llx",
                  (unsigned long long)hash_bytes(response->body.text, response->body.len, 1));
}

void api_resources(const struct api *api, const struct http_request *request, const char *rest,
                   struct http_response *response)
{
    (void)request;
    if (!*rest) {
        list(api, NULL, response);
        set_etag(response);
        return;
    }
    size_t len = strcspn(rest, "/");
    MEM_AUTO char *word = mem_strndup(rest, len);
    const struct kind *kind = kind_find(word);
    if (!kind) {
        http_response_error(response, 404, "no kind \"%s\"; /v1/kinds lists them", word);
        return;
    }
    if (!rest[len]) {
        list(api, kind, response);
        set_etag(response);
        return;
    }
    MEM_AUTO char *id = mem_printf("%s/%s", kind->name, rest + len + 1);
    const struct object *object = store_object(api->view.store, id);
    if (!object || !is_shown(object)) {
        http_response_error(response, 404, "%s does not exist", id);
        return;
    }
    api_reply(response, resource_json(&api->view, object));
    set_etag(response);
}
