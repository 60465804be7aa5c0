#include "reconcilers/wireguard/wireguard.h"

#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"

/* Somebody took the interface away between the look and the step. */
static int must_exist(int result, const struct wg_action *action, struct error **reterr)
{
    if (result != SYS_ABSENT)
        return result;
    return error_make(reterr, ENODEV, "interface \"%s\" vanished", action->interface);
}

static int set_device(struct sys *sys, const struct wg_action *action, struct error **reterr)
{
    return must_exist(sys_wg_set(sys, action->interface, &action->setup.device, NULL, 0, reterr),
                      action, reterr);
}

static int set_link(struct sys *sys, const struct wg_action *action, int index,
                    struct error **reterr)
{
    return must_exist(sys_link_set(sys, index, &action->setup.link, reterr), action, reterr);
}

static int add_address(struct sys *sys, const struct wg_action *action, int index, size_t i,
                       struct error **reterr)
{
    const struct wg_setup *setup = &action->setup;
    return must_exist(sys_addr_add(sys, index, &setup->addresses[i], setup->prefix_route, reterr),
                      action, reterr);
}

/* Key and port before it is up: wireguard-go opens its port when the interface comes up. */
static int create(struct sys *sys, const struct wg_action *action, struct error **reterr)
{
    struct sys_link link;
    int result = sys_wg_create(sys, action->interface, reterr);
    if (result == 0)
        result = must_exist(sys_link_get(sys, action->interface, &link, reterr), action, reterr);
    if (result == 0)
        result = set_device(sys, action, reterr);
    if (result == 0)
        result = set_link(sys, action, link.index, reterr);
    for (size_t i = 0; result == 0 && i < action->setup.address_count; i++)
        result = add_address(sys, action, link.index, i, reterr);
    return result;
}

/* Neighbouring peers of one interface go in one message. */
static int set_peers(struct sys *sys, const struct plan *plan, size_t from, size_t to,
                     struct error **reterr)
{
    const struct wg_action *first = plan->steps[from].action;
    struct sys_wg_peer_change *changes = mem_alloc((to - from) * sizeof(*changes));
    for (size_t i = from; i < to; i++)
        changes[i - from] = ((const struct wg_action *)plan->steps[i].action)->peer;
    int result = must_exist(sys_wg_set(sys, first->interface, NULL, changes, to - from, reterr),
                            first, reterr);
    mem_wipe(changes, (to - from) * sizeof(*changes));
    mem_freep(&changes);
    return result;
}

static int apply_one(struct sys *sys, const struct wg_action *action, struct error **reterr)
{
    int result;

    switch (action->type) {
    case WG_ACTION_CREATE:
        return create(sys, action, reterr);
    case WG_ACTION_DELETE:
        result = sys_link_delete(sys, action->index, reterr);
        return result == SYS_ABSENT ? 0 : result;
    case WG_ACTION_DEVICE:
        return set_device(sys, action, reterr);
    case WG_ACTION_LINK:
        return set_link(sys, action, action->index, reterr);
    case WG_ACTION_ADDRESS_ADD:
        return add_address(sys, action, action->index, 0, reterr);
    case WG_ACTION_ADDRESS_DELETE:
        return sys_addr_delete(sys, action->index, &action->setup.addresses[0], reterr);
    case WG_ACTION_PEER:
        return must_exist(sys_wg_set(sys, action->interface, NULL, &action->peer, 1, reterr),
                          action, reterr);
    case WG_ACTION_REFUSE:
        return error_make_class(reterr, action->refusal.class, action->refusal.errnum, "%s",
                                action->refusal.message);
    }
    return 0;
}

/* The end of the peers that go together with the one at `from`. */
static size_t end_of_peers(const struct plan *plan, size_t from, size_t to)
{
    const struct wg_action *first = plan->steps[from].action;
    for (size_t i = from + 1; i < to; i++) {
        const struct wg_action *action = plan->steps[i].action;
        if (action->type != WG_ACTION_PEER || strcmp(action->interface, first->interface) != 0)
            return i;
    }
    return to;
}

int wg_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
             struct error **reterr)
{
    while (from < to) {
        const struct wg_action *action = plan->steps[from].action;
        size_t next = action->type == WG_ACTION_PEER ? end_of_peers(plan, from, to) : from + 1;
        int result = next > from + 1 ? set_peers(sys, plan, from, next, reterr)
                                     : apply_one(sys, action, reterr);
        if (result < 0 && action->type == WG_ACTION_REFUSE)
            return result;
        if (result < 0)
            return error_wrap(reterr, "%s", plan->steps[from].object);
        from = next;
    }
    return 0;
}
