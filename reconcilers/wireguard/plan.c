#include "reconcilers/wireguard/wireguard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

struct planner {
    const struct wg_desired *desired;
    const struct model *model;
    const struct wg_observed *observed;
    struct plan *plan;
    bool fresh; /* the interface does not exist yet: an earlier step makes it */
};

static struct wg_action *action_new(struct planner *p, enum wg_action_type type)
{
    struct wg_action *action = arena_alloc(&p->plan->arena, sizeof(*action));
    action->type = type;
    action->index = p->fresh ? 0 : p->observed->link.index;
    if (p->model->cell.spec)
        snprintf(action->interface, sizeof(action->interface), "%s",
                 p->model->cell.spec->interface);
    p->plan->steps[p->plan->count - 1].action = action;
    return action;
}

static const char *cell_cause(const struct planner *p)
{
    const struct model_cell *cell = &p->model->cell;
    return cell->applied || !cell->resource ? CAUSE_DRIFT : cell->resource->id;
}

static void add_cell_step(struct planner *p, enum verb verb, enum disruption disruption,
                          const char *what)
{
    plan_add(p->plan, verb, MODEL_KEY_CELL, cell_cause(p), disruption, "%s %s", what,
             p->model->cell.spec->interface);
}

/* ---- the interface ---- */

static void plan_delete(struct planner *p, const char *interface, int index)
{
    const char *cause = p->model->teardown        ? "teardown"
                        : p->model->cell.resource ? p->model->cell.resource->id
                                                  : "Cell removed";
    plan_add(p->plan, VERB_DELETE, MODEL_KEY_CELL, cause, DISRUPTION_RECREATE, "interface %s",
             interface);
    struct wg_action *action = action_new(p, WG_ACTION_DELETE);
    snprintf(action->interface, sizeof(action->interface), "%s", interface);
    action->index = index;
}

static void plan_create(struct planner *p)
{
    add_cell_step(p, VERB_CREATE, DISRUPTION_NONE, "interface");
    p->plan->steps[p->plan->count - 1].needed = true;
    p->fresh = true;
    action_new(p, WG_ACTION_CREATE);
}

static void note_number(struct plan *plan, const char *field, bool has_before, unsigned before,
                        unsigned after)
{
    char was[16], is[16];
    snprintf(was, sizeof(was), "%u", before);
    snprintf(is, sizeof(is), "%u", after);
    plan_note(plan, field, has_before ? was : NULL, is);
}

static void plan_device(struct planner *p)
{
    const struct model_cell *cell = &p->model->cell;
    const struct sys_wg_device *seen = &p->observed->device;
    struct sys_wg_device_change change = {
        .set_private_key = p->fresh || !wgkey_equal(&seen->private_key, &cell->private_key),
        .set_listen_port = p->fresh || seen->listen_port != cell->spec->listen_port,
        .set_fwmark = !p->fresh && seen->fwmark != 0,
        .private_key = cell->private_key,
        .listen_port = cell->spec->listen_port,
    };
    if (!change.set_private_key && !change.set_listen_port && !change.set_fwmark)
        return;
    add_cell_step(p, p->fresh ? VERB_CREATE : VERB_UPDATE,
                  p->fresh ? DISRUPTION_NONE : DISRUPTION_RESTART, "device");
    if (change.set_private_key)
        plan_note(p->plan, "private key", p->fresh ? NULL : "(secret)", "(secret)");
    if (change.set_listen_port)
        note_number(p->plan, "listen port", !p->fresh, seen->listen_port, change.listen_port);
    if (change.set_fwmark)
        note_number(p->plan, "fwmark", true, seen->fwmark, 0);
    action_new(p, WG_ACTION_DEVICE)->device = change;
}

