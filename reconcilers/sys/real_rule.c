#include "reconcilers/sys/real.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "reconcilers/sys/routing.h"
#include "schema/base/mem.h"

/* ---- listing --------------------------------------------------------------------------------- */

/* A list being read, one family after the other. */
struct listing {
    struct sys_rules *rules;
    uint8_t family;
    size_t before; /* rows of the family that is read already */
};

static void restart(void *context)
{
    struct listing *listing = context;
    listing->rules->count = listing->before;
}

/* Returns false for what has no place in struct sys_rule. */
static bool read_word(const struct nlattr *attr, struct sys_rule *rule)
{
    if (nla_type(attr) == FRA_IIFNAME) {
        nla_strlcpy(rule->iif, attr, sizeof(rule->iif));
        return true;
    }
    if (nla_type(attr) == FRA_PROTOCOL && nla_len(attr) == 1) {
        rule->protocol = nla_get_u8(attr);
        return true;
    }
    if (nla_len(attr) != sizeof(uint32_t))
        return nla_type(attr) == FRA_PAD;

    uint32_t value = nla_get_u32(attr);
    switch (nla_type(attr)) {
    case FRA_PRIORITY:
        rule->priority = value;
        return true;
    case FRA_TABLE:
        rule->table = value;
        return true;
    case FRA_FWMARK:
        rule->mark = value;
        return true;
    case FRA_FWMASK:
        rule->mask = value;
        return true;
    case FRA_SUPPRESS_PREFIXLEN:
    case FRA_SUPPRESS_IFGROUP:
        return value == UINT32_MAX; /* which is "none" */
    default:
        return false;
    }
}

static int read_rule(const struct nlmsghdr *row, void *context)
{
    struct listing *listing = context;
    if (row->nlmsg_type != RTM_NEWRULE || !nlmsg_valid_hdr(row, sizeof(struct fib_rule_hdr)))
        return -EBADMSG;
    const struct fib_rule_hdr *info = nlmsg_data(row);
    if (info->family != listing->family)
        return 0;

    struct sys_rule rule = {
        .family = info->family,
        .table = info->table,
        .invert = info->flags & FIB_RULE_INVERT,
        .other = info->src_len || info->dst_len || info->tos || info->action != FR_ACT_TO_TBL,
    };
    struct nlattr *attr;
    int left;
    nlmsg_for_each_attr(attr, row, sizeof(*info), left)
    {
        if (!read_word(attr, &rule))
            rule.other = true;
    }
    struct sys_rules *rules = listing->rules;
    rules->list = mem_grow(rules->list, rules->count, &rules->capacity, sizeof(*rules->list));
    rules->list[rules->count++] = rule;
    return 0;
}

static int list_family(struct real *real, uint8_t family, struct sys_rules *ret)
{
    struct listing listing = {.rules = ret, .family = family, .before = ret->count};
    struct fib_rule_hdr info = {.family = family};
    NETLINK_MESSAGE *msg = netlink_message(RTM_GETRULE, NLM_F_DUMP, &info, sizeof(info));
    struct netlink_reader reader = {.row = read_rule, .restart = restart, .context = &listing};
    int r = netlink_dump(real->netlink, msg, &reader);
    return netlink_no_family(r, family) ? 0 : r;
}

int real_rule_list(void *side, struct sys_rules *ret, struct error **reterr)
{
    struct real *real = side;
    int r = list_family(real, AF_INET, ret);
    if (r == 0)
        r = list_family(real, AF_INET6, ret);
    return r < 0 ? netlink_fail(real->netlink, -r, reterr, "cannot list the rules of routing") : 0;
}

/* ---- changing -------------------------------------------------------------------------------- */

static int fail(struct real *real, int errnum, const char *verb, const struct sys_rule *rule,
                struct error **reterr)
{
    return netlink_fail(real->netlink, errnum, reterr,
                        "cannot %s the rule of priority %u for table %u", verb, rule->priority,
                        rule->table);
}

/* Is there one just like it? 1, 0, or a negative errno value. */
static int exists(struct real *real, const struct sys_rule *rule)
{
    struct sys_rules rules = {0};
    int r = list_family(real, rule->family, &rules);
    if (r == 0)
        r = rule_find(&rules, rule) != NULL;
    sys_rules_clear(&rules);
    return r;
}

static struct nl_msg *rule_message(int type, int flags, const struct sys_rule *rule)
{
    struct fib_rule_hdr info = {
        .family = rule->family,
        .table = rule->table <= UINT8_MAX ? (uint8_t)rule->table : RT_TABLE_UNSPEC,
        .action = rule->other ? FR_ACT_UNSPEC : FR_ACT_TO_TBL,
        .flags = rule->invert ? FIB_RULE_INVERT : 0,
    };
    struct nl_msg *msg = netlink_message(type, flags, &info, sizeof(info));
    netlink_put_u32(msg, FRA_TABLE, rule->table);
    netlink_put_u32(msg, FRA_PRIORITY, rule->priority);
    netlink_put(msg, FRA_PROTOCOL, &rule->protocol, sizeof(rule->protocol));
    if (rule->mask) {
        netlink_put_u32(msg, FRA_FWMARK, rule->mark);
        netlink_put_u32(msg, FRA_FWMASK, rule->mask);
    }
    if (rule->iif[0])
        netlink_put_text(msg, FRA_IIFNAME, rule->iif);
    return msg;
}

/* Without NLM_F_EXCL the kernel would add it a second time. */
int real_rule_add(void *side, const struct sys_rule *rule, struct error **reterr)
{
    struct real *real = side;
    struct sys_rule own = *rule;
    own.protocol = SYS_OWNER;
    int r = rule_check(rule, reterr);
    if (r < 0)
        return r;
    NETLINK_MESSAGE *msg = rule_message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &own);
    r = netlink_request(real->netlink, msg);
    if (r == -EEXIST) {
        r = exists(real, &own);
        if (r == 0)
            return rule_refuse_twin(rule, reterr);
    }
    return r < 0 ? fail(real, -r, "add", rule, reterr) : 0;
}

/* What a request does not say, or says as zero, the kernel takes for "any": one that is gone
 * already would cost another. */
int real_rule_delete(void *side, const struct sys_rule *rule, struct error **reterr)
{
    struct real *real = side;
    int r = exists(real, rule);
    if (r == 0)
        return 0;
    NETLINK_MESSAGE *msg = rule_message(RTM_DELRULE, 0, rule);
    if (r > 0)
        r = netlink_request(real->netlink, msg);
    return r < 0 && r != -ENOENT ? fail(real, -r, "delete", rule, reterr) : 0;
}
