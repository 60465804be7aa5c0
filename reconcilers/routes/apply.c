#include "reconcilers/routes/routes.h"

/* A setting that is gone went with its interface: the next look tells. */
static int set(struct sys *sys, const struct routes_setting *setting, struct error **reterr)
{
    int result = sys_sysctl_set(sys, setting->name, setting->value, reterr);
    return result == SYS_ABSENT ? 0 : result;
}

static int apply_settings(struct sys *sys, const struct routes_action *action,
                          struct error **reterr)
{
    for (size_t i = 0; i < action->first_count; i++) {
        int result = set(sys, &action->first[i], reterr);
        if (result < 0)
            return result;
    }
    return set(sys, &action->object.setting, reterr);
}

static int apply_one(struct sys *sys, const struct routes_action *action, struct error **reterr)
{
    switch (action->object.sort) {
    case ROUTES_RULE:
        return (action->remove ? sys_rule_delete : sys_rule_add)(sys, &action->object.rule, reterr);
    case ROUTES_ROUTE:
        return (action->remove ? sys_route_delete : sys_route_set)(sys, &action->object.route,
                                                                   reterr);
    case ROUTES_SETTING:
        return apply_settings(sys, action, reterr);
    }
    return 0;
}

int routes_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
                 struct error **reterr)
{
    for (; from < to; from++)
        if (apply_one(sys, plan->steps[from].action, reterr) < 0)
            return error_wrap(reterr, "%s", plan->steps[from].object);
    return 0;
}