static void plan_link(struct planner *p)
{
    const struct model_cell *cell = &p->model->cell;
    const struct sys_link *seen = &p->observed->link;
    char alias[64];
    wg_alias(p->model, alias);
    struct sys_link_change change = {
        .set_mtu = p->fresh || seen->mtu != cell->mtu,
        .set_up = p->fresh || !seen->up,
        .set_group = p->fresh || seen->group != SYS_OWNER,
        .set_alias = p->fresh || strcmp(seen->alias, alias) != 0,
        .mtu = cell->mtu,
        .up = true,
        .group = SYS_OWNER,
    };
    if (!change.set_mtu && !change.set_up && !change.set_group && !change.set_alias)
        return;
    add_cell_step(p, VERB_UPDATE, p->fresh ? DISRUPTION_NONE : DISRUPTION_RELOAD, "link");
    if (change.set_mtu)
        note_number(p->plan, "mtu", !p->fresh, seen->mtu, change.mtu);
    if (change.set_up)
        plan_note(p->plan, "state", p->fresh ? NULL : "down", "up");
    if (change.set_group)
        note_number(p->plan, "group", !p->fresh, seen->group, SYS_OWNER);
    if (change.set_alias)
        plan_note(p->plan, "alias", p->fresh || !*seen->alias ? NULL : seen->alias, alias);
    change.alias = arena_strdup(&p->plan->arena, alias);
    action_new(p, WG_ACTION_LINK)->link = change;
}

/* ---- addresses ---- */

struct wanted_addresses {
    struct prefix list[2];
    size_t count;
};

static struct wanted_addresses wanted_addresses(const struct model_cell *cell)
{
    struct wanted_addresses wanted = {.count = 1};
    wanted.list[0] = (struct prefix){cell->address, cell->spec->vpn.len};
    if (cell->address6.family)
        wanted.list[wanted.count++] = (struct prefix){cell->address6, cell->spec->vpn6.len};
    return wanted;
}

static void plan_address(struct planner *p, enum verb verb, const struct prefix *prefix)
{
    char text[ADDR_TEXT_MAX];
    plan_add(p->plan, verb, MODEL_KEY_CELL, cell_cause(p),
             verb == VERB_CREATE ? DISRUPTION_NONE : DISRUPTION_RECREATE, "address %s on %s",
             prefix_format(prefix, text), p->model->cell.spec->interface);
    struct wg_action *action =
        action_new(p, verb == VERB_CREATE ? WG_ACTION_ADDRESS_ADD : WG_ACTION_ADDRESS_DELETE);
    action->address.prefix = *prefix;
    action->address.prefix_route = !(p->model->enforcers >> BY_ROUTES & 1);
}

static bool wants(const struct wanted_addresses *wanted, const struct prefix *prefix)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (prefix_compare(&wanted->list[i], prefix) == 0)
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
static void plan_addresses(struct planner *p)
{
    struct wanted_addresses wanted = wanted_addresses(&p->model->cell);
    const struct sys_addrs *seen = &p->observed->addrs;

    for (size_t i = 0; i < wanted.count; i++)
        if (p->fresh || !has(seen, &wanted.list[i]))
            plan_address(p, VERB_CREATE, &wanted.list[i]);
    for (size_t i = 0; !p->fresh && i < seen->count; i++)
        if (!seen->list[i].link_local && !wants(&wanted, &seen->list[i].prefix))
            plan_address(p, VERB_DELETE, &seen->list[i].prefix);
}

/* ---- peers ---- */

static bool allows(const struct wg_seen_peer *seen, const struct prefix *prefix)
{
    for (size_t i = 0; seen && i < seen->allowed_count; i++)
        if (prefix_compare(&seen->allowed[i], prefix) == 0)
            return true;
    return false;
}

static size_t collect_missing(const struct model_peer *peer, const struct wg_seen_peer *seen,
                              struct prefix *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < peer->allowed_count; i++)
        if (!allows(seen, &peer->allowed[i]))
            ret[count++] = peer->allowed[i];
    return count;
}

/*
 * Superfluous allowed IPs. One that another peer of ours is to have is left out: it moves when it
 * is given to that peer, and taking it away afterwards would take it from its new owner.
 */
static size_t collect_superfluous(const struct model *model, const struct wg_seen_peer *seen,
                                  struct prefix *ret)
{
    size_t count = 0;
    for (size_t i = 0; seen && i < seen->allowed_count; i++)
        if (!model_owner(model, &seen->allowed[i]))
            ret[count++] = seen->allowed[i];
    return count;
}

static bool same_allowed(const struct model_peer *peer, const struct wg_seen_peer *seen)
{
    if (peer->allowed_count != seen->allowed_count)
        return false;
    for (size_t i = 0; i < peer->allowed_count; i++)
        if (!allows(seen, &peer->allowed[i]))
            return false;
    return true;
}

