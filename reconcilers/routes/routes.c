#include "reconcilers/routes/routes.h"

#include <string.h>

#include "schema/base/clock.h"

/* An interface of ours, also one that is no longer wanted, or one of the machine's that counts.
 * None: more than one, or "all". */
static bool concerns_us(const struct model *model, const char *interface)
{
    const struct host *host = &model->host;
    if (!*interface || !model->cell.spec || model_link_by_interface(model, interface) ||
        strcmp(interface, model->cell.spec->interface) == 0)
        return true;
    for (size_t i = 0; i < host->interface_count; i++)
        if (strcmp(interface, host->interfaces[i].name) == 0)
            return true;
    return false;
}

static bool concerned(const struct model *model, const struct sys_event *event)
{
    switch (event->type) {
    case SYS_EVENT_LOST:
    case SYS_EVENT_RULE:
        return true;
    case SYS_EVENT_ROUTE:
        return event->protocol == SYS_OWNER || routes_is_our_table(event->table);
    case SYS_EVENT_LINK:
    case SYS_EVENT_ADDRESS:
    case SYS_EVENT_NETCONF:
        return concerns_us(model, event->interface);
    case SYS_EVENT_NFT:
    case SYS_EVENT_TYPE_COUNT:
        return false;
    }
    return false;
}

const struct reconciler reconciler_routes = {
    .name = "routes",
    .enforcer = BY_ROUTES,
    /* The kernel tells of nearly all; a sweep finds the rest (src_valid_mark, accept_ra). */
    .period = SECONDS(30),
    .share = 100,
    .concerned = concerned,
    .observed_new = routes_observed_new,
    .observed_free = routes_observed_free,
    .desired = routes_desired,
    .observe = routes_observe,
    .plan = routes_plan,
    .apply = routes_apply,
    .learn = routes_learn,
    .status = routes_status,
};
