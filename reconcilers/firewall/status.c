#include "reconcilers/firewall/firewall.h"

#include <string.h>

static void set_text(json_t *object, const char *key, const char *text)
{
    json_object_set_new(object, key, json_string(text));
}

static json_t *lines(const char *text)
{
    json_t *list = json_array();
    while (*text) {
        size_t len = strcspn(text, "\n");
        json_array_append_new(list, json_stringn(text, len));
        text += len + (text[len] == '\n');
    }
    return list;
}

static void cell_status(const struct fw_observed *o, json_t *status)
{
    json_t *firewall = json_object();
    size_t elements = 0;
    for (size_t i = 0; i < o->table.set_count; i++)
        elements += o->table.sets[i].count;
    json_object_set_new(firewall, "table", json_boolean(o->table.present));
    json_object_set_new(firewall, "elements", json_integer((json_int_t)elements));
    json_object_set_new(firewall, "problems", lines(o->problems.text));
    json_object_set_new(status, "firewall", firewall);
}

static void exit_status(const struct model *model, const struct model_link *link, json_t *status)
{
    STRBUF_AUTO text = STRBUF_INIT;
    model_block_text(model, link, link->resource->name, link->block, &text);
    if (link->block == BLOCK_NONE)
        strbuf_puts(&text, link->exit6 ? "offered" : "offered, for IPv4 only");
    if (link->users)
        strbuf_printf(&text, ", wanted by %zu peer%s", link->users, link->users == 1 ? "" : "s");
    set_text(status, "exitStatus", text.text);
}

static void relay_status(const struct model *model, const struct model_link *link, json_t *status)
{
    STRBUF_AUTO text = STRBUF_INIT;
    STRBUF_AUTO reason = STRBUF_INIT;
    bool ipv6;
    bool ready = model_relay_ready(model, &ipv6, &reason);

    if (!link->spec->exit_offer)
        strbuf_puts(&text, "not offered");
    else if (!ready)
        strbuf_printf(&text, "offered, and not ready: %s", reason.text);
    else
        strbuf_printf(&text, "%s%s", link->relays ? "in use" : "offered",
                      ipv6 ? "" : ", for IPv4 only");
    set_text(status, "relayStatus", text.text);
}

void fw_status(const struct model *model, const void *observed, const struct resource *resource,
               json_t *status)
{
    const struct fw_observed *o = observed;
    if (!o->known)
        return;
    const struct model_link *link =
        resource->kind == &kind_link ? model_link_by_name(model, resource->name) : NULL;
    if (resource->kind == &kind_cell && model->cell.spec)
        cell_status(o, status);
    if (link) {
        exit_status(model, link, status);
        relay_status(model, link, status);
    }
}