static uint64_t wanted_hash(const struct model_peer *peer)
{
    return peer->preshared_key ? wg_preshared_hash(peer->preshared_key) : 0;
}

static bool is_due(const struct wg_desired_peer *want, const struct wg_seen_peer *seen)
{
    if (want->leave)
        return false;
    if (!want->peer)
        return seen;
    return !seen || seen->keepalive != 0 || seen->preshared_hash != wanted_hash(want->peer) ||
           !same_allowed(want->peer, seen);
}

static void note_prefixes(struct planner *p, const char *field, const struct prefix *before,
                          size_t before_count, const struct prefix *after, size_t after_count)
{
    STRBUF_AUTO was = STRBUF_INIT;
    STRBUF_AUTO is = STRBUF_INIT;
    char text[ADDR_TEXT_MAX];
    for (size_t i = 0; i < before_count; i++)
        strbuf_printf(&was, "%s%s", i ? ", " : "", prefix_format(&before[i], text));
    for (size_t i = 0; i < after_count; i++)
        strbuf_printf(&is, "%s%s", i ? ", " : "", prefix_format(&after[i], text));
    plan_note(p->plan, field, before_count ? was.text : NULL, after_count ? is.text : NULL);
}

static void add_peer_step(struct planner *p, enum verb verb, const struct wg_desired_peer *want,
                          const struct wgkey *key, enum disruption disruption)
{
    char model_key[MODEL_KEY_MAX];
    bool drifted = !want->id || (want->peer && want->peer->applied);
    model_peer_key(key, model_key);
    const char *name =
        want->id ? strchr(want->id, '/') + 1 : model_key + sizeof(MODEL_KEY_PEER) - 1;
    plan_add(p->plan, verb, model_key, drifted ? CAUSE_DRIFT : want->id, disruption, "peer %s",
             name);
}

static void note_preshared(struct planner *p, bool before, bool after)
{
    plan_note(p->plan, "preshared key", before ? "(secret)" : NULL, after ? "(secret)" : NULL);
}

static void plan_peer_on(struct planner *p, const struct wg_desired_peer *want,
                         const struct wg_seen_peer *seen)
{
    const struct model_peer *peer = want->peer;
    struct arena *arena = &p->plan->arena;
    size_t most = peer->allowed_count + (seen ? seen->allowed_count : 0) + 1;
    struct prefix *add = arena_alloc(arena, 2 * most * sizeof(*add)), *drop = add + most;
    size_t adds = collect_missing(peer, seen, add);
    size_t drops = collect_superfluous(p->model, seen, drop);
    bool preshared = (seen ? seen->preshared_hash : 0) != wanted_hash(peer);
    bool keepalive = seen && seen->keepalive != 0;

    if (seen && !adds && !drops && !preshared && !keepalive)
        return; /* what it has too much moves with another peer's step */
    add_peer_step(p, seen ? VERB_UPDATE : VERB_CREATE, want, &want->key,
                  seen && preshared ? DISRUPTION_RESTART : DISRUPTION_NONE);
    if (adds || drops)
        note_prefixes(p, "allowed IPs", seen ? seen->allowed : NULL, seen ? seen->allowed_count : 0,
                      peer->allowed, peer->allowed_count);
    if (preshared)
        note_preshared(p, seen && seen->preshared_hash, peer->preshared_key);
    if (keepalive)
        note_number(p->plan, "keepalive", true, seen->keepalive, 0);

    struct sys_wg_peer_change *change = &action_new(p, WG_ACTION_PEER)->peer;
    *change = (struct sys_wg_peer_change){
        .public_key = want->key,
        .create = !seen,
        .set_preshared_key = preshared,
        .set_keepalive = keepalive,
        .allowed_add = add,
        .allowed_add_count = adds,
        .allowed_remove = drop,
        .allowed_remove_count = drops,
    };
    if (peer->preshared_key)
        change->preshared_key = *peer->preshared_key;
}

