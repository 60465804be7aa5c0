#include "reconcilers/firewall/foreign_trial.h"

#include <arpa/inet.h>
#include <string.h>

#include "schema/base/mem.h"

/* Places in the headers, from RFC 791, RFC 8200, RFC 768 and RFC 9293. */
enum {
    IP4_PROTOCOL = 9,
    IP4_SOURCE = 12,
    IP4_DESTINATION = 16,
    IP6_NEXT = 6,
    IP6_SOURCE = 8,
    IP6_DESTINATION = 24,
    TRANSPORT_PORT = 2,
};

/* ---- bytes ----------------------------------------------------------------------------------- */

static void know(struct foreign_bytes *bytes, size_t at, const void *data, size_t len)
{
    memcpy(bytes->value + at, data, len);
    memset(bytes->known + at, 0xff, len);
}

/* The bits of `mask` of a number in host order. */
static void know_bits(struct foreign_bytes *bytes, uint32_t bits, uint32_t mask)
{
    uint32_t value, known;
    memcpy(&value, bytes->value, sizeof(value));
    memcpy(&known, bytes->known, sizeof(known));
    value = (value & ~mask) | (bits & mask);
    known |= mask;
    memcpy(bytes->value, &value, sizeof(value));
    memcpy(bytes->known, &known, sizeof(known));
}

/* What lies outside is not known, and is not kept. */
static void copy(struct foreign_bytes *to, size_t at, const struct foreign_bytes *from,
                 size_t offset, size_t len)
{
    for (size_t i = 0; i < len && at + i < FOREIGN_BYTES; i++) {
        bool inside = offset + i < FOREIGN_BYTES;
        to->value[at + i] = inside ? from->value[offset + i] : 0;
        to->known[at + i] = inside ? from->known[offset + i] : 0;
    }
}

/* The first byte of a register; one that does not exist lies outside. */
static size_t place(uint8_t reg)
{
    if (reg >= 1 && reg <= 4)
        return (size_t)(reg - 1) * 16;
    return reg >= 8 && reg <= 23 ? (size_t)(reg - 8) * 4 : FOREIGN_BYTES;
}

static struct foreign_bytes read_register(const struct foreign_trial *trial, uint8_t reg)
{
    struct foreign_bytes bytes = {0};
    copy(&bytes, 0, &trial->registers, place(reg), NFT_DATA_SIZE);
    return bytes;
}

/* ---- the packet ------------------------------------------------------------------------------ */

/* All zeros are nobody's: then only its family is known. */
static bool is_known(const struct ip *ip)
{
    return !ip_equal(ip, &(struct ip){.family = ip->family});
}

static void write_headers(struct foreign_trial *trial)
{
    const struct foreign_packet *packet = trial->packet;
    bool six = packet->destination.family == AF_INET6;
    size_t len = ip_bits(&packet->destination) / 8;
    uint16_t port = htons(packet->port);
    bool has_port = packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP;

    if (is_known(&packet->destination))
        know(&trial->network, six ? IP6_DESTINATION : IP4_DESTINATION, packet->destination.bytes,
             len);
    if (packet->source.family)
        know(&trial->network, six ? IP6_SOURCE : IP4_SOURCE, packet->source.bytes, len);
    if (packet->protocol)
        know(&trial->network, six ? IP6_NEXT : IP4_PROTOCOL, &packet->protocol, 1);
    if (packet->port && has_port)
        know(&trial->transport, TRANSPORT_PORT, &port, sizeof(port));
}

void foreign_trial_init(struct foreign_trial *trial, const struct foreign_packet *packet)
{
    *trial = (struct foreign_trial){.packet = packet};
    write_headers(trial);
}

void foreign_trial_mark(struct foreign_trial *trial, uint32_t mark, uint32_t mask)
{
    know_bits(&trial->mark, mark, mask);
}

void foreign_trial_forget_mark(struct foreign_trial *trial)
{
    trial->mark = (struct foreign_bytes){0};
}

/* ---- loads ----------------------------------------------------------------------------------- */

static enum truth load(struct foreign_trial *trial, const struct nft_instr *instr,
                       const struct foreign_bytes *from, size_t offset, size_t len)
{
    copy(&trial->registers, place(instr->reg), from, offset, len);
    return TRUTH_YES;
}

static void know_name(struct foreign_bytes *bytes, const char *name)
{
    char padded[NFT_DATA_SIZE] = "";
    if (!name)
        return;
    memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
    know(bytes, 0, padded, sizeof(padded));
}

