#include "reconcilers/sys/nft_wire.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/x_tables.h>
#include <string.h>

#include "reconcilers/sys/nft_expr.h"
#include "schema/base/mem.h"

uint8_t nft_wire_family(enum nft_family family)
{
    static const uint8_t families[] = {
        [NFT_FAMILY_INET] = NFPROTO_INET,
        [NFT_FAMILY_IP] = NFPROTO_IPV4,
        [NFT_FAMILY_IP6] = NFPROTO_IPV6,
        [NFT_FAMILY_OTHER] = NFPROTO_UNSPEC,
    };
    return families[family];
}

/* ---- chains ---------------------------------------------------------------------------------- */

static const uint32_t hooks[] = {
    [NFT_HOOK_PREROUTING] = NF_INET_PRE_ROUTING,   [NFT_HOOK_INPUT] = NF_INET_LOCAL_IN,
    [NFT_HOOK_FORWARD] = NF_INET_FORWARD,          [NFT_HOOK_OUTPUT] = NF_INET_LOCAL_OUT,
    [NFT_HOOK_POSTROUTING] = NF_INET_POST_ROUTING,
};

static const char *const types[] = {
    [NFT_CHAIN_FILTER] = "filter", [NFT_CHAIN_NAT] = "nat", [NFT_CHAIN_ROUTE] = "route"};

void nft_wire_chain_put(struct nlmsghdr *msg, const char *table, const struct nft_chain *chain)
{
    mnl_attr_put_strz(msg, NFTA_CHAIN_TABLE, table);
    mnl_attr_put_strz(msg, NFTA_CHAIN_NAME, chain->name);
    if (chain->hook == NFT_HOOK_NONE || chain->hook >= ARRAY_SIZE(hooks) ||
        chain->type >= ARRAY_SIZE(types))
        return;
    struct nlattr *nest = mnl_attr_nest_start(msg, NFTA_CHAIN_HOOK);
    nfnl_put_number(msg, NFTA_HOOK_HOOKNUM, hooks[chain->hook]);
    nfnl_put_number(msg, NFTA_HOOK_PRIORITY, (uint32_t)chain->priority);
    mnl_attr_nest_end(msg, nest);
    nfnl_put_number(msg, NFTA_CHAIN_POLICY, chain->policy_drop ? NF_DROP : NF_ACCEPT);
    mnl_attr_put_strz(msg, NFTA_CHAIN_TYPE, types[chain->type]);
}

/* The same number means another hook in the families that are not IP. */
static enum nft_hook hook_of(uint64_t number, enum nft_family family)
{
    for (size_t i = NFT_HOOK_PREROUTING; family != NFT_FAMILY_OTHER && i < ARRAY_SIZE(hooks); i++)
        if (hooks[i] == number)
            return (enum nft_hook)i;
    return NFT_HOOK_OTHER;
}

static enum nft_chain_type type_of(const struct nlattr *attr)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (nfnl_text_is(attr, types[i]))
            return (enum nft_chain_type)i;
    return NFT_CHAIN_OTHER;
}

bool nft_wire_chain_get(const struct nlmsghdr *row, enum nft_family family, struct nft_chain *ret)
{
    struct nfnl_attrs attrs, hook;
    uint64_t number;
    nfnl_attrs_of_message(row, &attrs);
    *ret = (struct nft_chain){.family = (uint8_t)family};
    nfnl_text(attrs.at[NFTA_CHAIN_TABLE], ret->table, sizeof(ret->table));
    nfnl_text(attrs.at[NFTA_CHAIN_NAME], ret->name, sizeof(ret->name));
    nfnl_attrs_of(attrs.at[NFTA_CHAIN_HOOK], &hook);
    if (nfnl_number(hook.at[NFTA_HOOK_HOOKNUM], &number)) {
        ret->hook = hook_of(number, family);
        ret->type = type_of(attrs.at[NFTA_CHAIN_TYPE]);
        ret->priority = (int32_t)nfnl_number_or(hook.at[NFTA_HOOK_PRIORITY], 0);
        ret->policy_drop = nfnl_number_or(attrs.at[NFTA_CHAIN_POLICY], NF_ACCEPT) == NF_DROP;
    }
    return attrs.at[NFTA_CHAIN_TABLE] && attrs.at[NFTA_CHAIN_NAME];
}

/* ---- comments -------------------------------------------------------------------------------- */

/* The user data of a rule are a list of type, length (a byte each) and value, as nft(8) has it. */
enum { USERDATA_COMMENT = 0, USERDATA_HEAD = 2 };

static void put_comment(struct nlmsghdr *msg, const struct nft_rule *rule)
{
    uint8_t userdata[USERDATA_HEAD + sizeof(rule->comment)] = {USERDATA_COMMENT};
    size_t len = strnlen(rule->comment, sizeof(rule->comment) - 1);
    if (len == 0)
        return;
    userdata[1] = (uint8_t)(len + 1);
    memcpy(userdata + USERDATA_HEAD, rule->comment, len);
    mnl_attr_put(msg, NFTA_RULE_USERDATA, USERDATA_HEAD + len + 1, userdata);
}

