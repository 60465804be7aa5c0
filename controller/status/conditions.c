#include "controller/status/conditions.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

enum {
    HANDSHAKE_RECENT = 180
}; /* WireGuard makes new keys after two minutes, drops them after three */

/* ---- when they changed ---- */

/* What was told of one resource: each condition with the time of its last change. */
struct told {
    struct {
        const char *type; /* one of the literals below */
        bool status;
        int64_t since; /* seconds since 1970 */
    } list[CONDITIONS_MAX];
    size_t count;
    char id[];
};

struct transitions {
    struct map told; /* by id → struct told */
};

struct transitions *transitions_new(void)
{
    return mem_alloc(sizeof(struct transitions));
}

void transitions_free(struct transitions *transitions)
{
    size_t at = 0;
    struct map_entry *entry;
    if (!transitions)
        return;
    while ((entry = map_next(&transitions->told, &at)))
        free(entry->value);
    map_clear(&transitions->told);
    mem_freep(&transitions);
}

void transitions_forget(struct transitions *transitions, const char *id)
{
    free(map_remove_text(&transitions->told, id));
}

static struct told *told_of(struct transitions *transitions, const char *id)
{
    struct told *told = map_get_text(&transitions->told, id);
    if (told)
        return told;
    told = mem_alloc(sizeof(*told) + strlen(id) + 1);
    memcpy(told->id, id, strlen(id) + 1);
    map_put_text(&transitions->told, told->id, told);
    return told;
}

static int64_t since(const struct view *view, const char *id, const struct condition *condition)
{
    struct told *told = told_of(view->transitions, id);
    int64_t now = view->clock->realtime(view->clock->context) / SECONDS(1);
    size_t i = 0;

    while (i < told->count && strcmp(told->list[i].type, condition->type) != 0)
        i++;
    if (i == told->count && told->count == CONDITIONS_MAX)
        return now;
    if (i == told->count || told->list[i].status != condition->status) {
        told->list[i].type = condition->type;
        told->list[i].status = condition->status;
        told->list[i].since = now;
        told->count += i == told->count;
    }
    return told->list[i].since;
}

/* ---- what they are ---- */

static void add(struct conditions *c, const char *type, bool status, const char *reason,
                char *message)
{
    c->list[c->count++] = (struct condition){type, status, reason, message};
}

void conditions_clear(struct conditions *c)
{
    for (size_t i = 0; i < c->count; i++)
        mem_freep(&c->list[i].message);
    c->count = 0;
}

static char *not_enforced_text(const struct model *model, const struct resource *resource)
{
    uint64_t rows = model_not_enforced(model, resource);
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < resource->kind->field_count; i++) {
        const struct field *field = &resource->kind->fields[i];
        if (rows >> i & 1)
            strbuf_printf(&text, "%s%s (%s)", text.len ? ", " : "", field->path,
                          enforcer_name(field->enforcer));
    }
    if (!text.len)
        return NULL;
    strbuf_puts(&text, ": nothing in this version carries that out yet");
    return strbuf_steal(&text);
}

