#include "reconcilers/model/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"

char *model_link_key(const char *interface, char buf[static MODEL_KEY_MAX])
{
    snprintf(buf, MODEL_KEY_MAX, "%s%s", MODEL_KEY_LINK, interface);
    return buf;
}

void model_mark_link(const struct update *u, const char *interface)
{
    char buf[MODEL_KEY_MAX];
    u->dirty(u->context, model_link_key(interface, buf));
}

/* The "_" keeps shortened names apart from others: no resource name has one. */
char *model_link_interface(const char *name, char buf[static IFNAMSIZ])
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    if (strlen(name) + 3 < IFNAMSIZ) {
        snprintf(buf, IFNAMSIZ, "pl-%s", name);
        return buf;
    }
    uint64_t hash = hash_text(name, 0);
    int at = snprintf(buf, IFNAMSIZ, "pl-%.4s_", name);
    for (; at < IFNAMSIZ - 1; at++, hash >>= 5)
        buf[at] = digits[hash & 31];
    buf[at] = '\0';
    return buf;
}

/* ---- look-ups ---- */

const struct model_link *model_link_by_name(const struct model *model, const char *name)
{
    return map_get_text(&model->links, name);
}

const struct model_link *model_link_by_interface(const struct model *model, const char *interface)
{
    return map_get_text(&model->by_interface, interface);
}

const struct model_departed_link *model_departed_link(const struct model *model,
                                                      const char *interface)
{
    return map_get_text(&model->departed_links, interface);
}

static int by_name(const void *a, const void *b)
{
    const struct model_link *x = a, *y = b;
    return strcmp(x->resource->name, y->resource->name);
}

const struct model_link **model_links(const struct model *model, size_t *retcount)
{
    *retcount = model->links.count;
    return (const struct model_link **)map_sorted(&model->links, by_name);
}

/* ---- entries ---- */

static void link_free(struct model_link *link)
{
    link_clear(link);
    resource_unref(link->resource);
    mem_freep(&link);
}

void link_departed_free(struct model_departed_link *departed)
{
    if (departed)
        resource_unref(departed->resource);
    mem_freep(&departed);
}

void links_free(struct model *model)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&model->links, &at)))
        link_free(entry->value);
    at = 0;
    while ((entry = map_next(&model->departed_links, &at)))
        link_departed_free(entry->value);
    map_clear(&model->links);
    map_clear(&model->by_interface);
    map_clear(&model->departed_links);
}

static void depart(const struct update *u, const struct resource *resource, unsigned number)
{
    struct map *map = &u->model->departed_links;
    struct model_departed_link *departed = mem_alloc(sizeof(*departed));
    model_link_interface(resource->name, departed->interface);
    memcpy(departed->id, resource->id, strlen(resource->id) + 1);
    departed->resource = resource_ref(resource);
    departed->number = number;
    link_departed_free(map_remove_text(map, departed->interface));
    map_put_text(map, departed->interface, departed);
    model_mark_link(u, departed->interface);
}

void links_remove(const struct update *u, const struct resource *before)
{
    struct model *model = u->model;
    struct model_link *link = map_remove_text(&model->links, before->name);

    depart(u, before, link ? link->number : 0);
    if (!link)
        return;
    if (map_get_text(&model->by_interface, link->interface) == link)
        map_remove_text(&model->by_interface, link->interface);
    exits_decide_all(u, before->name);
    link_free(link);
}

void links_put(const struct update *u, const struct resource *resource, bool applied)
{
    struct model *model = u->model;
    struct model_link *link = map_get_text(&model->links, resource->name);

    if (!link) {
        link = mem_alloc(sizeof(*link));
        model_link_interface(resource->name, link->interface);
        map_put_text(&model->by_interface, link->interface, link);
        link_departed_free(map_remove_text(&model->departed_links, link->interface));
    }
    struct resource *former = link->resource;
    link->resource = resource_ref(resource);
    link->spec = resource->spec;
    link->applied = applied;
    link->due = true;
    map_put_text(&model->links, link->resource->name, link); /* the key lies in the resource */
    resource_unref(former);
}

