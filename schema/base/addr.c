#include "schema/base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "schema/base/mem.h"

unsigned ip_bits(const struct ip *ip)
{
    return ip->family == AF_INET ? 32 : 128;
}

int ip_parse(const char *text, struct ip *ret)
{
    struct ip ip = {.family = strchr(text, ':') ? AF_INET6 : AF_INET};
    if (inet_pton(ip.family, text, ip.bytes) != 1)
        return -EINVAL;
    *ret = ip;
    return 0;
}

/* Decimal digits alone, at most five, without leading zeros. */
static int parse_number(const char *text, unsigned max, unsigned *ret)
{
    size_t len = strspn(text, "0123456789");
    if (len < 1 || len > 5 || text[len] || (len > 1 && text[0] == '0'))
        return -EINVAL;
    unsigned long value = strtoul(text, NULL, 10);
    if (value > max)
        return -EINVAL;
    *ret = (unsigned)value;
    return 0;
}

int prefix_parse(const char *text, struct prefix *ret)
{
    char address[INET6_ADDRSTRLEN];
    size_t len = strcspn(text, "/");
    if (len >= sizeof(address))
        return -EINVAL;
    memcpy(address, text, len);
    address[len] = '\0';

    struct ip ip;
    if (ip_parse(address, &ip) < 0)
        return -EINVAL;
    unsigned bits = ip_bits(&ip);
    if (text[len] == '/' && parse_number(text + len + 1, bits, &bits) < 0)
        return -EINVAL;
    *ret = (struct prefix){.ip = ip, .len = (uint8_t)bits};
    return 0;
}

const char *ip_format(const struct ip *ip, char buf[static ADDR_TEXT_MAX])
{
    if (!ip->family || !inet_ntop(ip->family, ip->bytes, buf, ADDR_TEXT_MAX))
        buf[0] = '\0';
    return buf;
}

const char *prefix_format(const struct prefix *p, char buf[static ADDR_TEXT_MAX])
{
    size_t len = strlen(ip_format(&p->ip, buf));
    snprintf(buf + len, ADDR_TEXT_MAX - len, "/%u", p->len);
    return buf;
}

const char *ip_port_format(const struct ip *ip, uint16_t port, char buf[static ADDR_TEXT_MAX])
{
    char address[ADDR_TEXT_MAX];
    ip_format(ip, address);
    bool six = ip->family == AF_INET6;
    snprintf(buf, ADDR_TEXT_MAX, "%s%.*s%s:%u", six ? "[" : "", INET6_ADDRSTRLEN, address,
             six ? "]" : "", port);
    return buf;
}