static void add_store_conditions(const struct view *view, const struct object *object,
                                 struct conditions *c)
{
    static const struct {
        enum object_state state;
        const char *type, *reason;
    } rows[] = {
        {OBJECT_STALE, "Stalled", "ManifestWrong"},
        {OBJECT_CONFLICT, "Conflict", "Claimed"},
        {OBJECT_HELD, "PruneHeld", "Guard"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (object->state == rows[i].state)
            add(c, rows[i].type, true, rows[i].reason, mem_strdup(object->message));
    char *missing = object->force ? not_enforced_text(view->model, object->force) : NULL;
    if (missing)
        add(c, "NotEnforced", true, "NoReconciler", missing);
}

static bool has_recent_handshake(const struct view *view, const json_t *status)
{
    const char *text = json_string_value(json_object_get(status, "lastHandshake"));
    int64_t when, now = view->clock->realtime(view->clock->context) / SECONDS(1);
    return text && clock_parse_rfc3339(text, &when) == 0 && now - when <= HANDSHAKE_RECENT;
}

const char *conditions_peer_obstacle(const struct view *view, const struct model_peer *peer,
                                     char **retmessage)
{
    char key[MODEL_KEY_MAX];
    STRBUF_AUTO why = STRBUF_INIT;
    static const char *const reasons[] = {
        [PEER_DISABLED] = "Disabled",      [PEER_EXPIRED] = "Expired",
        [PEER_UNCONFINED] = "NotEnforced", [PEER_NO_SECRET] = "SecretMissing",
        [PEER_NO_ADDRESS] = "NoAddress",
    };

    *retmessage = NULL;
    if (view->model->hold) {
        *retmessage = mem_strdup(view->model->hold);
        return "Held";
    }
    if (peer->off != PEER_ON) {
        model_off_reason(view->model, peer, &why);
        *retmessage = strbuf_steal(&why);
        return reasons[peer->off];
    }
    const char *trouble = engine_trouble(view->engine, model_peer_key(&peer->public_key, key));
    if (trouble) {
        *retmessage = mem_strdup(trouble);
        return "Failing";
    }
    return peer->applied ? NULL : "Pending";
}

/* What a peer and a link have in common. `known`: it is in force; then `obstacle` says why it is
 * not as its manifest says, NULL: it is. Takes the message over. */
static void add_tunnel(const struct view *view, const struct object *object, const json_t *status,
                       bool known, const char *programmed, const char *obstacle, char *message,
                       struct conditions *c)
{
    if (!known) {
        obstacle = "NotInForce";
        message = mem_strdup(object->message);
    }
    if (!obstacle && object->state != OBJECT_IN_FORCE)
        add(c, "Ready", false, "LastGood",
            mem_printf("an earlier version is in force: %s", object->message));
    else
        add(c, "Ready", !obstacle, obstacle ? obstacle : "Converged",
            mem_strdup(message ? message : ""));
    add(c, "Programmed", !obstacle, obstacle ? obstacle : programmed, message);
    if (!obstacle)
        add(c, "HandshakeRecent", has_recent_handshake(view, status), "Handshake", mem_strdup(""));
}

/* An exit that is asked for: is it in use? */
static void exit_condition(const struct view *view, const struct model_peer *peer,
                           struct conditions *c)
{
    static const char *const reasons[] = {
        [BLOCK_NONE] = "Relayed",
        [BLOCK_NO_LINK] = "NoLink",
        [BLOCK_LINK_OFF] = "LinkOff",
        [BLOCK_NO_DOCUMENT] = "NoAnswer",
        [BLOCK_NOT_OFFERED] = "NotOffered",
        [BLOCK_EXPIRED] = "OfferExpired",
        [BLOCK_NOT_READY] = "RelayNotReady",
        [BLOCK_NO_IPV6] = "NoIPv6",
    };
    const struct peer_spec *spec = peer->resource->spec;
    struct strbuf text = STRBUF_INIT;
    if (!spec->route_via)
        return;
    model_way_text(view->model, peer, &text);
    add(c, "ExitActive", peer->off == PEER_ON && peer->way == WAY_EXIT, reasons[peer->block],
        strbuf_steal(&text));
}

static void peer_conditions(const struct view *view, const struct object *object,
                            const json_t *status, struct conditions *c)
{
    const struct model_peer *peer =
        object->force ? model_peer_by_name(view->model, object->force->name) : NULL;
    char *message = NULL;
    const char *obstacle = peer ? conditions_peer_obstacle(view, peer, &message) : NULL;
    add_tunnel(view, object, status, peer != NULL, "OnDevice", obstacle, message, c);
    if (peer)
        exit_condition(view, peer, c);
    if (peer && peer->address_given) {
        char text[ADDR_TEXT_MAX];
        add(c, "AddressNotPinned", true, "Given",
            mem_printf(
                "no address is written; %s was given: write address: %s into the manifest to "
                "keep it whatever happens",
                ip_format(&peer->address, text), text));
    }
}

const char *conditions_link_obstacle(const struct view *view, const struct model_link *link,
                                     char **retmessage)
{
    static const char *const reasons[] = {
        [LINK_DISABLED] = "Disabled",  [LINK_NO_SECRET] = "SecretMissing",
        [LINK_NO_PORT] = "NoPort",     [LINK_NO_NUMBER] = "TooManyLinks",
        [LINK_COLLIDES] = "Collision",
    };
    char key[MODEL_KEY_MAX];
    struct strbuf why = STRBUF_INIT;

    *retmessage = NULL;
    if (view->model->hold) {
        *retmessage = mem_strdup(view->model->hold);
        return "Held";
    }
    if (link->off != LINK_ON) {
        model_link_off_text(view->model, link, &why);
        *retmessage = strbuf_steal(&why);
        return reasons[link->off];
    }
    const char *trouble = engine_trouble(view->engine, model_link_key(link->interface, key));
    if (trouble) {
        *retmessage = mem_strdup(trouble);
        return "Failing";
    }
    return link->applied ? NULL : "Pending";
}

/* What the other cell is to us, and we to it. */
static void link_exit_conditions(const struct view *view, const struct model_link *link,
                                 struct conditions *c)
{
    struct strbuf text = STRBUF_INIT;
    if (link->users) {
        model_block_text(view->model, link, link->resource->name, link->block, &text);
        add(c, "ExitActive", link->block == BLOCK_NONE,
            link->block == BLOCK_NONE ? "InUse" : "Blocked", strbuf_steal(&text));
    }
    if (link->document_problem)
        add(c, "Conflict", true, "Contradicted", mem_strdup(link->document_problem));
}

static void link_conditions(const struct view *view, const struct object *object,
                            const json_t *status, struct conditions *c)
{
    const struct model_link *link =
        object->force ? model_link_by_name(view->model, object->force->name) : NULL;
    char *message = NULL;
    const char *obstacle = link ? conditions_link_obstacle(view, link, &message) : NULL;
    add_tunnel(view, object, status, link != NULL, "Tunnel", obstacle, message, c);
    if (!link || obstacle)
        return;
    if (link->endpoint_unresolved)
        add(c, "EndpointResolved", false, "NoAddress",
            mem_printf("\"%s\" has no address yet; it is asked for again and again",
                       link->spec->endpoint.host));
    link_exit_conditions(view, link, c);
}

static void cell_conditions(const struct view *view, const struct object *object,
                            struct conditions *c)
{
    const struct error *failure = NULL;
    const char *trouble = engine_trouble(view->engine, MODEL_KEY_CELL);
    for (size_t i = 0; i < reconciler_count && !failure; i++)
        failure = engine_failure(view->engine, reconcilers[i]);
    const char *why = view->model->hold                  ? view->model->hold
                      : failure                          ? failure->message
                      : trouble                          ? trouble
                      : object->state != OBJECT_IN_FORCE ? object->message
                                                         : NULL;
    bool pending = !view->model->cell.applied;
    add(c, "Ready", !why && !pending,
        view->model->hold ? "Held"
        : why             ? "Failing"
        : pending         ? "Pending"
                          : "Converged",
        mem_strdup(why ? why : ""));
    if (view->inputs->identity.lost)
        add(c, "KeyLost", true, "PrivateKeyMissing", mem_strdup(view->inputs->identity.lost));
    size_t held = store_held(view->store);
    if (held && object->state != OBJECT_HELD)
        add(c, "PruneHeld", true, "Guard",
            mem_printf("%zu resource(s) are gone from the manifests and kept; `picctl prune "
                       "--confirm` lets them go",
                       held));
}

void conditions_of(const struct view *view, const struct object *object, const json_t *status,
                   struct conditions *ret)
{
    *ret = (struct conditions){0};
    if (strncmp(object->id, "Cell/", 5) == 0)
        cell_conditions(view, object, ret);
    else if (strncmp(object->id, "Link/", 5) == 0)
        link_conditions(view, object, status, ret);
    else
        peer_conditions(view, object, status, ret);
    add_store_conditions(view, object, ret);
}

json_t *conditions_json(const struct view *view, const struct object *object,
                        const struct conditions *conditions)
{
    json_t *list = json_array();
    char when[CLOCK_RFC3339_MAX];
    for (size_t i = 0; i < conditions->count; i++) {
        const struct condition *c = &conditions->list[i];
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:s, s:s, s:I}", "type", c->type, "status",
                            c->status ? "True" : "False", "reason", c->reason, "message",
                            c->message ? c->message : "", "lastTransitionTime",
                            clock_format_rfc3339(since(view, object->id, c), when),
                            "observedGeneration", (json_int_t)object->generation));
    }
    return list;
}