static enum truth load_meta(struct foreign_trial *trial, const struct nft_instr *instr)
{
    static const uint8_t sizes[] = {[META_NFPROTO] = 1,  [META_L4PROTO] = 1,  [META_MARK] = 4,
                                    [META_IIFNAME] = 16, [META_OIFNAME] = 16, [META_OTHER] = 16};
    const struct foreign_packet *packet = trial->packet;
    struct foreign_bytes bytes = {0};
    switch ((enum nft_meta)instr->key) {
    case META_NFPROTO: /* the kernel's numbers are those of the address families */
        know(&bytes, 0, &packet->destination.family, 1);
        break;
    case META_L4PROTO:
        if (packet->protocol)
            know(&bytes, 0, &packet->protocol, 1);
        break;
    case META_MARK:
        bytes = trial->mark;
        break;
    case META_IIFNAME:
        know_name(&bytes, packet->in);
        break;
    case META_OIFNAME:
        know_name(&bytes, packet->hook == NFT_HOOK_INPUT ? "" : packet->out);
        break;
    case META_OTHER:
        break;
    }
    return load(trial, instr, &bytes, 0, sizes[instr->key]);
}

static enum truth load_payload(struct foreign_trial *trial, const struct nft_instr *instr)
{
    static const struct foreign_bytes other = {0};
    const struct foreign_bytes *header = &other;
    if (instr->key == NFT_BASE_NETWORK)
        header = &trial->network;
    else if (instr->key == NFT_BASE_TRANSPORT)
        header = &trial->transport;
    return load(trial, instr, header, instr->offset, instr->len);
}

/* The first packet of a flow, before its source can have been translated: of its status there is no
 * other bit in the first byte. */
static enum truth load_ct(struct foreign_trial *trial, const struct nft_instr *instr)
{
    static const uint8_t sizes[] = {
        [CT_STATE] = 4,    [CT_STATUS] = 4,       [CT_DIRECTION] = 1,     [CT_SOURCE4] = 4,
        [CT_SOURCE6] = 16, [CT_DESTINATION4] = 4, [CT_DESTINATION6] = 16, [CT_OTHER] = 16};
    const struct foreign_packet *packet = trial->packet;
    struct foreign_bytes bytes = {0};
    bool reply = instr->direction == NFT_DIRECTION_REPLY;
    uint8_t original = 0;
    switch ((enum nft_ct)instr->key) {
    case CT_STATE:
        know_bits(&bytes, NFT_STATE_NEW, UINT32_MAX);
        break;
    case CT_STATUS:
        know_bits(&bytes, packet->translated ? NFT_STATUS_DNAT : 0, UINT8_MAX);
        break;
    case CT_DIRECTION:
        know(&bytes, 0, &original, sizeof(original));
        break;
    case CT_SOURCE4:
    case CT_SOURCE6:
        if (!reply && packet->source.family)
            know(&bytes, 0, packet->source.bytes, sizes[instr->key]);
        break;
    case CT_DESTINATION4:
    case CT_DESTINATION6:
        if (!reply && !packet->translated && is_known(&packet->destination))
            know(&bytes, 0, packet->destination.bytes, sizes[instr->key]);
        break;
    case CT_OTHER:
        break;
    }
    return load(trial, instr, &bytes, 0, sizes[instr->key]);
}

static enum truth load_immediate(struct foreign_trial *trial, const struct nft_instr *instr)
{
    struct foreign_bytes bytes = {0};
    know(&bytes, 0, instr->data, NFT_DATA_SIZE);
    return load(trial, instr, &bytes, 0, instr->len);
}

static enum truth load_nothing(struct foreign_trial *trial, const struct nft_instr *instr)
{
    static const struct foreign_bytes nothing = {0};
    return load(trial, instr, &nothing, 0, NFT_DATA_SIZE);
}

/* ---- the rest of the machine ----------------------------------------------------------------- */

static enum truth turn_round(struct foreign_trial *trial, const struct nft_instr *instr)
{
    struct foreign_bytes from = read_register(trial, instr->source), to = {0};
    for (size_t i = 0; i < instr->len && i < NFT_DATA_SIZE; i++)
        copy(&to, i, &from, htons(1) == 1 ? i : instr->len - 1 - i, 1);
    return load(trial, instr, &to, 0, instr->len);
}

static enum truth bitwise(struct foreign_trial *trial, const struct nft_instr *instr)
{
    struct foreign_bytes bytes = read_register(trial, instr->source);
    for (size_t i = 0; i < NFT_DATA_SIZE; i++) {
        bytes.value[i] = (bytes.value[i] & instr->mask[i]) ^ instr->data[i];
        bytes.known[i] |= (uint8_t)~instr->mask[i];
    }
    return load(trial, instr, &bytes, 0, instr->len);
}