static void plan_peer_off(struct planner *p, const struct wg_desired_peer *want,
                          const struct wg_seen_peer *seen)
{
    add_peer_step(p, VERB_DELETE, want, &seen->key, DISRUPTION_NONE);
    note_prefixes(p, "allowed IPs", seen->allowed, seen->allowed_count, NULL, 0);
    struct sys_wg_peer_change *change = &action_new(p, WG_ACTION_PEER)->peer;
    change->public_key = seen->key;
    change->remove = true;
}

static int by_name(const void *a, const void *b)
{
    const struct wg_desired_peer *x = *(const struct wg_desired_peer *const *)a;
    const struct wg_desired_peer *y = *(const struct wg_desired_peer *const *)b;
    const char *x_id = x->id ? x->id : "", *y_id = y->id ? y->id : "";
    int order = strcmp(x_id, y_id);
    return order ? order : memcmp(&x->key, &y->key, WGKEY_LEN);
}

static int by_key(const void *a, const void *b)
{
    const struct wg_seen_peer *const *x = a, *const *y = b;
    return memcmp(&(*x)->key, &(*y)->key, WGKEY_LEN);
}

static const struct wg_seen_peer *find_seen(const struct planner *p, const struct wgkey *key)
{
    return p->fresh ? NULL : map_get(&p->observed->peers, key, WGKEY_LEN);
}

/* Peers that nobody wrote down: somebody's hands on our device. */
static void plan_strangers(struct planner *p, struct arena *scratch)
{
    const struct map *peers = &p->observed->peers;
    const struct wg_seen_peer **list = NULL;
    size_t count = 0, at = 0;
    const struct map_entry *entry;

    while (!p->fresh && (entry = map_next(peers, &at))) {
        const struct wg_seen_peer *seen = entry->value;
        if (model_peer_by_key(p->model, &seen->key))
            continue;
        if (!list)
            list = arena_alloc(scratch, peers->count * sizeof(*list));
        list[count++] = seen;
    }
    if (count > 1)
        qsort(list, count, sizeof(*list), by_key);
    for (size_t i = 0; i < count; i++) {
        const struct model_departed *departed = model_departed(p->model, &list[i]->key);
        struct wg_desired_peer want = {.key = list[i]->key, .id = departed ? departed->id : NULL};
        plan_peer_off(p, &want, list[i]);
    }
}

/*
 * Peers that come or change first, by name; then those that go. An address that moves from one key
 * to another is given to the new one before the old one is taken away: there is no moment without
 * it.
 */
static void plan_peers(struct planner *p)
{
    const struct wg_desired *desired = p->desired;
    struct arena scratch;
    arena_init(&scratch, 4096);
    const struct wg_desired_peer **due = NULL;
    size_t count = 0;

    for (size_t i = 0; i < desired->peer_count; i++) {
        if (!is_due(&desired->peers[i], find_seen(p, &desired->peers[i].key)))
            continue;
        if (!due)
            due = arena_alloc(&scratch, desired->peer_count * sizeof(*due));
        due[count++] = &desired->peers[i];
    }
    if (count > 1)
        qsort(due, count, sizeof(*due), by_name);
    for (size_t i = 0; i < count; i++)
        if (due[i]->peer)
            plan_peer_on(p, due[i], find_seen(p, &due[i]->key));
    for (size_t i = 0; i < count; i++)
        if (!due[i]->peer)
            plan_peer_off(p, due[i], find_seen(p, &due[i]->key));
    if (desired->every_peer)
        plan_strangers(p, &scratch);
    arena_clear(&scratch);
}

void wg_plan(const void *desired, const void *observed, struct plan *plan)
{
    const struct wg_desired *d = desired;
    const struct wg_observed *o = observed;
    struct planner p = {.desired = d, .model = d->model, .observed = o, .plan = plan};

    if (d->nothing_due || !o->looked)
        return;
    if (o->former_index && d->device_due)
        plan_delete(&p, d->model->cell.former_interface, o->former_index);
    if (!d->device_wanted) {
        if (o->present)
            plan_delete(&p, o->link.name, o->link.index);
        return;
    }
    p.fresh = !o->present || !o->answers;
    if (d->device_due || p.fresh) {
        if (p.fresh)
            plan_create(&p);
        plan_device(&p);
        plan_link(&p);
        plan_addresses(&p);
    }
    plan_peers(&p);
}
