#include "reconcilers/wireguard/wireguard.h"

#include <errno.h>

#include "schema/base/mem.h"

/* The link's index: an earlier step of the same plan may have made it. */
static int find_index(struct sys *sys, const struct wg_action *action, int *ret,
                      struct error **reterr)
{
    struct sys_link link;
    if (action->index) {
        *ret = action->index;
        return 0;
    }
    int result = sys_link_get(sys, action->interface, &link, reterr);
    if (result == SYS_ABSENT)
        return error_make(reterr, ENODEV, "interface \"%s\" vanished", action->interface);
    if (result == 0)
        *ret = link.index;
    return result;
}

static int vanished(int result, const struct wg_action *action, struct error **reterr)
{
    if (result != SYS_ABSENT)
        return result;
    return error_make(reterr, ENODEV, "interface \"%s\" vanished", action->interface);
}

static int apply_one(struct sys *sys, const struct wg_action *action, struct error **reterr)
{
    int index = 0;
    int result;

    switch (action->type) {
    case WG_ACTION_CREATE:
        return sys_wg_create(sys, action->interface, reterr);
    case WG_ACTION_DELETE:
        result = sys_link_delete(sys, action->index, reterr);
        return result == SYS_ABSENT ? 0 : result;
    case WG_ACTION_DEVICE:
        return vanished(sys_wg_set(sys, action->interface, &action->device, NULL, 0, reterr),
                        action, reterr);
    case WG_ACTION_LINK:
        result = find_index(sys, action, &index, reterr);
        return result < 0
                   ? result
                   : vanished(sys_link_set(sys, index, &action->link, reterr), action, reterr);
    case WG_ACTION_ADDRESS_ADD:
        result = find_index(sys, action, &index, reterr);
        return result < 0 ? result
                          : sys_addr_add(sys, index, &action->address.prefix,
                                         action->address.prefix_route, reterr);
    case WG_ACTION_ADDRESS_DELETE:
        return sys_addr_delete(sys, action->index, &action->address.prefix, reterr);
    case WG_ACTION_PEER:
        return vanished(sys_wg_set(sys, action->interface, NULL, &action->peer, 1, reterr), action,
                        reterr);
    }
    return 0;
}

static const struct wg_action *action_at(const struct plan *plan, size_t i)
{
    return plan->steps[i].action;
}

/* Neighbouring peer steps go in one message. */
static int apply_peers(struct sys *sys, const struct plan *plan, size_t from, size_t to,
                       struct error **reterr)
{
    struct sys_wg_peer_change *changes = mem_alloc((to - from) * sizeof(*changes));
    for (size_t i = from; i < to; i++)
        changes[i - from] = action_at(plan, i)->peer;
    int result = vanished(
        sys_wg_set(sys, action_at(plan, from)->interface, NULL, changes, to - from, reterr),
        action_at(plan, from), reterr);
    mem_wipe(changes, (to - from) * sizeof(*changes));
    mem_freep(&changes);
    return result;
}

int wg_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
             struct error **reterr)
{
    while (from < to) {
        size_t next = from + 1;
        int result;
        if (action_at(plan, from)->type == WG_ACTION_PEER) {
            while (next < to && action_at(plan, next)->type == WG_ACTION_PEER)
                next++;
            result = apply_peers(sys, plan, from, next, reterr);
        } else {
            result = apply_one(sys, action_at(plan, from), reterr);
        }
        if (result < 0)
            return error_wrap(reterr, "%s", plan->steps[from].object);
        from = next;
    }
    return 0;
}
