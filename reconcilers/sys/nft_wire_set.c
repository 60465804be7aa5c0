#include "reconcilers/sys/nft_wire.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "schema/base/mem.h"

/*
 * How nft(8) knows the types: the kernel only keeps these numbers for it. A concatenation has those
 * of its parts one behind the other, in 6 bits each. The byte order goes into the user data of a
 * set: 1 the host's, 2 the network's.
 */
static const struct {
    uint8_t id, order;
} types[NFT_TYPE_OTHER + 1] = {
    [NFT_TYPE_IPV4] = {7, 2},  [NFT_TYPE_IPV6] = {8, 2},   [NFT_TYPE_IFNAME] = {41, 1},
    [NFT_TYPE_MARK] = {19, 1}, [NFT_TYPE_PROTO] = {12, 2}, [NFT_TYPE_PORT] = {13, 2},
};

enum {
    TYPE_BITS = 6,
    TYPE_MASK = (1 << TYPE_BITS) - 1,
    /* Types of the entries of a set's user data, as nft(8) has them; each is type, length, value.
     */
    USERDATA_KEY_ORDER = 0,
    USERDATA_DATA_ORDER = 1,
    USERDATA_SIZE = 6,
    SAYABLE_FLAGS = NFT_SET_INTERVAL | NFT_SET_MAP | NFT_SET_CONCAT,
};

static bool has_parts(const uint8_t parts[static NFT_PARTS_MAX])
{
    return parts[1] != NFT_TYPE_NONE;
}

/* ---- writing --------------------------------------------------------------------------------- */

static uint32_t type_number(const uint8_t parts[static NFT_PARTS_MAX])
{
    uint32_t number = 0;
    if (parts[0] == NFT_TYPE_VERDICT)
        return NFT_DATA_VERDICT;
    for (size_t i = 0; i < NFT_PARTS_MAX && parts[i] != NFT_TYPE_NONE; i++)
        number = number << TYPE_BITS | types[parts[i]].id;
    return number;
}

static uint8_t *put_order(uint8_t *at, uint8_t type, const uint8_t parts[static NFT_PARTS_MAX])
{
    uint32_t order = has_parts(parts) ? 0 : types[parts[0]].order;
    *at++ = type;
    *at++ = sizeof(order);
    memcpy(at, &order, sizeof(order));
    return at + sizeof(order);
}

static void put_userdata(struct nlmsghdr *msg, const struct nft_set *set)
{
    uint8_t userdata[2 * USERDATA_SIZE];
    uint8_t *end = put_order(userdata, USERDATA_KEY_ORDER, set->key);
    if (set->data[0] != NFT_TYPE_NONE && set->data[0] != NFT_TYPE_VERDICT)
        end = put_order(end, USERDATA_DATA_ORDER, set->data);
    mnl_attr_put(msg, NFTA_SET_USERDATA, (size_t)(end - userdata), userdata);
}

/* The kernel compares the parts of an interval one by one, and must know where they begin. */
static void put_parts(struct nlmsghdr *msg, const struct nft_set *set)
{
    struct nlattr *description = mnl_attr_nest_start(msg, NFTA_SET_DESC);
    struct nlattr *concatenation = mnl_attr_nest_start(msg, NFTA_SET_DESC_CONCAT);
    for (size_t i = 0; i < NFT_PARTS_MAX && set->key[i] != NFT_TYPE_NONE; i++) {
        struct nlattr *part = mnl_attr_nest_start(msg, NFTA_LIST_ELEM);
        nfnl_put_number(msg, NFTA_SET_FIELD_LEN, (uint32_t)nft_type_size(set->key[i]));
        mnl_attr_nest_end(msg, part);
    }
    mnl_attr_nest_end(msg, concatenation);
    mnl_attr_nest_end(msg, description);
}

