#include "reconcilers/wireguard/wireguard.h"

#include <string.h>

#include "schema/base/clock.h"

/* Names that links' interfaces have concern us whoever has them: one of ours that nobody wants any
 * more, or a foreign one that goes and makes room. */
static bool concerned(const struct model *model, const struct sys_event *event)
{
    const struct model_cell *cell = &model->cell;
    if (event->type != SYS_EVENT_LINK && event->type != SYS_EVENT_ADDRESS)
        return event->type == SYS_EVENT_LOST;
    return !*event->interface || !cell->spec ||
           strcmp(event->interface, cell->spec->interface) == 0 ||
           strncmp(event->interface, WG_LINK_PREFIX, sizeof(WG_LINK_PREFIX) - 1) == 0;
}

const struct reconciler reconciler_wireguard = {
    .name = "wireguard",
    .enforcer = BY_WIREGUARD,
    /* WireGuard tells nobody of changes: it is read, so often that what somebody took away is back
     * within a second. A look is two wake-ups: the timer's and the answer's. */
    .period = MILLISECONDS(900),
    .share = 100,
    .concerned = concerned,
    .observed_new = wg_observed_new,
    .observed_free = wg_observed_free,
    .desired = wg_desired,
    .observe = wg_observe,
    .plan = wg_plan,
    .apply = wg_apply,
    .learn = wg_learn,
    .status = wg_status,
};
