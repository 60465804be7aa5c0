#include "reconcilers/wireguard/inside.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

struct wg_action *wg_action_new(struct wg_planner *p, enum wg_action_type type,
                                const char *interface, int index)
{
    struct wg_action *action = arena_alloc(&p->plan->arena, sizeof(*action));
    action->type = type;
    action->index = index;
    snprintf(action->interface, sizeof(action->interface), "%s", interface);
    p->plan->steps[p->plan->count - 1].action = action;
    return action;
}

void wg_note_number(struct plan *plan, const char *field, bool has_before, unsigned before,
                    unsigned after)
{
    char was[16], is[16];
    snprintf(was, sizeof(was), "%u", before);
    snprintf(is, sizeof(is), "%u", after);
    plan_note(plan, field, has_before ? was : NULL, is);
}

void wg_note_prefixes(struct plan *plan, const char *field, const struct prefix *before,
                      size_t before_count, const struct prefix *after, size_t after_count)
{
    STRBUF_AUTO was = STRBUF_INIT;
    STRBUF_AUTO is = STRBUF_INIT;
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < before_count; i++)
        strbuf_printf(&was, "%s%s", i ? ", " : "", prefix_format(&before[i], text));
    for (size_t i = 0; i < after_count; i++)
        strbuf_printf(&is, "%s%s", i ? ", " : "", prefix_format(&after[i], text));
    plan_note(plan, field, before_count ? was.text : NULL, after_count ? is.text : NULL);
}

static struct step *add_step(struct wg_planner *p, enum verb verb,
                             const struct wg_desired_device *want, enum disruption disruption,
                             const char *what)
{
    return plan_add(p->plan, verb, want->key, want->applied ? CAUSE_DRIFT : want->id, disruption,
                    "%s %s", what, want->interface);
}

/* ---- in the way ---- */

static void refuse(struct wg_planner *p, const struct wg_desired_device *want,
                   const struct error *why)
{
    add_step(p, VERB_UPDATE, want, DISRUPTION_NONE, "obstacle at")->needed = !want->link;
    plan_note(p->plan, "refused", NULL, why->message);
    struct wg_action *action = wg_action_new(p, WG_ACTION_REFUSE, want->interface, 0);
    action->refusal = *why;
    action->refusal.message = arena_strdup(&p->plan->arena, why->message);
}

static void refuse_foreign(struct wg_planner *p, const struct wg_desired_device *want,
                           const struct sys_link *link)
{
    struct error why = {
        .class = ERROR_CONFLICT,
        .errnum = EEXIST,
        .message = arena_printf(
            &p->plan->arena,
            "interface \"%s\" exists and is not ours (kind \"%s\", alias \"%s\"): remove it, or "
            "give the %s",
            link->name, link->kind, link->alias,
            want->link ? "Link another name" : "Cell another wireguard.interface"),
    };
    refuse(p, want, &why);
}

/* ---- the interface ---- */

static struct sys_wg_device_change wanted_device(const struct wg_planner *p,
                                                 const struct wg_desired_device *want)
{
    return (struct sys_wg_device_change){
        .set_private_key = true,
        .set_listen_port = true,
        .private_key = p->model->cell.private_key,
        .listen_port = want->listen_port,
    };
}

static struct sys_link_change wanted_link(const struct wg_planner *p,
                                          const struct wg_desired_device *want)
{
    return (struct sys_link_change){
        .set_mtu = true,
        .set_up = true,
        .set_group = true,
        .set_alias = true,
        .mtu = want->mtu,
        .up = true,
        .group = SYS_OWNER,
        .alias = arena_strdup(&p->plan->arena, p->desired->alias),
    };
}

/* One step, so that what fails of it is one trouble, and nothing builds on a half. */
static void plan_create(struct wg_planner *p, const struct wg_desired_device *want)
{
    add_step(p, VERB_CREATE, want, DISRUPTION_NONE, "interface")->needed = !want->link;
    plan_note(p->plan, "private key", NULL, "(secret)");
    wg_note_number(p->plan, "listen port", false, 0, want->listen_port);
    wg_note_number(p->plan, "mtu", false, 0, want->mtu);
    wg_note_prefixes(p->plan, "addresses", NULL, 0, want->addresses, want->address_count);

    struct wg_setup *setup = &wg_action_new(p, WG_ACTION_CREATE, want->interface, 0)->setup;
    setup->device = wanted_device(p, want);
    setup->link = wanted_link(p, want);
    memcpy(setup->addresses, want->addresses, sizeof(setup->addresses));
    setup->address_count = want->address_count;
    setup->prefix_route = want->prefix_route;
}

