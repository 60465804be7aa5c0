#include "reconcilers/firewall/firewall.h"

#include "schema/base/clock.h"

static bool concerned(const struct model *model, const struct sys_event *event)
{
    (void)model;
    return event->type == SYS_EVENT_NFT || event->type == SYS_EVENT_LOST;
}

const struct reconciler reconciler_firewall = {
    .name = "firewall",
    .enforcer = BY_FIREWALL,
    /* The kernel tells of every commit, and a look at an unchanged ruleset is one number. */
    .period = SECONDS(30),
    .share = 100,
    .slice = SIZE_MAX,
    .concerned = concerned,
    .observed_new = fw_observed_new,
    .observed_free = fw_observed_free,
    .desired = fw_desired,
    .observe = fw_observe,
    .plan = fw_plan,
    .apply = fw_apply,
    .learn = fw_learn,
    .status = fw_status,
};
