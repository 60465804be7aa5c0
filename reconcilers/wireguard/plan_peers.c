#include "reconcilers/wireguard/inside.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/*
 * The order of the steps. What shrinks or goes does so at once. What comes, or may do more, waits
 * for routes and firewall to have done their part, and so does a peer that goes when an address of
 * its moves to one that comes: it is given to the new one before the old one is taken away, there
 * is no moment without it.
 */
enum phase { PHASE_CHANGE, PHASE_GO, PHASE_COME, PHASE_GO_AFTER };

/* Something to do about a peer. */
struct work {
    enum phase phase;
    const struct wg_pair *pair;
    const struct wg_desired_peer *want;
    const struct wg_seen_peer *seen; /* NULL: not on the device */
};

/* ---- what differs ---- */

static bool holds(const struct prefix *list, size_t count, const struct prefix *prefix)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_compare(&list[i], prefix) == 0)
            return true;
    return false;
}

/* Is a peer of this device to have the prefix? */
static bool is_owned(const struct wg_planner *p, const struct wg_pair *pair,
                     const struct prefix *prefix)
{
    const struct wg_desired_peer *only = pair->want->peers;
    return pair->want->link ? holds(only->allowed, only->allowed_count, prefix)
                            : model_owner(p->model, prefix) != NULL;
}

static size_t collect_missing(const struct wg_desired_peer *want, const struct wg_seen_peer *seen,
                              struct prefix *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < want->allowed_count; i++)
        if (!seen || !holds(seen->allowed, seen->allowed_count, &want->allowed[i]))
            ret[count++] = want->allowed[i];
    return count;
}

/*
 * Superfluous allowed IPs. One that another peer of ours is to have is left out: it moves when it
 * is given to that peer, and taking it away afterwards would take it from its new owner.
 */
static size_t collect_superfluous(const struct wg_planner *p, const struct work *work,
                                  struct prefix *ret)
{
    size_t count = 0;
    for (size_t i = 0; work->seen && i < work->seen->allowed_count; i++)
        if (!is_owned(p, work->pair, &work->seen->allowed[i]))
            ret[count++] = work->seen->allowed[i];
    return count;
}

static bool same_allowed(const struct wg_desired_peer *want, const struct wg_seen_peer *seen)
{
    if (want->allowed_count != seen->allowed_count)
        return false;
    for (size_t i = 0; i < want->allowed_count; i++)
        if (!holds(seen->allowed, seen->allowed_count, &want->allowed[i]))
            return false;
    return true;
}

static uint64_t wanted_hash(const struct wg_desired_peer *want)
{
    return want->preshared_key ? wg_preshared_hash(want->preshared_key) : 0;
}

static struct wg_endpoint wanted_endpoint(const struct wg_pair *pair)
{
    const struct model_link *link = pair->want->link;
    return link ? (struct wg_endpoint){link->endpoint, link->endpoint_port}
                : (struct wg_endpoint){0};
}

static bool endpoint_due(const struct wg_planner *p, const struct wg_pair *pair,
                         const struct wg_seen_peer *seen)
{
    static const struct wg_endpoint nothing;
    struct wg_endpoint wanted = wanted_endpoint(pair);
    return wg_endpoint_due(&wanted, pair->seen ? &pair->seen->told : &nothing, seen,
                           p->observed->now);
}

/* What is sent although nothing differs; see source.c. */
static const struct ip *new_source(const struct wg_pair *pair, const struct wg_seen_peer *seen)
{
    return seen ? wg_new_source(pair->seen, seen) : NULL;
}

static bool is_due(const struct wg_planner *p, const struct work *work)
{
    const struct wg_desired_peer *want = work->want;
    const struct wg_seen_peer *seen = work->seen;
    if (want->leave)
        return false;
    if (!want->wanted)
        return seen;
    return !seen || seen->keepalive != want->keepalive ||
           seen->preshared_hash != wanted_hash(want) || !same_allowed(want, seen) ||
           endpoint_due(p, work->pair, seen) || new_source(work->pair, seen);
}

/* ---- steps ---- */

static struct step *add_step(struct wg_planner *p, enum verb verb, const struct work *work,
                             enum disruption disruption)
{
    const struct wg_desired_device *device = work->pair->want;
    const struct wg_desired_peer *want = work->want;
    char key[MODEL_KEY_MAX];
    const char *cause = want->id && !want->applied ? want->id : CAUSE_DRIFT;
    const char *text = model_peer_key(&want->key, key) + sizeof(MODEL_KEY_PEER) - 1;
    struct step *step;

