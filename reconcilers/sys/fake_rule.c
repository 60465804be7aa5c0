#include "reconcilers/sys/fake_side.h"

#include <assert.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "reconcilers/sys/fake.h"
#include "reconcilers/sys/ops.h"
#include "reconcilers/sys/routing.h"
#include "schema/base/mem.h"

/* Behind those of the same priority, as the kernel does it. */
static void put(struct fake *fake, const struct sys_rule *rule)
{
    struct sys_rules *rules = &fake->rules;
    size_t at = 0;
    while (at < rules->count &&
           (rules->list[at].family < rule->family ||
            (rules->list[at].family == rule->family && rules->list[at].priority <= rule->priority)))
        at++;
    rules->list = mem_grow(rules->list, rules->count, &rules->capacity, sizeof(*rules->list));
    memmove(&rules->list[at + 1], &rules->list[at], (rules->count++ - at) * sizeof(*rules->list));
    rules->list[at] = *rule;
}

static void drop(struct fake *fake, size_t at)
{
    struct sys_rules *rules = &fake->rules;
    memmove(&rules->list[at], &rules->list[at + 1], (--rules->count - at) * sizeof(*rules->list));
}

void fake_rules_init(struct fake *fake)
{
    static const struct sys_rule first[] = {
        {.family = AF_INET, .priority = 0, .table = RT_TABLE_LOCAL},
        {.family = AF_INET, .priority = 32766, .table = RT_TABLE_MAIN},
        {.family = AF_INET, .priority = 32767, .table = RT_TABLE_DEFAULT},
        {.family = AF_INET6, .priority = 0, .table = RT_TABLE_LOCAL},
        {.family = AF_INET6, .priority = 32766, .table = RT_TABLE_MAIN},
    };
    for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
        struct sys_rule rule = first[i];
        rule.protocol = RTPROT_KERNEL;
        put(fake, &rule);
    }
}

/* ---- what we may do -------------------------------------------------------------------------- */

int fake_rule_list(void *side, struct sys_rules *ret, struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    for (size_t i = 0; i < fake->rules.count; i++) {
        ret->list = mem_grow(ret->list, ret->count, &ret->capacity, sizeof(*ret->list));
        ret->list[ret->count++] = fake->rules.list[i];
    }
    return 0;
}

/* By `invert` and by `other`. */
enum { TWINS = 4 };

int fake_rule_add(void *side, const struct sys_rule *rule, struct error **reterr)
{
    struct fake *fake = side;
    struct sys_rule own = *rule;
    own.protocol = SYS_OWNER;
    int r = rule_check(rule, reterr);
    if (r < 0)
        return r;
    if (rule_find(&fake->rules, &own))
        return 0;
    for (size_t i = 0; i < TWINS; i++) {
        struct sys_rule twin = own;
        twin.invert = i & 1;
        twin.other = i & 2;
        if (rule_find(&fake->rules, &twin))
            return rule_refuse_twin(rule, reterr);
    }
    put(fake, &own);
    return 0;
}

/* The kernel takes the first one that has what is asked for, and what is zero is not. */
static bool answers(const struct sys_rule *have, const struct sys_rule *spec)
{
    return have->family == spec->family && have->table == spec->table &&
           (!spec->priority || have->priority == spec->priority) &&
           (!spec->protocol || have->protocol == spec->protocol) &&
           (!spec->mark || have->mark == spec->mark) && (!spec->mask || have->mask == spec->mask) &&
           (!spec->iif[0] || strcmp(have->iif, spec->iif) == 0);
}

int fake_rule_delete(void *side, const struct sys_rule *rule, struct error **reterr)
{
    (void)reterr;
    struct fake *fake = side;
    if (!rule_find(&fake->rules, rule))
        return 0;
    size_t at = 0;
    while (!answers(&fake->rules.list[at], rule))
        at++;
    drop(fake, at);
    return 0;
}

/* ---- somebody else's hands ------------------------------------------------------------------- */

static void tell(struct fake *fake, const struct sys_rule *rule)
{
    struct sys_event event = {
        .type = SYS_EVENT_RULE, .priority = rule->priority, .protocol = rule->protocol};
    fake_happen(fake, &event);
}

void sys_fake_rule_add(struct sys *sys, const struct sys_rule *rule)
{
    put(sys_side(sys), rule);
    tell(sys_side(sys), rule);
}

void sys_fake_rule_remove(struct sys *sys, const struct sys_rule *rule)
{
    struct fake *fake = sys_side(sys);
    const struct sys_rule *have = rule_find(&fake->rules, rule);
    assert(have);
    drop(fake, (size_t)(have - fake->rules.list));
    tell(fake, rule);
}