void links_all_due(struct model *model)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&model->links, &at)))
        ((struct model_link *)entry->value)->due = true;
}

/* ---- numbers and ports ---- */

static unsigned number_at(unsigned place)
{
    unsigned number = place + 1;
    return number + (number >= LINK_NUMBER_LEFT_OUT);
}

/* Bit n: the number n is taken, by a link or by what is left of one. */
static uint64_t taken_numbers(const struct model *model)
{
    uint64_t taken = 0;
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&model->links, &at)))
        taken |= UINT64_C(1) << ((const struct model_link *)entry->value)->number;
    at = 0;
    while ((entry = map_next(&model->departed_links, &at)))
        taken |= UINT64_C(1) << ((const struct model_departed_link *)entry->value)->number;
    return taken;
}

/* Who has a number keeps it: its mark is on packets that are under way. */
static void give_numbers(struct model_link **list, size_t count, uint64_t taken)
{
    for (size_t i = 0; i < count; i++) {
        struct model_link *link = list[i];
        unsigned start = (unsigned)(hash_text(link->resource->name, 0) % LINKS_MAX);
        for (unsigned place = 0; place < LINKS_MAX && !link->number; place++) {
            unsigned number = number_at((start + place) % LINKS_MAX);
            if (taken >> number & 1)
                continue;
            taken |= UINT64_C(1) << number;
            link->number = number;
            link->due = true;
        }
    }
}

struct ports {
    uint64_t taken[(UINT16_MAX + 1) / 64];
};

static void take_port(struct ports *ports, uint16_t port)
{
    ports->taken[port / 64] |= UINT64_C(1) << port % 64;
}

static bool port_is_taken(void *context, uint16_t port)
{
    const struct ports *ports = context;
    return ports->taken[port / 64] >> port % 64 & 1;
}

/* Follows from the name, so that an invite made before the Link exists names the same; 0: none is
 * free. */
static uint16_t port_of_name(const char *name, const struct cell_spec *cell,
                             bool (*taken)(void *context, uint16_t port), void *context)
{
    uint32_t count = (uint32_t)cell->link_ports.last - cell->link_ports.first + 1;
    uint32_t start = (uint32_t)(hash_text(name, 0) % count);
    for (uint32_t i = 0; i < count; i++) {
        uint16_t port = (uint16_t)(cell->link_ports.first + (start + i) % count);
        if (!taken(context, port))
            return port;
    }
    return 0;
}

/* Written ones first, then the others by name: the result depends on the manifests alone. */
static void give_ports(const struct cell_spec *cell, struct model_link **list, size_t count)
{
    struct ports ports = {0};
    take_port(&ports, cell->listen_port);
    for (size_t i = 0; i < count; i++)
        if (list[i]->spec->listen_port)
            take_port(&ports, list[i]->spec->listen_port);
    for (size_t i = 0; i < count; i++) {
        struct model_link *link = list[i];
        uint16_t port = link->spec->listen_port;
        link->port_given = !port;
        if (!port)
            port = port_of_name(link->resource->name, cell, port_is_taken, &ports);
        if (port)
            take_port(&ports, port);
        link->due |= port != link->listen_port;
        link->listen_port = port;
    }
}

void links_resolve(const struct update *u, bool all)
{
    struct model *model = u->model;
    struct model_link **list = (struct model_link **)map_sorted(&model->links, by_name);
    size_t count = model->links.count;

    if (model->cell.resource) {
        give_numbers(list, count, taken_numbers(model));
        give_ports(model->cell.spec, list, count);
        for (size_t i = 0; i < count; i++)
            if (all || list[i]->due)
                link_resolve(u, list[i]);
    }
    mem_freep(&list);
}