    if (!device->link)
        step = plan_add(p->plan, verb, key, cause, disruption, "peer %s",
                        want->id ? strchr(want->id, '/') + 1 : text);
    else if (want->wanted)
        step = plan_add(p->plan, verb, device->key, cause, disruption, "peer of %s",
                        device->interface);
    else
        step = plan_add(p->plan, verb, device->key, cause, disruption, "peer %s on %s", text,
                        device->interface);
    step->last = work->phase >= PHASE_COME;
    step->guarded = step->last && want->wanted && want->confined;
    return step;
}

static void note_preshared(struct plan *plan, bool before, bool after)
{
    plan_note(plan, "preshared key", before ? "(secret)" : NULL, after ? "(secret)" : NULL);
}

static void note_endpoint(struct plan *plan, const struct wg_endpoint *before,
                          const struct wg_endpoint *after)
{
    char was[ADDR_TEXT_MAX], is[ADDR_TEXT_MAX];
    plan_note(plan, "endpoint",
              before && before->ip.family ? ip_port_format(&before->ip, before->port, was) : NULL,
              ip_port_format(&after->ip, after->port, is));
}

static void note_changes(struct wg_planner *p, const struct work *work,
                         const struct sys_wg_peer_change *change)
{
    const struct wg_desired_peer *want = work->want;
    const struct wg_seen_peer *seen = work->seen;
    struct wg_endpoint endpoint = {change->endpoint, change->endpoint_port};
    char text[ADDR_TEXT_MAX];

    if (change->allowed_add_count || change->allowed_remove_count)
        wg_note_prefixes(p->plan, "allowed IPs", seen ? seen->allowed : NULL,
                         seen ? seen->allowed_count : 0, want->allowed, want->allowed_count);
    if (change->set_preshared_key)
        note_preshared(p->plan, seen && seen->preshared_hash, want->preshared_key);
    if (change->set_keepalive)
        wg_note_number(p->plan, "keepalive", seen, seen ? seen->keepalive : 0, want->keepalive);
    if (change->set_endpoint && !(seen && wg_endpoint_equal(&seen->endpoint, &endpoint)))
        note_endpoint(p->plan, seen ? &seen->endpoint : NULL, &endpoint);
    const struct ip *source = new_source(work->pair, seen);
    if (source)
        plan_note(p->plan, "our address", NULL, ip_format(source, text));
}

static void plan_on(struct wg_planner *p, const struct work *work)
{
    const struct wg_desired_peer *want = work->want;
    const struct wg_seen_peer *seen = work->seen;
    bool to_send = endpoint_due(p, work->pair, seen);
    struct wg_endpoint endpoint = to_send || !seen ? wanted_endpoint(work->pair) : seen->endpoint;
    size_t most = want->allowed_count + (seen ? seen->allowed_count : 0) + 1;
    struct prefix *add = arena_alloc(&p->plan->arena, 2 * most * sizeof(*add)), *drop = add + most;
    struct sys_wg_peer_change change = {
        .public_key = want->key,
        .create = !seen,
        .set_preshared_key = (seen ? seen->preshared_hash : 0) != wanted_hash(want),
        .set_keepalive = (seen ? seen->keepalive : 0) != want->keepalive,
        .keepalive = want->keepalive,
        .set_endpoint = to_send || new_source(work->pair, seen),
        .endpoint = endpoint.ip,
        .endpoint_port = endpoint.port,
        .allowed_add = add,
        .allowed_add_count = collect_missing(want, seen, add),
        .allowed_remove = drop,
        .allowed_remove_count = collect_superfluous(p, work, drop),
    };

    if (seen && !change.allowed_add_count && !change.allowed_remove_count &&
        !change.set_preshared_key && !change.set_keepalive && !change.set_endpoint)
        return; /* what it has too much moves with another peer's step */
    add_step(p, seen ? VERB_UPDATE : VERB_CREATE, work,
             seen && change.set_preshared_key ? DISRUPTION_RESTART : DISRUPTION_NONE);
    note_changes(p, work, &change);

    struct wg_action *action = wg_action_new(p, WG_ACTION_PEER, work->pair->want->interface, 0);
    action->peer = change;
    if (want->preshared_key)
        action->peer.preshared_key = *want->preshared_key;
}

