#include "reconcilers/sys/nft_words.h"

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

const char *nft_family_name(enum nft_family family)
{
    static const char *const names[] = {[NFT_FAMILY_INET] = "inet",
                                        [NFT_FAMILY_IP] = "ip",
                                        [NFT_FAMILY_IP6] = "ip6",
                                        [NFT_FAMILY_OTHER] = "of another family"};
    return names[family];
}

static const struct {
    const char *words;
    enum { OF_TABLE, OF_CHAIN, OF_SET } subject;
} changes[] = {
    [NFT_TABLE_ADD] = {"add", OF_TABLE},
    [NFT_TABLE_DELETE] = {"delete", OF_TABLE},
    [NFT_CHAIN_ADD] = {"add", OF_CHAIN},
    [NFT_CHAIN_FLUSH] = {"flush", OF_CHAIN},
    [NFT_CHAIN_DELETE] = {"delete", OF_CHAIN},
    [NFT_RULE_APPEND] = {"append a rule to", OF_CHAIN},
    [NFT_RULE_INSERT] = {"insert a rule into", OF_CHAIN},
    [NFT_RULE_DELETE] = {"delete a rule of", OF_CHAIN},
    [NFT_SET_ADD] = {"add", OF_SET},
    [NFT_SET_DELETE] = {"delete", OF_SET},
    [NFT_ELEMENTS_ADD] = {"add elements to", OF_SET},
    [NFT_ELEMENTS_DELETE] = {"delete elements from", OF_SET},
};

void nft_change_say(const struct nft_change *change, struct strbuf *ret)
{
    strbuf_printf(ret, "%s ", changes[change->type].words);
    if (changes[change->type].subject == OF_CHAIN)
        strbuf_printf(ret, "chain \"%s\" of ", change->chain->name);
    if (changes[change->type].subject == OF_SET)
        strbuf_printf(ret, "set \"%s\" of ", change->set->name);
    strbuf_printf(ret, "table %s %s", nft_family_name(change->family), change->table);
}