static void plan_device(struct wg_planner *p, const struct wg_desired_device *want,
                        const struct wg_seen_device *seen)
{
    const struct sys_wg_device *has = &seen->device;
    bool key = !wgkey_equal(&has->private_key, &p->model->cell.private_key);
    bool port = has->listen_port != want->listen_port;
    bool fwmark = has->fwmark != 0;

    if (!key && !port && !fwmark)
        return;
    add_step(p, VERB_UPDATE, want, DISRUPTION_RESTART, "device");
    if (key)
        plan_note(p->plan, "private key", "(secret)", "(secret)");
    if (port)
        wg_note_number(p->plan, "listen port", true, has->listen_port, want->listen_port);
    if (fwmark)
        wg_note_number(p->plan, "fwmark", true, has->fwmark, 0);

    struct sys_wg_device_change *change =
        &wg_action_new(p, WG_ACTION_DEVICE, want->interface, seen->link.index)->setup.device;
    *change = wanted_device(p, want);
    change->set_private_key = key;
    change->set_listen_port = port;
    change->set_fwmark = fwmark;
}

static void plan_link(struct wg_planner *p, const struct wg_desired_device *want,
                      const struct wg_seen_device *seen)
{
    const struct sys_link *has = &seen->link;
    const char *alias = p->desired->alias;
    bool mtu = has->mtu != want->mtu;
    bool group = has->group != SYS_OWNER;
    bool rename = strcmp(has->alias, alias) != 0;

    if (!mtu && has->up && !group && !rename)
        return;
    add_step(p, VERB_UPDATE, want, DISRUPTION_RELOAD, "link");
    if (mtu)
        wg_note_number(p->plan, "mtu", true, has->mtu, want->mtu);
    if (!has->up)
        plan_note(p->plan, "state", "down", "up");
    if (group)
        wg_note_number(p->plan, "group", true, has->group, SYS_OWNER);
    if (rename)
        plan_note(p->plan, "alias", *has->alias ? has->alias : NULL, alias);

    struct sys_link_change *change =
        &wg_action_new(p, WG_ACTION_LINK, want->interface, has->index)->setup.link;
    *change = wanted_link(p, want);
    change->set_mtu = mtu;
    change->set_up = !has->up;
    change->set_group = group;
    change->set_alias = rename;
}

/* ---- addresses ---- */

static void plan_address(struct wg_planner *p, enum verb verb, const struct wg_pair *pair,
                         const struct prefix *prefix)
{
    char text[ADDR_TEXT_MAX];
    const struct wg_desired_device *want = pair->want;
    bool comes = verb == VERB_CREATE;
    plan_add(p->plan, verb, want->key, want->applied ? CAUSE_DRIFT : want->id,
             comes ? DISRUPTION_NONE : DISRUPTION_RECREATE, "address %s on %s",
             prefix_format(prefix, text), want->interface);
    struct wg_action *action =
        wg_action_new(p, comes ? WG_ACTION_ADDRESS_ADD : WG_ACTION_ADDRESS_DELETE, want->interface,
                      pair->seen->link.index);
    action->setup.addresses[0] = *prefix;
    action->setup.prefix_route = want->prefix_route;
}

static bool wants(const struct wg_desired_device *want, const struct prefix *prefix)
{
    for (size_t i = 0; i < want->address_count; i++)
        if (prefix_compare(&want->addresses[i], prefix) == 0)
            return true;
    return false;
}

static bool has(const struct sys_addrs *addrs, const struct prefix *prefix)
{
    for (size_t i = 0; i < addrs->count; i++)
        if (prefix_compare(&addrs->list[i].prefix, prefix) == 0)
            return true;
    return false;
}

/* New ones first: the cell is never without an address. Link-local ones are the kernel's. */
static void plan_addresses(struct wg_planner *p, const struct wg_pair *pair)
{
    const struct wg_desired_device *want = pair->want;
    const struct sys_addrs *seen = &pair->seen->addrs;

    for (size_t i = 0; i < want->address_count; i++)
        if (!has(seen, &want->addresses[i]))
            plan_address(p, VERB_CREATE, pair, &want->addresses[i]);
    for (size_t i = 0; i < seen->count; i++)
        if (!seen->list[i].link_local && !wants(want, &seen->list[i].prefix))
            plan_address(p, VERB_DELETE, pair, &seen->list[i].prefix);
}