void nft_wire_set_put(struct nlmsghdr *msg, const char *table, const struct nft_set *set,
                      uint32_t id)
{
    bool map = set->data[0] != NFT_TYPE_NONE;
    bool by_parts = set->interval && has_parts(set->key);
    mnl_attr_put_strz(msg, NFTA_SET_TABLE, table);
    mnl_attr_put_strz(msg, NFTA_SET_NAME, set->name);
    nfnl_put_number(msg, NFTA_SET_FLAGS,
                    (set->interval ? NFT_SET_INTERVAL : 0U) | (map ? NFT_SET_MAP : 0U) |
                        (by_parts ? NFT_SET_CONCAT : 0U));
    nfnl_put_number(msg, NFTA_SET_KEY_TYPE, type_number(set->key));
    nfnl_put_number(msg, NFTA_SET_KEY_LEN, (uint32_t)nft_set_key_size(set));
    if (map)
        nfnl_put_number(msg, NFTA_SET_DATA_TYPE, type_number(set->data));
    if (map && set->data[0] != NFT_TYPE_VERDICT)
        nfnl_put_number(msg, NFTA_SET_DATA_LEN, (uint32_t)nft_set_data_size(set));
    nfnl_put_number(msg, NFTA_SET_ID, id);
    if (by_parts)
        put_parts(msg, set);
    put_userdata(msg, set);
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum nft_type type_of(uint32_t id)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (types[i].id && types[i].id == id)
            return (enum nft_type)i;
    return NFT_TYPE_OTHER;
}

/* False: there is a type that our words do not have, or too many of them. */
static bool get_types(uint32_t number, uint8_t ret[static NFT_PARTS_MAX])
{
    size_t count = 0;
    bool known = true;
    for (uint32_t rest = number; rest; rest >>= TYPE_BITS)
        count++;
    if (number == NFT_DATA_VERDICT) {
        ret[0] = NFT_TYPE_VERDICT;
        return true;
    }
    if (count == 0 || count > NFT_PARTS_MAX) {
        ret[0] = NFT_TYPE_OTHER;
        return false;
    }
    for (size_t i = count; i-- > 0; number >>= TYPE_BITS) {
        ret[i] = (uint8_t)type_of(number & TYPE_MASK);
        known &= ret[i] != NFT_TYPE_OTHER;
    }
    return known;
}

static bool sayable(const struct nfnl_attrs *attrs, const struct nft_set *set, uint32_t flags)
{
    struct nfnl_attrs description;
    nfnl_attrs_of(attrs->at[NFTA_SET_DESC], &description);
    bool plain = (flags & ~SAYABLE_FLAGS) == 0 && !attrs->at[NFTA_SET_TIMEOUT] &&
                 !attrs->at[NFTA_SET_GC_INTERVAL] && !attrs->at[NFTA_SET_OBJ_TYPE] &&
                 !attrs->at[NFTA_SET_EXPR] && !attrs->at[NFTA_SET_EXPRESSIONS] &&
                 !description.at[NFTA_SET_DESC_SIZE];
    return plain && nft_set_key_size(set) == nfnl_number_or(attrs->at[NFTA_SET_KEY_LEN], 0) &&
           (!(flags & NFT_SET_MAP) || set->data[0] == NFT_TYPE_VERDICT ||
            nft_set_data_size(set) == nfnl_number_or(attrs->at[NFTA_SET_DATA_LEN], 0));
}

bool nft_wire_set_get(const struct nlmsghdr *row, struct nft_set *ret)
{
    struct nfnl_attrs attrs;
    nfnl_attrs_of_message(row, &attrs);
    *ret = (struct nft_set){0};
    uint32_t flags = nfnl_number_or(attrs.at[NFTA_SET_FLAGS], 0);
    if (flags & NFT_SET_ANONYMOUS || !attrs.at[NFTA_SET_NAME])
        return false;
    bool known = nfnl_text(attrs.at[NFTA_SET_NAME], ret->name, sizeof(ret->name));
    known &= get_types(nfnl_number_or(attrs.at[NFTA_SET_KEY_TYPE], 0), ret->key);
    if (flags & NFT_SET_MAP)
        known &= get_types(nfnl_number_or(attrs.at[NFTA_SET_DATA_TYPE], 0), ret->data);
    ret->interval = flags & NFT_SET_INTERVAL;
    ret->other = !known || !sayable(&attrs, ret, flags);
    return true;
}
