#include "reconcilers/sys/nft_shapes.h"

#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>

#include "schema/base/mem.h"

/* ---- the kernel's numbers -------------------------------------------------------------------- */

static const uint32_t meta_keys[] = {
    [META_NFPROTO] = NFT_META_NFPROTO, [META_L4PROTO] = NFT_META_L4PROTO,
    [META_MARK] = NFT_META_MARK,       [META_IIFNAME] = NFT_META_IIFNAME,
    [META_OIFNAME] = NFT_META_OIFNAME,
};
static const uint32_t payload_bases[] = {
    [NFT_BASE_NETWORK] = NFT_PAYLOAD_NETWORK_HEADER,
    [NFT_BASE_TRANSPORT] = NFT_PAYLOAD_TRANSPORT_HEADER,
};
static const uint32_t ct_keys[] = {
    [CT_STATE] = NFT_CT_STATE,          [CT_STATUS] = NFT_CT_STATUS,
    [CT_DIRECTION] = NFT_CT_DIRECTION,  [CT_SOURCE4] = NFT_CT_SRC_IP,
    [CT_SOURCE6] = NFT_CT_SRC_IP6,      [CT_DESTINATION4] = NFT_CT_DST_IP,
    [CT_DESTINATION6] = NFT_CT_DST_IP6,
};
/* By the numbers of our words, which begin at 1, and 4 and 6. */
static const uint32_t ct_directions[] = {NFT_NOT_SAID, IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY};
static const uint32_t nat_families[] = {NFT_NOT_SAID, NFT_NOT_SAID, NFT_NOT_SAID, NFT_NOT_SAID,
                                        NFPROTO_IPV4, NFT_NOT_SAID, NFPROTO_IPV6};
static const uint32_t rt_keys[] = {[RT_TCPMSS] = NFT_RT_TCPMSS};
static const uint32_t comparisons[] = {
    [NFT_EQUAL] = NFT_CMP_EQ,   [NFT_NOT_EQUAL] = NFT_CMP_NEQ,
    [NFT_LESS] = NFT_CMP_LT,    [NFT_LESS_EQUAL] = NFT_CMP_LTE,
    [NFT_GREATER] = NFT_CMP_GT, [NFT_GREATER_EQUAL] = NFT_CMP_GTE,
};
static const uint32_t inversions[] = {0, NFT_LOOKUP_F_INV};

#define LIST(list) .values = (list), .count = ARRAY_SIZE(list)
static const struct nft_choices metas = {LIST(meta_keys), .rest = true};
static const struct nft_choices bases = {LIST(payload_bases), .rest = true};
static const struct nft_choices cts = {LIST(ct_keys), .rest = true};
static const struct nft_choices directions = {LIST(ct_directions)};
static const struct nft_choices families = {LIST(nat_families)};
static const struct nft_choices rts = {LIST(rt_keys)};
static const struct nft_choices compares = {LIST(comparisons)};
static const struct nft_choices inverts = {LIST(inversions)};

/* ---- fields ---------------------------------------------------------------------------------- */

#define MEMBER(m) .member = offsetof(struct nft_instr, m), .size = sizeof((struct nft_instr){0}.m)
#define NUMBER(a, m) .attr = (a), .form = FORM_NUMBER, MEMBER(m)
#define BYTE(a, m) .attr = (a), .form = FORM_BYTE, MEMBER(m)
#define REGISTER(a, m) .attr = (a), .form = FORM_REGISTER, MEMBER(m)
#define CHOICE(a, m, list) .attr = (a), .form = FORM_CHOICE, MEMBER(m), .choices = &(list)
#define OPTIONAL_BYTE(a, m, list)                                                                  \
    .attr = (a), .form = FORM_OPTIONAL_BYTE, MEMBER(m), .choices = &(list)
#define FIXED(a, v) .attr = (a), .form = FORM_FIXED, .value = (v)
#define FIXED_BYTE(a, v) .attr = (a), .form = FORM_FIXED_BYTE, .value = (v)
#define TOLD(a, v) .attr = (a), .form = FORM_TOLD, .value = (v)
#define DATA(a, m) .attr = (a), .form = FORM_DATA, MEMBER(m)
#define NAME(a) .attr = (a), .form = FORM_NAME, MEMBER(name)
#define VERDICT(a) .attr = (a), .form = FORM_VERDICT

enum { NO_FLAGS = 0, VERDICT_REGISTER = NFT_REG_VERDICT };

