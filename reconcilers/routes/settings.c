#include "reconcilers/routes/routes.h"

#include <string.h>

#include "schema/base/mem.h"

/*
 * Which settings of the kernel have to be another:
 *
 * - The machine forwards IPv4.
 * - Reverse path filter. Replies from the internet come out of a link that the routing table does
 *   not lead them back to: it is loose there (2; the larger of "all" and the interface's counts).
 *   Elsewhere it is left as it is; where it is strict, it must see the mark that a packet gets
 *   (`src_valid_mark`). That one is taken back when everything goes; what it was before us is not
 *   known after a restart, but nothing else needs it with a strict filter.
 * - IPv6 forwards by `force_forwarding` on our interfaces and the uplink. A kernel without it has
 *   but the one switch for all, which stops it from taking router advertisements: first those
 *   interfaces whose default route came by one are told to take them in any case. 0 says that a
 *   program takes them instead of the kernel: it stays.
 */
enum { RP_STRICT = 1, RP_LOOSE = 2, RA_TAKEN = 1, RA_TAKEN_ALWAYS = 2 };

struct dues {
    const struct routes_desired *desired;
    const struct routes_observed *observed;
    struct routes_dues *ret;
};

static struct routes_due *add(struct routes_dues *dues)
{
    if (dues->count == dues->capacity) {
        size_t capacity = dues->capacity ? 2 * dues->capacity : 16;
        struct routes_due *list = arena_alloc(dues->arena, capacity * sizeof(*list));
        if (dues->count)
            memcpy(list, dues->list, dues->count * sizeof(*list));
        dues->list = list;
        dues->capacity = capacity;
    }
    return &dues->list[dues->count++];
}

/* NULL: it is that already, or does not exist. */
static struct routes_due *need(struct dues *d, const char *name, long value,
                               const struct routes_interface *interface)
{
    long before;
    if (!routes_setting_value(d->observed, name, &before) || before == value)
        return NULL;
    const struct model_link *link = interface ? interface->link : NULL;
    struct routes_due *due = add(d->ret);
    *due = (struct routes_due){
        .setting.value = value,
        .before = before,
        .owner = link ? routes_link_owner(d->desired->model, link, d->ret->arena)
                      : routes_cell_owner(d->desired->model),
    };
    memcpy(due->setting.name, name, strlen(name) + 1);
    return due;
}

static void need_at(struct dues *d, const struct routes_interface *interface, const char *family,
                    const char *setting, long value)
{
    char name[SETTING_NAME_MAX];
    routes_setting_name(name, family, interface->name, setting);
    need(d, name, value, interface);
}

static long value_at(const struct dues *d, const char *family, const char *scope,
                     const char *setting, long otherwise)
{
    char name[SETTING_NAME_MAX];
    routes_setting_name(name, family, scope, setting);
    routes_setting_value(d->observed, name, &otherwise);
    return otherwise;
}

/* ---- reverse path filter ---- */

static bool is_strict(const struct dues *d, const char *interface)
{
    long all = value_at(d, "ipv4", "all", "rp_filter", 0);
    long own = value_at(d, "ipv4", interface, "rp_filter", 0);
    return (all > own ? all : own) == RP_STRICT;
}

static void need_filter(struct dues *d, const struct routes_interface *interface)
{
    if (interface->link)
        need_at(d, interface, "ipv4", "rp_filter", RP_LOOSE);
    else if (is_strict(d, interface->name) && !value_at(d, "ipv4", "all", "src_valid_mark", 0))
        need_at(d, interface, "ipv4", "src_valid_mark", 1);
}

static void take_back_filter(struct dues *d, const struct routes_interface *interface)
{
    if (!interface->link && is_strict(d, interface->name))
        need_at(d, interface, "ipv4", "src_valid_mark", 0);
}

/* ---- IPv6 ---- */

/* Those that have to take router advertisements in any case, as parts of one step. */
static size_t collect_advertised(const struct dues *d, struct routes_setting *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < d->observed->advertised_count; i++) {
        const char *interface = d->observed->advertised[i];
        if (value_at(d, "ipv6", interface, "accept_ra", RA_TAKEN_ALWAYS) != RA_TAKEN)
            continue;
        routes_setting_name(ret[count].name, "ipv6", interface, "accept_ra");
        ret[count++].value = RA_TAKEN_ALWAYS;
    }
    return count;
}

static void need_forwarding_for_all(struct dues *d)
{
    size_t most = d->observed->advertised_count + 1;
    struct routes_setting *first = arena_alloc(d->ret->arena, most * sizeof(*first));
    size_t count = collect_advertised(d, first);
    struct routes_due *due = need(d, SETTING_FORWARD6, 1, NULL);
    if (due) {
        due->first = first;
        due->first_count = count;
        return;
    }
    for (size_t i = 0; i < count; i++)
        need(d, first[i].name, first[i].value, NULL);
}

static void need_forwarding6(struct dues *d)
{
    if (value_at(d, "ipv6", "all", "force_forwarding", -1) < 0) {
        need_forwarding_for_all(d);
        return;
    }
    for (size_t i = 0; i < d->desired->interface_count; i++) {
        const struct routes_interface *interface = &d->desired->interfaces[i];
        if (interface->ours || interface->uplink6)
            need_at(d, interface, "ipv6", "force_forwarding", 1);
    }
}

void routes_settings_due(const struct routes_desired *desired,
                         const struct routes_observed *observed, struct routes_dues *ret)
{
    struct dues d = {desired, observed, ret};
    for (size_t i = 0; i < desired->interface_count; i++)
        (desired->wanted ? need_filter : take_back_filter)(&d, &desired->interfaces[i]);
    if (!desired->wanted)
        return;
    need(&d, SETTING_FORWARD4, 1, NULL);
    if (desired->ipv6)
        need_forwarding6(&d);
}
