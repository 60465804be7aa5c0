#include "reconcilers/firewall/sets.h"

#include <arpa/inet.h>
#include <string.h>

/* ---- keys ---- */

/* In a concatenation every part begins at a multiple of four bytes. */
static void add_part(struct fw_key *key, const void *first, const void *last, size_t len)
{
    memcpy(key->first + key->len, first, len);
    memcpy(key->last + key->len, last, len);
    key->len += (len + 3) / 4 * 4;
}

static size_t ip_len(const struct ip *ip)
{
    return ip_bits(ip) / 8;
}

void fw_key_ip(struct fw_key *key, const struct ip *ip)
{
    add_part(key, ip->bytes, ip->bytes, ip_len(ip));
}

void fw_key_interval(struct fw_key *key, const struct interval *interval)
{
    add_part(key, interval->first.bytes, interval->last.bytes, ip_len(&interval->first));
}

void fw_key_prefix(struct fw_key *key, const struct prefix *prefix)
{
    struct interval interval = interval_of_prefix(prefix);
    fw_key_interval(key, &interval);
}

void fw_key_interface(struct fw_key *key, const char *name)
{
    char padded[IFNAMSIZ] = "";
    memcpy(padded, name, strnlen(name, sizeof(padded) - 1));
    add_part(key, padded, padded, sizeof(padded));
}

void fw_key_mark(struct fw_key *key, uint32_t mark)
{
    add_part(key, &mark, &mark, sizeof(mark));
}

void fw_key_proto(struct fw_key *key, uint8_t proto)
{
    add_part(key, &proto, &proto, sizeof(proto));
}

void fw_key_port(struct fw_key *key, uint16_t port)
{
    uint16_t network = htons(port);
    add_part(key, &network, &network, sizeof(network));
}

/* ---- sets of them ---- */

static uint8_t *grow(struct nft_set *set, size_t size, struct arena *arena)
{
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 4;
        uint8_t *larger = arena_alloc(arena, capacity * size);
        if (set->count)
            memcpy(larger, set->elements, set->count * size);
        set->elements = larger;
        set->capacity = capacity;
    }
    return set->elements + set->count++ * size;
}

void fw_put(struct nft_set *set, const struct fw_key *key, const struct ip *data,
            struct arena *arena)
{
    size_t key_size = nft_set_key_size(set);
    uint8_t *at = grow(set, nft_set_element_size(set), arena);
    memcpy(at, key->first, key_size);
    at += key_size;
    if (set->interval) {
        memcpy(at, key->last, key_size);
        at += key_size;
    }
    if (data)
        memcpy(at, data->bytes, nft_set_data_size(set));
}

void fw_put_element(struct nft_set *set, const uint8_t *element, struct arena *arena)
{
    size_t size = nft_set_element_size(set);
    memcpy(grow(set, size, arena), element, size);
}

/* Does `next` begin at or before the first number behind `last`? Then the two are one interval. */
static bool touches(const uint8_t *last, const uint8_t *next, size_t len)
{
    uint8_t behind[16];
    if (memcmp(next, last, len) <= 0)
        return true;
    memcpy(behind, last, len);
    for (size_t i = len; i-- > 0;)
        if (++behind[i] != 0)
            break;
    return memcmp(next, behind, len) == 0;
}

static size_t last_part_size(const struct nft_set *set)
{
    size_t i = 0;
    while (i + 1 < NFT_PARTS_MAX && set->key[i + 1] != NFT_TYPE_NONE)
        i++;
    return nft_type_size(set->key[i]);
}

/* Takes `next` into `into` if they differ by the last part of the key at most, and touch there. */
static bool merge(uint8_t *into, const uint8_t *next, size_t key_size, size_t part)
{
    size_t head = key_size - part;
    if (memcmp(into, next, head) != 0 || memcmp(into + key_size, next + key_size, head) != 0)
        return false;
    uint8_t *last = into + key_size + head;
    const uint8_t *first = next + head, *next_last = next + key_size + head;
    if (!touches(last, first, part))
        return false;
    if (memcmp(next_last, last, part) > 0)
        memcpy(last, next_last, part);
    return true;
}

