#include "controller/loop/inside.h"

#include <string.h>

#include "schema/base/mem.h"

/* A tunnel that made keys less than three minutes ago works: its endpoint is left alone. */
enum { HANDSHAKE_STALE = 180 };
static const int64_t look_again = SECONDS(10);

static bool is_named(const struct model_link *link)
{
    return link->off == LINK_ON && link->spec->endpoint.host && !link->spec->endpoint.ip.family;
}

static bool is_stale(const struct daemon *d, const struct model_link *link)
{
    json_t *status = json_object();
    int64_t when = 0, now = clock_system.realtime(NULL) / SECONDS(1);
    engine_status(d->engine, link->resource, status);
    const char *text = json_string_value(json_object_get(status, "lastHandshake"));
    bool fresh = text && clock_parse_rfc3339(text, &when) == 0 && now - when <= HANDSHAKE_STALE;
    json_decref(status);
    return !fresh;
}

int64_t links_turn(struct daemon *d)
{
    int64_t now = clock_system.monotonic(NULL), next = INT64_MAX;
    size_t at = 0;
    const struct map_entry *entry;

    if (d->model->links.count == 0)
        return INT64_MAX;
    if (now < d->next_links)
        return d->next_links;
    while ((entry = map_next(&d->model->links, &at))) {
        const struct model_link *link = entry->value;
        struct ip ip;
        if (!is_named(link))
            continue;
        next = now + look_again;
        if (!resolver_find(&d->resolver, link->spec->endpoint.host, &ip) || is_stale(d, link))
            resolver_ask(&d->resolver, link->spec->endpoint.host, now);
    }
    d->next_links = next;
    return next;
}

void links_resolved(void *daemon, const char *name)
{
    struct daemon *d = daemon;
    struct ip ip;
    size_t count;
    if (!resolver_find(&d->resolver, name, &ip) || !inputs_name_resolved(&d->inputs, name, &ip))
        return;
    const struct model_link **links = model_links(d->model, &count);
    for (size_t i = 0; i < count; i++)
        if (is_named(links[i]) && strcmp(links[i]->spec->endpoint.host, name) == 0)
            model_refresh_link(d->model, links[i]->resource->name, &d->inputs.model, turn_mark, d);
    mem_freep(&links);
    turn_arm(d, 0);
}