/* ---- one that is wanted ---- */

/* Returns whether there will be a device to put peers on. */
static bool plan_wanted(struct wg_planner *p, struct wg_pair *pair)
{
    const struct wg_desired_device *want = pair->want;
    const struct wg_seen_device *seen = map_get_text(&p->observed->devices, want->interface);

    if (seen && seen->foreign) {
        refuse_foreign(p, want, &seen->link);
        return false;
    }
    if (seen && seen->silence) {
        refuse(p, want, seen->silence);
        return false;
    }
    if (!seen || !seen->answers) {
        plan_create(p, want);
        return true;
    }
    pair->seen = seen;
    if (want->due) {
        plan_device(p, want, seen);
        plan_link(p, want, seen);
        plan_addresses(p, pair);
    }
    return true;
}

/* ---- one that goes ---- */

static const char *cause_of_end(const struct wg_planner *p, const char *interface)
{
    const struct model *model = p->model;
    const struct model_departed_link *departed = model_departed_link(model, interface);
    const struct model_link *link = model_link_by_interface(model, interface);
    const char *former = model->cell.former_interface;

    if (model->teardown)
        return "teardown";
    if (!model->cell.resource)
        return "Cell removed";
    if (departed)
        return departed->id;
    if (link && !link->applied)
        return link->resource->id;
    return former && strcmp(former, interface) == 0 ? model->cell.resource->id : CAUSE_DRIFT;
}

static void plan_delete(struct wg_planner *p, const struct wg_seen_device *seen)
{
    const char *interface = seen->link.name;
    bool of_link = strncmp(interface, WG_LINK_PREFIX, sizeof(WG_LINK_PREFIX) - 1) == 0;
    char key[MODEL_KEY_MAX];
    plan_add(p->plan, VERB_DELETE, of_link ? model_link_key(interface, key) : MODEL_KEY_CELL,
             cause_of_end(p, interface), DISRUPTION_RECREATE, "interface %s", interface);
    wg_action_new(p, WG_ACTION_DELETE, interface, seen->link.index);
}

static bool is_named(const struct wg_desired *desired, const char *interface)
{
    for (size_t i = 0; i < desired->device_count; i++)
        if (strcmp(desired->devices[i].interface, interface) == 0)
            return true;
    return false;
}

static int by_name(const void *a, const void *b)
{
    const struct wg_seen_device *x = a, *y = b;
    return strcmp(x->link.name, y->link.name);
}

/* Interfaces of ours that no resource speaks of: of links and of a Cell that are gone, or renamed.
 */
static void plan_strays(struct wg_planner *p)
{
    MEM_AUTO void **list = map_sorted(&p->observed->devices, by_name);
    for (size_t i = 0; i < p->observed->devices.count; i++) {
        const struct wg_seen_device *seen = list[i];
        if (!seen->foreign && !is_named(p->desired, seen->link.name))
            plan_delete(p, seen);
    }
}

static void plan_gone(struct wg_planner *p, const struct wg_desired_device *want)
{
    const struct wg_seen_device *seen = wg_seen_device(p->observed, want->interface);
    if (seen)
        plan_delete(p, seen);
}

/* ---- all of it ---- */

/*
 * What goes makes room first, of names and of ports. Then interfaces as a whole, one after the
 * other, and what is on them: see plan_peers.c.
 */
void wg_plan(const void *desired, const void *observed, struct plan *plan)
{
    const struct wg_desired *d = desired;
    const struct wg_observed *o = observed;
    struct wg_planner p = {.desired = d, .model = d->model, .observed = o, .plan = plan};

    if (d->nothing_due || !o->looked)
        return;
    if (d->every_device)
        plan_strays(&p);
    for (size_t i = 0; i < d->device_count; i++)
        if (d->devices[i].wish == WG_GONE)
            plan_gone(&p, &d->devices[i]);
    MEM_AUTO struct wg_pair *pairs = mem_alloc((d->device_count + 1) * sizeof(*pairs));
    size_t count = 0;
    for (size_t i = 0; i < d->device_count; i++) {
        pairs[count] = (struct wg_pair){.want = &d->devices[i]};
        if (d->devices[i].wish == WG_WANTED)
            count += plan_wanted(&p, &pairs[count]);
    }
    wg_plan_peers(&p, pairs, count);
}