const struct nft_shape nft_shapes[] = {
    {NFT_OP_META_LOAD, "meta",
     .fields = {{REGISTER(NFTA_META_DREG, reg)}, {CHOICE(NFTA_META_KEY, key, metas)}}},
    {NFT_OP_META_SET, "meta",
     .fields = {{REGISTER(NFTA_META_SREG, reg)}, {CHOICE(NFTA_META_KEY, key, metas)}}},
    {NFT_OP_PAYLOAD, "payload",
     .fields = {{REGISTER(NFTA_PAYLOAD_DREG, reg)},
                {CHOICE(NFTA_PAYLOAD_BASE, key, bases)},
                {NUMBER(NFTA_PAYLOAD_OFFSET, offset)},
                {NUMBER(NFTA_PAYLOAD_LEN, len)}}},
    {NFT_OP_CT_LOAD, "ct",
     .fields = {{REGISTER(NFTA_CT_DREG, reg)},
                {CHOICE(NFTA_CT_KEY, key, cts)},
                {OPTIONAL_BYTE(NFTA_CT_DIRECTION, direction, directions)}}},
    {NFT_OP_RT_LOAD, "rt",
     .fields = {{REGISTER(NFTA_RT_DREG, reg)}, {CHOICE(NFTA_RT_KEY, key, rts)}}},
    {NFT_OP_IMMEDIATE, "immediate",
     .fields = {{REGISTER(NFTA_IMMEDIATE_DREG, reg)}, {DATA(NFTA_IMMEDIATE_DATA, data)}}},
    {NFT_OP_VERDICT, "immediate",
     .fields = {{FIXED(NFTA_IMMEDIATE_DREG, VERDICT_REGISTER)}, {VERDICT(NFTA_IMMEDIATE_DATA)}}},
    {NFT_OP_VERDICT, "queue", .loose = true, .only_seen = true, .key = VERDICT_QUEUE},
    {NFT_OP_COMPARE, "cmp",
     .fields = {{REGISTER(NFTA_CMP_SREG, reg)},
                {CHOICE(NFTA_CMP_OP, key, compares)},
                {DATA(NFTA_CMP_DATA, data)}}},
    {NFT_OP_BITWISE, "bitwise",
     .fields = {{REGISTER(NFTA_BITWISE_SREG, source)},
                {REGISTER(NFTA_BITWISE_DREG, reg)},
                {NUMBER(NFTA_BITWISE_LEN, len)},
                {FIXED(NFTA_BITWISE_OP, NFT_BITWISE_BOOL)},
                {DATA(NFTA_BITWISE_MASK, mask)},
                {DATA(NFTA_BITWISE_XOR, data)}}},
    {NFT_OP_HTON, "byteorder",
     .fields = {{REGISTER(NFTA_BYTEORDER_SREG, source)},
                {REGISTER(NFTA_BYTEORDER_DREG, reg)},
                {FIXED(NFTA_BYTEORDER_OP, NFT_BYTEORDER_HTON)},
                {NUMBER(NFTA_BYTEORDER_LEN, len)},
                {NUMBER(NFTA_BYTEORDER_SIZE, len)}}},
    {NFT_OP_LOOKUP, "lookup",
     .fields = {{NAME(NFTA_LOOKUP_SET)},
                {REGISTER(NFTA_LOOKUP_SREG, reg)},
                {CHOICE(NFTA_LOOKUP_FLAGS, invert, inverts)}}},
    {NFT_OP_LOOKUP_VERDICT, "lookup",
     .fields = {{NAME(NFTA_LOOKUP_SET)},
                {REGISTER(NFTA_LOOKUP_SREG, reg)},
                {FIXED(NFTA_LOOKUP_DREG, VERDICT_REGISTER)},
                {FIXED(NFTA_LOOKUP_FLAGS, NO_FLAGS)}}},
    {NFT_OP_LOOKUP_MAP, "lookup",
     .fields = {{NAME(NFTA_LOOKUP_SET)},
                {REGISTER(NFTA_LOOKUP_SREG, source)},
                {REGISTER(NFTA_LOOKUP_DREG, reg)},
                {FIXED(NFTA_LOOKUP_FLAGS, NO_FLAGS)}}},
    {NFT_OP_TCP_OPTION_SET, "exthdr",
     .fields = {{BYTE(NFTA_EXTHDR_TYPE, key)},
                {NUMBER(NFTA_EXTHDR_OFFSET, offset)},
                {NUMBER(NFTA_EXTHDR_LEN, len)},
                {TOLD(NFTA_EXTHDR_FLAGS, NO_FLAGS)},
                {FIXED(NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT)},
                {REGISTER(NFTA_EXTHDR_SREG, reg)}}},
    {NFT_OP_SNAT, "nat",
     .fields = {{FIXED(NFTA_NAT_TYPE, NFT_NAT_SNAT)},
                {CHOICE(NFTA_NAT_FAMILY, key, families)},
                {REGISTER(NFTA_NAT_REG_ADDR_MIN, reg)},
                {REGISTER(NFTA_NAT_REG_ADDR_MAX, reg)},
                {FIXED(NFTA_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS)}}},
    {NFT_OP_DNAT, "nat",
     .fields = {{FIXED(NFTA_NAT_TYPE, NFT_NAT_DNAT)},
                {CHOICE(NFTA_NAT_FAMILY, key, families)},
                {REGISTER(NFTA_NAT_REG_ADDR_MIN, reg)},
                {REGISTER(NFTA_NAT_REG_ADDR_MAX, reg)},
                {REGISTER(NFTA_NAT_REG_PROTO_MIN, source)},
                {REGISTER(NFTA_NAT_REG_PROTO_MAX, source)},
                {FIXED(NFTA_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED)}}},
    {NFT_OP_DNAT, "nat",
     .fields = {{FIXED(NFTA_NAT_TYPE, NFT_NAT_DNAT)},
                {CHOICE(NFTA_NAT_FAMILY, key, families)},
                {REGISTER(NFTA_NAT_REG_ADDR_MIN, reg)},
                {REGISTER(NFTA_NAT_REG_ADDR_MAX, reg)},
                {FIXED(NFTA_NAT_FLAGS, NF_NAT_RANGE_MAP_IPS)}}},
    {NFT_OP_MASQUERADE, "masq", .fields = {{0}}},
    {NFT_OP_REJECT_TCP, "reject", .fields = {{FIXED(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST)}}},
    {NFT_OP_REJECT_ADMIN, "reject",
     .fields = {{FIXED(NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH)},
                {FIXED_BYTE(NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED)}}},
    {NFT_OP_REJECT_OTHER, "reject", .loose = true, .only_seen = true},
    {NFT_OP_COUNTER, "counter", .loose = true},
};

const size_t nft_shape_count = ARRAY_SIZE(nft_shapes);