static void keep_comment(const char *text, size_t len, struct nft_rule *ret)
{
    size_t room = sizeof(ret->comment) - 1;
    memset(ret->comment, 0, sizeof(ret->comment));
    len = strnlen(text, len);
    memcpy(ret->comment, text, len < room ? len : room);
}

static void get_comment(const struct nlattr *attr, struct nft_rule *ret)
{
    const uint8_t *at = attr ? mnl_attr_get_payload(attr) : NULL;
    size_t left = attr ? mnl_attr_get_payload_len(attr) : 0;
    while (left >= USERDATA_HEAD && left - USERDATA_HEAD >= at[1]) {
        if (at[0] == USERDATA_COMMENT)
            keep_comment((const char *)at + USERDATA_HEAD, at[1], ret);
        left -= USERDATA_HEAD + at[1];
        at += USERDATA_HEAD + at[1];
    }
}

/* iptables has a comment as a match that always holds; its data are the text. */
static bool get_xt_comment(const struct nfnl_attrs *match, struct nft_rule *ret)
{
    const struct nlattr *info = match->at[NFTA_MATCH_INFO];
    if (!nfnl_text_is(match->at[NFTA_MATCH_NAME], "comment") || !info)
        return false;
    keep_comment(mnl_attr_get_payload(info), mnl_attr_get_payload_len(info), ret);
    return true;
}

/* ---- rules ----------------------------------------------------------------------------------- */

size_t nft_wire_rule_room(const struct nft_rule *rule)
{
    return NFT_WIRE_ROOM + rule->count * NFT_EXPR_ROOM;
}

size_t nft_wire_rule_put(struct nlmsghdr *msg, const char *table, const char *chain,
                         const struct nft_rule *rule)
{
    size_t i = 0;
    mnl_attr_put_strz(msg, NFTA_RULE_TABLE, table);
    mnl_attr_put_strz(msg, NFTA_RULE_CHAIN, chain);
    struct nlattr *list = mnl_attr_nest_start(msg, NFTA_RULE_EXPRESSIONS);
    while (i < rule->count && i < NFT_WIRE_INSTRS_MAX && nft_expr_put(msg, &rule->instrs[i]))
        i++;
    mnl_attr_nest_end(msg, list);
    put_comment(msg, rule);
    return i < rule->count ? i + 1 : 0;
}

/* One expression: an instruction, or (false) a comment that stands among them. */
static bool get_instr(const struct nlattr *element, struct nft_instr *ret, struct nft_rule *rule)
{
    struct nfnl_attrs expr, data;
    nfnl_attrs_of(element, &expr);
    nfnl_attrs_of(expr.at[NFTA_EXPR_DATA], &data);
    if (nfnl_text_is(expr.at[NFTA_EXPR_NAME], "match") && get_xt_comment(&data, rule))
        return false;
    nft_expr_get(expr.at[NFTA_EXPR_NAME], expr.at[NFTA_EXPR_DATA], ret);
    /* What iptables cannot say natively it hangs in as a target of its own. */
    if (nfnl_text_is(expr.at[NFTA_EXPR_NAME], "target") &&
        nfnl_text_is(data.at[NFTA_TARGET_NAME], "REJECT"))
        ret->op = NFT_OP_REJECT_OTHER;
    return true;
}

bool nft_wire_rule_get(const struct nlmsghdr *row, struct nft_rule *ret)
{
    struct nfnl_attrs attrs;
    const struct nlattr *element, *list;
    uint64_t handle;
    nfnl_attrs_of_message(row, &attrs);
    *ret = (struct nft_rule){0};
    if (!nfnl_number(attrs.at[NFTA_RULE_HANDLE], &handle))
        return false;
    ret->handle = handle;
    get_comment(attrs.at[NFTA_RULE_USERDATA], ret);
    list = attrs.at[NFTA_RULE_EXPRESSIONS];
    if (!list)
        return true;
    size_t room = 0;
    mnl_attr_for_each_nested(element, list)
    {
        room++;
    }
    ret->instrs = mem_alloc(room * sizeof(*ret->instrs));
    mnl_attr_for_each_nested(element, list)
    {
        if (get_instr(element, &ret->instrs[ret->count], ret))
            ret->count++;
    }
    return true;
}

bool nft_wire_rule_is_of(const struct nlmsghdr *row, const struct nft_chain *chain)
{
    struct nfnl_attrs attrs;
    char name[NFT_NAME_SIZE];
    nfnl_attrs_of_message(row, &attrs);
    nfnl_text(attrs.at[NFTA_RULE_TABLE], name, sizeof(name));
    if (strcmp(name, chain->table) != 0)
        return false;
    nfnl_text(attrs.at[NFTA_RULE_CHAIN], name, sizeof(name));
    return strcmp(name, chain->name) == 0;
}