static void plan_off(struct wg_planner *p, const struct work *work)
{
    add_step(p, VERB_DELETE, work, DISRUPTION_NONE);
    wg_note_prefixes(p->plan, "allowed IPs", work->seen->allowed, work->seen->allowed_count, NULL,
                     0);
    struct wg_action *action = wg_action_new(p, WG_ACTION_PEER, work->pair->want->interface, 0);
    action->peer.public_key = work->seen->key;
    action->peer.remove = true;
}

/* ---- which, and in what order ---- */

struct works {
    struct work *list;
    size_t count, capacity;
    struct arena strangers; /* what is wanted of peers that nobody wrote down */
};

static enum phase phase_of(const struct wg_planner *p, const struct work *work)
{
    const struct wg_desired_peer *want = work->want;
    const struct wg_seen_peer *seen = work->seen;

    if (want->wanted) {
        bool more = !seen;
        for (size_t i = 0; !more && i < want->allowed_count; i++)
            more = !holds(seen->allowed, seen->allowed_count, &want->allowed[i]);
        return more ? PHASE_COME : PHASE_CHANGE;
    }
    for (size_t i = 0; i < seen->allowed_count; i++)
        if (is_owned(p, work->pair, &seen->allowed[i]))
            return PHASE_GO_AFTER;
    return PHASE_GO;
}

static void consider(const struct wg_planner *p, struct works *works, struct work work)
{
    if (!is_due(p, &work))
        return;
    works->list = mem_grow(works->list, works->count, &works->capacity, sizeof(*works->list));
    work.phase = phase_of(p, &work);
    works->list[works->count++] = work;
}

static bool is_written_down(const struct wg_planner *p, const struct wg_pair *pair,
                            const struct wgkey *key)
{
    return pair->want->link ? wgkey_equal(&pair->want->peers->key, key)
                            : model_peer_by_key(p->model, key) != NULL;
}

/* Peers that nobody wrote down: somebody's hands on our device, or a manifest that went while
 * nobody looked. */
static void consider_strangers(const struct wg_planner *p, struct works *works,
                               const struct wg_pair *pair)
{
    size_t at = 0;
    const struct map_entry *entry;

    while ((entry = map_next(&pair->seen->peers, &at))) {
        const struct wg_seen_peer *seen = entry->value;
        if (is_written_down(p, pair, &seen->key))
            continue;
        const struct model_departed *departed = model_departed(p->model, &seen->key);
        struct wg_desired_peer *want = arena_alloc(&works->strangers, sizeof(*want));
        *want = (struct wg_desired_peer){.key = seen->key};
        if (pair->want->link && !pair->want->applied)
            want->id = pair->want->id;
        else if (!pair->want->link && departed)
            want->id = departed->id;
        consider(p, works, (struct work){.pair = pair, .want = want, .seen = seen});
    }
}

static int by_order(const void *a, const void *b)
{
    const struct work *x = a, *y = b;
    if (x->phase != y->phase)
        return x->phase < y->phase ? -1 : 1;
    if (x->pair != y->pair)
        return x->pair < y->pair ? -1 : 1;
    const char *x_id = x->want->id ? x->want->id : "", *y_id = y->want->id ? y->want->id : "";
    int order = strcmp(x_id, y_id);
    return order ? order : memcmp(&x->want->key, &y->want->key, WGKEY_LEN);
}

void wg_plan_peers(struct wg_planner *p, const struct wg_pair *pairs, size_t count)
{
    struct works works = {0};
    arena_init(&works.strangers, 1024);

    for (size_t i = 0; i < count; i++) {
        const struct wg_desired_device *device = pairs[i].want;
        for (size_t j = 0; j < device->peer_count; j++) {
            const struct wg_desired_peer *want = &device->peers[j];
            const struct wg_seen_peer *seen =
                pairs[i].seen ? map_get(&pairs[i].seen->peers, &want->key, WGKEY_LEN) : NULL;
            consider(p, &works, (struct work){.pair = &pairs[i], .want = want, .seen = seen});
        }
        if (device->every_peer && pairs[i].seen)
            consider_strangers(p, &works, &pairs[i]);
    }
    if (works.count > 1)
        qsort(works.list, works.count, sizeof(*works.list), by_order);
    for (size_t i = 0; i < works.count; i++) {
        if (works.list[i].want->wanted)
            plan_on(p, &works.list[i]);
        else
            plan_off(p, &works.list[i]);
    }
    mem_freep(&works.list);
    arena_clear(&works.strangers);
}
