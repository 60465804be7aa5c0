#include "reconcilers/sys/routing.h"

#include <errno.h>
#include <string.h>

int route_check(const struct sys_route *route, struct error **reterr)
{
    char text[ADDR_TEXT_MAX];
    bool unicast = route->type == SYS_ROUTE_UNICAST;
    if (route->type == SYS_ROUTE_OTHER || route->gateway || !route->table ||
        unicast != (route->interface[0] != '\0'))
        return error_make(reterr, EINVAL,
                          "route %s in table %u cannot be made: only one that is unreachable, or "
                          "leads to an interface without gateway, in a table",
                          prefix_format(&route->destination, text), route->table);
    return 0;
}

static bool equal(const struct sys_rule *a, const struct sys_rule *b)
{
    return a->family == b->family && a->priority == b->priority && a->table == b->table &&
           a->mark == b->mark && a->mask == b->mask && a->invert == b->invert &&
           strcmp(a->iif, b->iif) == 0 && a->protocol == b->protocol && a->other == b->other;
}

const struct sys_rule *rule_find(const struct sys_rules *rules, const struct sys_rule *rule)
{
    for (size_t i = 0; i < rules->count; i++)
        if (equal(&rules->list[i], rule))
            return &rules->list[i];
    return NULL;
}

int rule_check(const struct sys_rule *rule, struct error **reterr)
{
    if ((rule->family != AF_INET && rule->family != AF_INET6) || !rule->table || rule->other ||
        (rule->mark && !rule->mask))
        return error_make(reterr, EINVAL,
                          "a rule of priority %u for table %u cannot be made: it has no family, no "
                          "table, a mark without mask, or more to say than is known",
                          rule->priority, rule->table);
    return 0;
}

int rule_refuse_twin(const struct sys_rule *rule, struct error **reterr)
{
    return error_make(reterr, EEXIST,
                      "cannot add the rule of priority %u for table %u: there is another one, for "
                      "other packets, that the kernel takes for the same; delete that one first",
                      rule->priority, rule->table);
}
