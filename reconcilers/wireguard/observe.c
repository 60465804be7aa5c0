#include "reconcilers/wireguard/wireguard.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"

/* ---- life ---- */

void *wg_observed_new(void)
{
    return mem_alloc(sizeof(struct wg_observed));
}

static void forget_silence(struct wg_seen_device *device)
{
    error_free(device->silence);
    device->silence = NULL;
}

/* All but the link. */
static void forget_inside(struct wg_seen_device *device)
{
    forget_silence(device);
    wg_forget_peers(device);
    sys_addrs_clear(&device->addrs);
    wgkey_wipe(&device->device.private_key);
    device->answers = false;
}

static void device_free(struct wg_seen_device *device)
{
    forget_inside(device);
    mem_freep(&device);
}

void wg_observed_free(void *observed)
{
    struct wg_observed *o = observed;
    size_t at = 0;
    const struct map_entry *entry;
    if (!o)
        return;
    while ((entry = map_next(&o->devices, &at)))
        device_free(entry->value);
    map_clear(&o->devices);
    mem_freep(&o);
}

const struct wg_seen_device *wg_seen_device(const struct wg_observed *observed,
                                            const char *interface)
{
    const struct wg_seen_device *device = map_get_text(&observed->devices, interface);
    return device && !device->foreign ? device : NULL;
}

/* ---- whose is it ---- */

/* By group, which it has from birth, or by alias. An alias of another cell says no; any other alias
 * is somebody's scribble on our link. */
static bool has_our_mark(const struct model *model, const struct sys_link *link)
{
    char alias[64];
    if (strcmp(link->alias, wg_alias(model, alias)) == 0)
        return true;
    return link->group == SYS_OWNER && strncmp(link->alias, "pic:", 4) != 0;
}

static bool is_ours(const struct model *model, const struct sys_link *link)
{
    bool wireguard = strcmp(link->kind, "tun") == 0 || strcmp(link->kind, "wireguard") == 0;
    return wireguard && has_our_mark(model, link);
}

static bool need_name(const struct model *model, const char *name)
{
    const struct model_cell *cell = &model->cell;
    return (cell->spec && strcmp(cell->spec->interface, name) == 0) ||
           model_link_by_interface(model, name);
}

/* ---- one device ---- */

static struct wg_seen_device *enter(struct wg_observed *o, const struct sys_link *link)
{
    struct wg_seen_device *device = map_get_text(&o->devices, link->name);
    if (!device) {
        device = mem_alloc(sizeof(*device));
        device->link = *link;
        map_put_text(&o->devices, device->link.name, device);
    }
    if (device->link.index != link->index)
        forget_inside(device);
    device->link = *link;
    device->round = o->round;
    return device;
}

static void see_peer(const struct sys_wg_peer *reported, void *context)
{
    wg_see_peer(context, reported);
}

/* What its peer was told last: once we have found it, it is not what it roamed to since. */
static void note_told(struct wg_seen_device *device, const struct model_link *link)
{
    const struct wg_seen_peer *peer = map_get(&device->peers, &link->spec->public_key, WGKEY_LEN);
    struct wg_endpoint wanted = {link->endpoint, link->endpoint_port};
    if (peer &&
        (wg_endpoint_equal(&peer->endpoint, &wanted) || (link->applied && !device->told.ip.family)))
        device->told = wanted;
}

static int read_device(struct sys *sys, struct wg_seen_device *device, struct error **reterr)
{
    const struct sys_link *link = &device->link;
    int result = sys_addr_list(sys, link->index, &device->addrs, reterr);
    if (result < 0 || result == SYS_ABSENT)
        return result;
    return sys_wg_get(sys, link->name, &device->device, see_peer, device, reterr);
}

/* One that cannot be read does not keep us from the others: why is noted, and what was known of it
 * stays. */
static void observe_device(struct sys *sys, const struct model *model, const struct wg_observed *o,
                           struct wg_seen_device *device)
{
    const struct model_link *link = model_link_by_interface(model, device->link.name);

    forget_silence(device);
    wg_note_sources(sys, o, device, link);
    int result = read_device(sys, device, &device->silence);
    if (result < 0)
        return;
    device->answers = result != SYS_ABSENT;
    wg_forget_unseen(device);
    if (link)
        note_told(device, link);
}

/* ---- all of them ---- */

static void forget_gone(struct wg_observed *o)
{
    struct wg_seen_device *gone;
    do {
        size_t at = 0;
        const struct map_entry *entry;
        gone = NULL;
        while (!gone && (entry = map_next(&o->devices, &at)))
            if (((struct wg_seen_device *)entry->value)->round != o->round)
                gone = entry->value;
        if (gone) {
            map_remove_text(&o->devices, gone->link.name);
            device_free(gone);
        }
    } while (gone);
}

int wg_observe(struct sys *sys, const struct model *model, void *observed, struct error **reterr)
{
    struct wg_observed *o = observed;
    __attribute__((cleanup(sys_links_clear))) struct sys_links links = {0};

    int result = sys_link_list(sys, &links, reterr);
    if (result < 0)
        return result;
    o->round++;
    o->now = clock_system.realtime(clock_system.context) / SECONDS(1);
    wg_look_at_sources(sys, o);
    for (size_t i = 0; i < links.count; i++) {
        const struct sys_link *link = &links.list[i];
        bool ours = is_ours(model, link);
        if (!ours && !need_name(model, link->name))
            continue;
        struct wg_seen_device *device = enter(o, link);
        device->foreign = !ours;
        if (!ours)
            forget_inside(device);
        else
            observe_device(sys, model, o, device);
    }
    forget_gone(o);
    o->looked = true;
    return 0;
}

/* Steps on the link are not folded in: the engine reads again after them. So a device that was made
 * by the same plan is not known here. */
void wg_learn(void *observed, const struct plan *plan, size_t from, size_t to)
{
    const struct wg_observed *o = observed;
    for (size_t i = from; i < to; i++) {
        const struct wg_action *action = plan->steps[i].action;
        struct wg_seen_device *device = map_get_text(&o->devices, action->interface);
        if (action->type == WG_ACTION_PEER && device)
            wg_learn_peer(device, &action->peer);
    }
}