static bool holds(enum nft_compare how, int order)
{
    switch (how) {
    case NFT_EQUAL:
        return order == 0;
    case NFT_NOT_EQUAL:
        return order != 0;
    case NFT_LESS:
        return order < 0;
    case NFT_LESS_EQUAL:
        return order <= 0;
    case NFT_GREATER:
        return order > 0;
    case NFT_GREATER_EQUAL:
        return order >= 0;
    }
    return false;
}

/* One known bit that differs is enough to tell that two things are not the same; which one is the
 * larger is known as far as all bits before are. */
static enum truth compare(struct foreign_trial *trial, const struct nft_instr *instr)
{
    struct foreign_bytes bytes = read_register(trial, instr->reg);
    bool whole = true, same = true;
    int order = 0;
    for (size_t i = 0; i < instr->len && i < NFT_DATA_SIZE; i++) {
        uint8_t differs = (uint8_t)((bytes.value[i] ^ instr->data[i]) & bytes.known[i]);
        same = same && !differs;
        whole = whole && bytes.known[i] == UINT8_MAX;
        if (whole && order == 0)
            order = (int)bytes.value[i] - instr->data[i];
    }
    if (!same && (instr->key == NFT_EQUAL || instr->key == NFT_NOT_EQUAL))
        return instr->key == NFT_EQUAL ? TRUTH_NO : TRUTH_YES;
    if (!whole && order == 0)
        return TRUTH_MAYBE;
    return holds((enum nft_compare)instr->key, order) ? TRUTH_YES : TRUTH_NO;
}

/* Perhaps not: then what is known is where both agree. */
static enum truth set_meta(struct foreign_trial *trial, const struct nft_instr *instr)
{
    struct foreign_bytes bytes = read_register(trial, instr->reg);
    bool sure = trial->truth == TRUTH_YES && !trial->doubtful;
    for (size_t i = 0; instr->key == META_MARK && i < sizeof(uint32_t); i++) {
        uint8_t agreed = (uint8_t) ~(bytes.value[i] ^ trial->mark.value[i]);
        trial->mark.known[i] =
            (uint8_t)(sure ? bytes.known[i] : bytes.known[i] & trial->mark.known[i] & agreed);
        trial->mark.value[i] = bytes.value[i];
    }
    return TRUTH_YES;
}

/* It may be a condition, and may put anything anywhere. */
static enum truth wonder(struct foreign_trial *trial, const struct nft_instr *instr)
{
    (void)instr;
    trial->registers = (struct foreign_bytes){0};
    return TRUTH_MAYBE;
}

static enum truth pass(struct foreign_trial *trial, const struct nft_instr *instr)
{
    (void)trial, (void)instr;
    return TRUTH_YES;
}

/* NULL: the rule ends there. */
static enum truth (*const ops[NFT_OP_COUNT])(struct foreign_trial *trial,
                                             const struct nft_instr *instr) = {
    [NFT_OP_OTHER] = wonder,
    [NFT_OP_META_LOAD] = load_meta,
    [NFT_OP_META_SET] = set_meta,
    [NFT_OP_PAYLOAD] = load_payload,
    [NFT_OP_CT_LOAD] = load_ct,
    [NFT_OP_RT_LOAD] = load_nothing,
    [NFT_OP_IMMEDIATE] = load_immediate,
    [NFT_OP_HTON] = turn_round,
    [NFT_OP_COMPARE] = compare,
    [NFT_OP_BITWISE] = bitwise,
    [NFT_OP_LOOKUP] = wonder,
    [NFT_OP_LOOKUP_MAP] = wonder,
    [NFT_OP_LOOKUP_VERDICT] = NULL,
    [NFT_OP_VERDICT] = NULL,
    [NFT_OP_TCP_OPTION_SET] = pass,
    [NFT_OP_SNAT] = wonder,
    [NFT_OP_DNAT] = wonder,
    [NFT_OP_MASQUERADE] = wonder,
    [NFT_OP_REJECT_TCP] = NULL,
    [NFT_OP_REJECT_ADMIN] = NULL,
    [NFT_OP_REJECT_OTHER] = NULL,
    [NFT_OP_COUNTER] = pass,
};

enum truth foreign_try(struct foreign_trial *trial, const struct nft_rule *rule,
                       const struct nft_instr **retend)
{
    *retend = NULL;
    trial->truth = TRUTH_YES;
    for (size_t i = 0; i < rule->count && trial->truth != TRUTH_NO; i++) {
        const struct nft_instr *instr = &rule->instrs[i];
        if (!ops[instr->op]) {
            *retend = instr;
            break;
        }
        enum truth truth = ops[instr->op](trial, instr);
        if (truth < trial->truth)
            trial->truth = truth;
    }
    return trial->truth;
}
