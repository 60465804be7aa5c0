#include "reconcilers/sys/nft_value.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "schema/base/mem.h"

void nft_value_put(struct nlmsghdr *msg, uint16_t attr, const void *data, size_t len)
{
    struct nlattr *nest = mnl_attr_nest_start(msg, attr);
    mnl_attr_put(msg, NFTA_DATA_VALUE, len, data);
    mnl_attr_nest_end(msg, nest);
}

size_t nft_value_get(const struct nlattr *nest, void *ret, size_t size)
{
    struct nfnl_attrs attrs;
    nfnl_attrs_of(nest, &attrs);
    const struct nlattr *value = attrs.at[NFTA_DATA_VALUE];
    size_t len = value ? mnl_attr_get_payload_len(value) : 0;
    if (len == 0 || len > size)
        return 0;
    memcpy(ret, mnl_attr_get_payload(value), len);
    return len;
}

static const uint32_t verdicts[] = {
    [VERDICT_ACCEPT] = NF_ACCEPT,
    [VERDICT_DROP] = NF_DROP,
    [VERDICT_GOTO] = (uint32_t)NFT_GOTO,
    [VERDICT_JUMP] = (uint32_t)NFT_JUMP,
    [VERDICT_RETURN] = (uint32_t)NFT_RETURN,
    [VERDICT_CONTINUE] = (uint32_t)NFT_CONTINUE,
    [VERDICT_QUEUE] = NF_QUEUE,
};

static bool has_chain(enum nft_verdict verdict)
{
    return verdict == VERDICT_GOTO || verdict == VERDICT_JUMP;
}

bool nft_verdict_put(struct nlmsghdr *msg, uint16_t attr, enum nft_verdict verdict,
                     const char *chain)
{
    if (verdict >= ARRAY_SIZE(verdicts) || has_chain(verdict) != (chain[0] != '\0'))
        return false;
    struct nlattr *nest = mnl_attr_nest_start(msg, attr);
    struct nlattr *inner = mnl_attr_nest_start(msg, NFTA_DATA_VERDICT);
    nfnl_put_number(msg, NFTA_VERDICT_CODE, verdicts[verdict]);
    if (has_chain(verdict))
        mnl_attr_put_strz(msg, NFTA_VERDICT_CHAIN, chain);
    mnl_attr_nest_end(msg, inner);
    mnl_attr_nest_end(msg, nest);
    return true;
}

bool nft_verdict_get(const struct nlattr *nest, uint8_t *retverdict,
                     char retchain[static NFT_NAME_SIZE])
{
    struct nfnl_attrs attrs;
    uint64_t code;
    size_t i = 0;
    nfnl_attrs_of(nest, &attrs);
    nfnl_attrs_of(attrs.at[NFTA_DATA_VERDICT], &attrs);
    if (!nfnl_number(attrs.at[NFTA_VERDICT_CODE], &code))
        return false;
    while (i < ARRAY_SIZE(verdicts) && verdicts[i] != code)
        i++;
    if (i == ARRAY_SIZE(verdicts))
        return false;
    *retverdict = (uint8_t)i;
    bool named = nfnl_text(attrs.at[NFTA_VERDICT_CHAIN], retchain, NFT_NAME_SIZE);
    return named == has_chain((enum nft_verdict)i);
}