int ip_compare(const struct ip *a, const struct ip *b)
{
    if (a->family != b->family)
        return a->family < b->family ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool ip_equal(const struct ip *a, const struct ip *b)
{
    return ip_compare(a, b) == 0;
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
    int order = ip_compare(&a->ip, &b->ip);
    return order ? order : (int)a->len - (int)b->len;
}

struct prefix prefix_of_host(const struct ip *ip)
{
    return (struct prefix){.ip = *ip, .len = (uint8_t)ip_bits(ip)};
}

/* The bits of byte `at` that belong to the network. */
static uint8_t mask_byte(unsigned len, unsigned at)
{
    if (len >= 8 * (at + 1))
        return 0xff;
    return len <= 8 * at ? 0 : (uint8_t)(0xff << (8 * (at + 1) - len));
}

struct prefix prefix_normalise(const struct prefix *p)
{
    struct prefix network = *p;
    for (unsigned i = 0; i < sizeof(network.ip.bytes); i++)
        network.ip.bytes[i] &= mask_byte(p->len, i);
    return network;
}

bool prefix_has_host_bits(const struct prefix *p)
{
    struct prefix network = prefix_normalise(p);
    return !ip_equal(&network.ip, &p->ip);
}

bool prefix_contains(const struct prefix *p, const struct ip *ip)
{
    if (p->ip.family != ip->family)
        return false;
    for (unsigned i = 0; i < sizeof(ip->bytes); i++)
        if ((p->ip.bytes[i] ^ ip->bytes[i]) & mask_byte(p->len, i))
            return false;
    return true;
}

bool prefix_overlaps(const struct prefix *a, const struct prefix *b)
{
    return a->len <= b->len ? prefix_contains(a, &b->ip) : prefix_contains(b, &a->ip);
}

bool prefix_is_private(const struct prefix *p)
{
    static const struct prefix private[] = {
        {{AF_INET, {10}}, 8},
        {{AF_INET, {172, 16}}, 12},
        {{AF_INET, {192, 168}}, 16},
        {{AF_INET6, {0xfc}}, 7},
    };
    for (size_t i = 0; i < ARRAY_SIZE(private); i++)
        if (p->len >= private[i].len && prefix_contains(&private[i], &p -> ip))
            return true;
    return false;
}

struct ip prefix_host(const struct prefix *p, uint32_t n)
{
    struct ip ip = prefix_normalise(p).ip;
    for (unsigned i = ip_bits(&ip) / 8; n; n >>= 8)
        ip.bytes[--i] |= (uint8_t)n;
    return ip;
}

uint32_t prefix_host_number(const struct prefix *p, const struct ip *ip)
{
    uint32_t n = 0;
    for (unsigned i = ip_bits(ip) / 8 - 4; i < ip_bits(ip) / 8; i++)
        n = n << 8 | (ip->bytes[i] & (uint8_t)~mask_byte(p->len, i));
    return n;
}

uint32_t prefix_size(const struct prefix *p)
{
    unsigned host_bits = ip_bits(&p->ip) - p->len;
    return host_bits >= 32 ? UINT32_MAX : (uint32_t)1 << host_bits;
}

/* Names as DNS has them, and underscores. A last label of digits alone is a mistyped address. */
static const char *check_name(const char *host)
{
    enum { NAME_LEN_MAX = 253, LABEL_LEN_MAX = 63 };
    size_t len = strlen(host);
    if (len == 0)
        return "the host is missing";
    if (len > NAME_LEN_MAX)
        return "the host name is longer than 253 characters";
    bool digits = false;
    for (const char *label = host; *label;) {
        size_t label_len = strcspn(label, ".");
        if (label_len == 0 || label_len > LABEL_LEN_MAX || label[0] == '-')
            return "the host is neither an address nor a name";
        digits = true;
        for (size_t i = 0; i < label_len; i++) {
            unsigned char c = (unsigned char)label[i];
            if (c > 127 || (!isalnum(c) && c != '-' && c != '_'))
                return "the host has characters that no name has";
            digits = digits && isdigit(c);
        }
        label += label_len + (label[label_len] == '.');
    }
    return digits ? "the host is not a valid IPv4 address" : NULL;
}

static const char *parse_scope(const char *text, uint32_t *ret)
{
    char *end;
    errno = 0;
    unsigned long index = strtoul(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end)
        index = if_nametoindex(text);
    else if (errno || index > INT32_MAX)
        index = 0;
    if (!index)
        return "the scope after % is not an interface of this system";
    *ret = (uint32_t)index;
    return NULL;
}

/* `host` without its brackets. */
static const char *parse_ip6(char *host, struct endpoint *ret)
{
    const char *why = NULL;
    char *percent = strchr(host, '%');
    if (percent) {
        why = parse_scope(percent + 1, &ret->scope);
        *percent = '\0';
    }
    if (!why && (!strchr(host, ':') || ip_parse(host, &ret->ip) < 0))
        why = "the text in brackets is not an IPv6 address";
    if (percent)
        *percent = '%';
    return why;
}

static const char *parse_host(char *host, struct endpoint *ret)
{
    size_t len = strlen(host);
    if (host[0] == '[') {
        if (host[len - 1] != ']')
            return "the bracket is not closed before the port";
        host[len - 1] = '\0';
        ret->host = host + 1;
        return parse_ip6(host + 1, ret);
    }
    if (strchr(host, ':'))
        return "an IPv6 address needs brackets: [address]:port";
    ret->host = host;
    return ip_parse(host, &ret->ip) == 0 ? NULL : check_name(host);
}

int endpoint_parse(const char *text, char *storage, struct endpoint *ret, const char **retwhy)
{
    struct endpoint endpoint = {0};
    unsigned port = 0;
    const char *why = NULL;
    const char *colon = strrchr(text, ':');
    if (!colon || (text[0] == '[' && strchr(colon, ']'))) {
        why = "the port is missing: host:port";
    } else if (parse_number(colon + 1, UINT16_MAX, &port) < 0 || port == 0) {
        why = "the port is not a number from 1 to 65535";
    } else {
        size_t len = (size_t)(colon - text);
        memcpy(storage, text, len);
        storage[len] = '\0';
        why = parse_host(storage, &endpoint);
    }
    if (why) {
        *retwhy = why;
        return -EINVAL;
    }
    endpoint.port = (uint16_t)port;
    *ret = endpoint;
    return 0;
}