void fw_settle(struct nft_set *set)
{
    size_t size = nft_set_element_size(set), key_size = nft_set_key_size(set), kept = 0;
    size_t part = last_part_size(set);

    nft_set_sort(set);
    if (!set->interval || nft_set_data_size(set) || set->count == 0)
        return;
    for (size_t i = 1; i < set->count; i++) {
        const uint8_t *next = nft_set_at(set, i);
        if (merge(set->elements + kept * size, next, key_size, part))
            continue;
        kept++;
        memmove(set->elements + kept * size, next, size);
    }
    set->count = kept + 1;
}

/* ---- in words ---- */

static const uint8_t *part_text(enum nft_type type, const uint8_t *at, struct strbuf *out)
{
    struct ip ip = {.family = type == NFT_TYPE_IPV6 ? AF_INET6 : AF_INET};
    char text[ADDR_TEXT_MAX];
    size_t len = nft_type_size(type);
    uint32_t mark;

    switch (type) {
    case NFT_TYPE_IPV4:
    case NFT_TYPE_IPV6:
        memcpy(ip.bytes, at, len);
        strbuf_puts(out, ip_format(&ip, text));
        break;
    case NFT_TYPE_IFNAME:
        strbuf_printf(out, "%.*s", IFNAMSIZ, (const char *)at);
        break;
    case NFT_TYPE_MARK:
        memcpy(&mark, at, sizeof(mark));
        strbuf_printf(out, "0x%08x", mark);
        break;
    case NFT_TYPE_PROTO:
        strbuf_puts(out, at[0] == IPPROTO_TCP ? "tcp" : at[0] == IPPROTO_UDP ? "udp" : "other");
        break;
    case NFT_TYPE_PORT:
        strbuf_printf(out, "%u", (unsigned)at[0] << 8 | at[1]);
        break;
    case NFT_TYPE_NONE:
    case NFT_TYPE_VERDICT:
    case NFT_TYPE_OTHER:
        break;
    }
    return at + (len + 3) / 4 * 4;
}

/* The length of the prefix that the interval is; 0: it is none. */
static bool as_prefix(const uint8_t *first, const uint8_t *last, size_t len, unsigned *ret)
{
    unsigned bits = 0, total = (unsigned)len * 8;
    while (bits < total && !((first[bits / 8] ^ last[bits / 8]) & 0x80 >> bits % 8))
        bits++;
    for (unsigned bit = bits; bit < total; bit++)
        if ((first[bit / 8] & 0x80 >> bit % 8) || !(last[bit / 8] & 0x80 >> bit % 8))
            return false;
    *ret = bits;
    return true;
}

static void interval_text(enum nft_type type, const uint8_t *first, const uint8_t *last,
                          struct strbuf *out)
{
    size_t len = nft_type_size(type);
    unsigned bits;
    part_text(type, first, out);
    if (memcmp(first, last, len) == 0)
        return;
    if (as_prefix(first, last, len, &bits)) {
        strbuf_printf(out, "/%u", bits);
    } else {
        strbuf_putc(out, '-');
        part_text(type, last, out);
    }
}

void fw_element_text(const struct nft_set *set, const uint8_t *element, struct strbuf *out)
{
    size_t key_size = nft_set_key_size(set), at = 0;
    for (size_t i = 0; i < NFT_PARTS_MAX && set->key[i] != NFT_TYPE_NONE; i++) {
        const uint8_t *first = element + at;
        strbuf_puts(out, i ? " . " : "");
        interval_text(set->key[i], first, set->interval ? first + key_size : first, out);
        at += (nft_type_size(set->key[i]) + 3) / 4 * 4;
    }
    if (set->data[0] == NFT_TYPE_NONE)
        return;
    strbuf_puts(out, " : ");
    part_text(set->data[0], element + key_size * (set->interval ? 2 : 1), out);
}
