#include "schema/types.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/resource.h"

/* ---- reading and writing, one pair a type ---- */

#define PARSE(name)                                                                                \
    static int parse_##name(const struct field *field, const char *text, void *value,              \
                            struct arena *arena, const char **retwhy)
#define FORMAT(name)                                                                               \
    static void format_##name(const struct field *field, const void *value, struct strbuf *out)
#define UNUSED(x) ((void)(x))

static int refuse(const char **retwhy, const char *why)
{
    *retwhy = why;
    return -EINVAL;
}

static int parse_digits(const char *text, int64_t *ret)
{
    size_t len = strlen(text);
    if (len == 0 || len > 10 || strspn(text, "0123456789") != len || (len > 1 && *text == '0'))
        return -EINVAL;
    *ret = strtoll(text, NULL, 10);
    return 0;
}

static int parse_bounded(const struct field *field, const char *text, int64_t *ret,
                         struct arena *arena, const char **retwhy)
{
    if (parse_digits(text, ret) == 0 && *ret >= field->low && *ret <= field->high)
        return 0;
    return refuse(retwhy, arena_printf(arena, "a whole number from %lld to %lld",
                                       (long long)field->low, (long long)field->high));
}

PARSE(bool)
{
    UNUSED(field), UNUSED(arena);
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        return refuse(retwhy, "true or false, without quotes");
    *(bool *)value = *text == 't';
    return 0;
}

FORMAT(bool)
{
    UNUSED(field);
    strbuf_puts(out, *(const bool *)value ? "true" : "false");
}

PARSE(int)
{
    int64_t number;
    if (parse_bounded(field, text, &number, arena, retwhy) < 0)
        return -EINVAL;
    *(uint32_t *)value = (uint32_t)number;
    return 0;
}

FORMAT(int)
{
    UNUSED(field);
    strbuf_printf(out, "%u", *(const uint32_t *)value);
}

PARSE(auto_int)
{
    int64_t number = 0;
    if (strcmp(text, "auto") != 0 &&
        (parse_digits(text, &number) < 0 || number < field->low || number > field->high))
        return refuse(retwhy, arena_printf(arena, "auto, or a whole number from %lld to %lld",
                                           (long long)field->low, (long long)field->high));
    *(uint32_t *)value = (uint32_t)number;
    return 0;
}

FORMAT(auto_int)
{
    if (*(const uint32_t *)value == 0)
        strbuf_puts(out, "auto");
    else
        format_int(field, value, out);
}

PARSE(port)
{
    UNUSED(field), UNUSED(arena);
    int64_t number;
    if (parse_digits(text, &number) < 0 || number < 1 || number > UINT16_MAX)
        return refuse(retwhy, "a port from 1 to 65535");
    *(uint16_t *)value = (uint16_t)number;
    return 0;
}

FORMAT(port)
{
    UNUSED(field);
    strbuf_printf(out, "%u", *(const uint16_t *)value);
}

PARSE(percent)
{
    UNUSED(field);
    size_t len = strlen(text);
    int64_t number;
    if (len < 2 || text[len - 1] != '%' ||
        parse_digits(arena_strndup(arena, text, len - 1), &number) < 0 || number > 100)
        return refuse(retwhy, "a percentage such as 50%");
    *(uint32_t *)value = (uint32_t)number;
    return 0;
}

FORMAT(percent)
{
    UNUSED(field);
    strbuf_printf(out, "%u%%", *(const uint32_t *)value);
}

PARSE(text)
{
    UNUSED(field), UNUSED(retwhy);
    *(const char **)value = arena_strdup(arena, text);
    return 0;
}

FORMAT(text)
{
    UNUSED(field);
    strbuf_puts(out, *(const char *const *)value);
}

PARSE(name)
{
    if (!resource_name_valid(text))
        return refuse(retwhy, "the name of a resource: 1 to 63 of a-z 0-9 - . , first and last a "
                              "letter or digit");
    return parse_text(field, text, value, arena, retwhy);
}

PARSE(interface)
{
    size_t len = strlen(text);
    bool plain = len > 0 && len < 16 && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
    for (const char *c = text; plain && *c; c++)
        plain = isgraph((unsigned char)*c) && !strchr("/:%\"'\\", *c);
    if (!plain)
        return refuse(retwhy, "the name of an interface, at most 15 characters");
    return parse_text(field, text, value, arena, retwhy);
}

static bool label_valid(const char *label, size_t len)
{
    if (len == 0 || len > 63 || label[0] == '-' || label[len - 1] == '-')
        return false;
    return strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") >= len;
}

static bool domain_valid(const char *text)
{
    if (strlen(text) > 253)
        return false;
    for (;;) {
        size_t len = strcspn(text, ".");
        if (!label_valid(text, len))
            return false;
        if (text[len] == '\0')
            return true;
        text += len + 1;
    }
}

PARSE(domain)
{
    if (!domain_valid(text))
        return refuse(retwhy, "a domain name in lower case, such as alpha.cell");
    return parse_text(field, text, value, arena, retwhy);
}

PARSE(pin)
{
    if (strncmp(text, "sha256:", 7) != 0 || strlen(text) != 7 + HASH_HEX_LEN ||
        strspn(text + 7, "0123456789abcdef") != HASH_HEX_LEN)
        return refuse(retwhy, "sha256: and 64 hexadecimal digits in lower case");
    return parse_text(field, text, value, arena, retwhy);
}

/* The i-th of "a|b|c", or NULL; *len is its length. */
static const char *word_at(const char *words, unsigned i, size_t *len)
{
    for (;; words++) {
        *len = strcspn(words, "|");
        if (i-- == 0)
            return words;
        words += *len;
        if (*words == '\0')
            return NULL;
    }
}

PARSE(enum)
{
    const char *word;
    size_t len;
    for (unsigned i = 0; (word = word_at(field->words, i, &len)); i++) {
        if (strlen(text) == len && memcmp(word, text, len) == 0) {
            *(uint32_t *)value = i;
            return 0;
        }
    }
    return refuse(retwhy, arena_printf(arena, "one of %s", field->words));
}

FORMAT(enum)
{
    size_t len;
    const char *word = word_at(field->words, *(const uint32_t *)value, &len);
    strbuf_add(out, word, len);
}

PARSE(key)
{
    UNUSED(field), UNUSED(arena);
    if (wgkey_parse(text, value) < 0)
        return refuse(retwhy,
                      "a WireGuard public key: 44 characters of base64, as `wg pubkey` prints it");
    return 0;
}

FORMAT(key)
{
    UNUSED(field);
    char buf[WGKEY_TEXT_LEN + 1];
    strbuf_puts(out, wgkey_format(value, buf));
}

PARSE(secret)
{
    size_t len = strlen(text);
    if (len == 0 || len > 255 || *text == '/' || *text == '.' || strstr(text, "..") ||
        strpbrk(text, "\n\r"))
        return refuse(retwhy, "the name of a file below the secrets directory, without \"..\"");
    return parse_text(field, text, value, arena, retwhy);
}

static int parse_family(const char *text, sa_family_t family, struct ip *ret)
{
    struct ip ip;
    if (ip_parse(text, &ip) < 0 || ip.family != family)
        return -EINVAL;
    *ret = ip;
    return 0;
}

PARSE(address4)
{
    UNUSED(field), UNUSED(arena);
    if (parse_family(text, AF_INET, value) < 0)
        return refuse(retwhy, "an IPv4 address such as 10.10.0.34, without a prefix length");
    return 0;
}

PARSE(address6)
{
    UNUSED(field), UNUSED(arena);
    if (parse_family(text, AF_INET6, value) < 0)
        return refuse(retwhy, "an IPv6 address such as fd00:10::22, without a prefix length");
    return 0;
}

FORMAT(address)
{
    UNUSED(field);
    char buf[ADDR_TEXT_MAX];
    strbuf_puts(out, ip_format(value, buf));
}

static int take_prefix(const struct prefix *prefix, struct prefix *ret, struct arena *arena,
                       const char **retwhy)
{
    *ret = prefix_normalise(prefix);
    if (!prefix_has_host_bits(prefix))
        return 0;
    char was[ADDR_TEXT_MAX], is[ADDR_TEXT_MAX];
    *retwhy = arena_printf(arena, "%s has host bits: taken as %s", prefix_format(prefix, was),
                           prefix_format(ret, is));
    return 1;
}

static int parse_prefix_of(sa_family_t family, const struct field *field, const char *text,
                           struct prefix *ret, struct arena *arena, const char **retwhy)
{
    struct prefix prefix;
    if (prefix_parse(text, &prefix) < 0 || prefix.ip.family != family)
        return refuse(retwhy, family == AF_INET ? "an IPv4 prefix such as 10.10.0.0/24"
                                                : "an IPv6 prefix such as fd00:10::/64");
    if (field->high && (prefix.len < field->low || prefix.len > field->high))
        return refuse(retwhy, field->low == field->high
                                  ? arena_printf(arena, "a prefix of length /%d", (int)field->low)
                                  : arena_printf(arena, "a prefix between /%d and /%d",
                                                 (int)field->low, (int)field->high));
    if (!prefix_is_private(&prefix))
        return refuse(retwhy,
                      family == AF_INET
                          ? "a private prefix inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
                          : "a unique local prefix inside fd00::/8");
    return take_prefix(&prefix, ret, arena, retwhy);
}

PARSE(prefix4)
{
    return parse_prefix_of(AF_INET, field, text, value, arena, retwhy);
}

PARSE(prefix6)
{
    return parse_prefix_of(AF_INET6, field, text, value, arena, retwhy);
}

PARSE(prefix)
{
    UNUSED(field);
    struct prefix prefix;
    if (prefix_parse(text, &prefix) < 0)
        return refuse(retwhy, "a prefix such as 192.168.7.0/24 or fd00:7::/64");
    return take_prefix(&prefix, value, arena, retwhy);
}

FORMAT(prefix)
{
    UNUSED(field);
    char buf[ADDR_TEXT_MAX];
    strbuf_puts(out, prefix_format(value, buf));
}

/* Is this host a name that can be looked up? Addresses have been recognised before. */
static bool host_valid(const char *host)
{
    char lower[256];
    size_t len = strlen(host);
    if (len >= sizeof(lower))
        return false;
    for (size_t i = 0; i <= len; i++)
        lower[i] = (char)tolower((unsigned char)host[i]);
    /* All digits and dots that is no address was meant to be one. */
    return domain_valid(lower) && strspn(lower, "0123456789.") != len;
}

PARSE(endpoint)
{
    UNUSED(field);
    static const char what[] =
        "host or host:port, an IPv6 address in brackets: [2001:db8::1]:51820";
    struct endpoint endpoint = {0};
    struct ip ip;
    if (ip_parse(text, &ip) == 0) {
        endpoint = (struct endpoint){.host = arena_strdup(arena, text), .ip = ip};
    } else if (strchr(text, ':')) {
        char *host = arena_alloc(arena, strlen(text) + 1);
        const char *why = NULL;
        if (endpoint_parse(text, host, &endpoint, &why) < 0)
            return refuse(retwhy, arena_printf(arena, "%s (%s)", what, why));
    } else {
        endpoint.host = arena_strdup(arena, text);
    }
    if (!endpoint.ip.family && !host_valid(endpoint.host))
        return refuse(retwhy, what);
    *(struct endpoint *)value = endpoint;
    return 0;
}

FORMAT(endpoint)
{
    UNUSED(field);
    const struct endpoint *endpoint = value;
    bool brackets = endpoint->ip.family == AF_INET6 && endpoint->port;
    strbuf_printf(out, brackets ? "[%s]" : "%s", endpoint->host);
    if (endpoint->port)
        strbuf_printf(out, ":%u", endpoint->port);
}

PARSE(range)
{
    UNUSED(field);
    size_t dash = strcspn(text, "-");
    int64_t first, last;
    if (text[dash] != '-' || parse_digits(arena_strndup(arena, text, dash), &first) < 0 ||
        parse_digits(text + dash + 1, &last) < 0 || first < 1 || last > UINT16_MAX || first > last)
        return refuse(retwhy, "a range of ports such as 51821-51899");
    *(struct port_range *)value = (struct port_range){(uint16_t)first, (uint16_t)last};
    return 0;
}

FORMAT(range)
{
    UNUSED(field);
    const struct port_range *range = value;
    strbuf_printf(out, "%u-%u", range->first, range->last);
}

PARSE(time)
{
    UNUSED(field), UNUSED(arena);
    if (clock_parse_rfc3339(text, value) < 0)
        return refuse(retwhy, "a time such as 2027-01-31T18:00:00Z");
    return 0;
}

FORMAT(time)
{
    UNUSED(field);
    char buf[CLOCK_RFC3339_MAX];
    strbuf_puts(out, clock_format_rfc3339(*(const int64_t *)value, buf));
}

PARSE(port_proto)
{
    UNUSED(field);
    size_t slash = strcspn(text, "/");
    int64_t port;
    bool tcp = strcmp(text + slash, "/tcp") == 0;
    if ((!tcp && strcmp(text + slash, "/udp") != 0) ||
        parse_digits(arena_strndup(arena, text, slash), &port) < 0 || port < 1 || port > UINT16_MAX)
        return refuse(retwhy, "port/tcp or port/udp, such as 22/tcp");
    *(struct port_proto *)value =
        (struct port_proto){(uint16_t)port, tcp ? IPPROTO_TCP : IPPROTO_UDP};
    return 0;
}

FORMAT(port_proto)
{
    UNUSED(field);
    const struct port_proto *p = value;
    strbuf_printf(out, "%u/%s", p->port, p->protocol == IPPROTO_TCP ? "tcp" : "udp");
}

PARSE(listen)
{
    static const char what[] = "address:port, loopback:port or vpn:port";
    char *host = arena_alloc(arena, strlen(text) + 1);
    struct endpoint endpoint;
    const char *why;
    if (endpoint_parse(text, host, &endpoint, &why) < 0)
        return refuse(retwhy, what);
    if (!endpoint.ip.family && strcmp(host, "loopback") != 0 && strcmp(host, "vpn") != 0)
        return refuse(retwhy, what);
    return parse_text(field, text, value, arena, retwhy);
}

/* ---- the table ---- */

static const struct type types[] = {
#define ROW(id, shape_, ctype, any_, parser, formatter, name_)                                     \
    [FIELD_##id] = {name_, SHAPE_##shape_, sizeof(ctype), any_, parse_##parser, format_##formatter}
    ROW(BOOL, BOOL, bool, NULL, bool, bool, "boolean"),
    ROW(INT, NUMBER, uint32_t, NULL, int, int, "number"),
    ROW(AUTO_INT, NUMBER, uint32_t, "auto", auto_int, auto_int, "auto or number"),
    ROW(PORT, NUMBER, uint16_t, NULL, port, port, "port"),
    ROW(PERCENT, TEXT, uint32_t, NULL, percent, percent, "percentage"),
    ROW(TEXT, TEXT, const char *, NULL, text, text, "text"),
    ROW(NAME, TEXT, const char *, NULL, name, text, "name"),
    ROW(INTERFACE, TEXT, const char *, NULL, interface, text, "interface name"),
    ROW(DOMAIN, TEXT, const char *, NULL, domain, text, "domain name"),
    ROW(PIN, TEXT, const char *, NULL, pin, text, "key pin"),
    ROW(ENUM, TEXT, uint32_t, NULL, enum, enum, "word"),
    ROW(KEY, TEXT, struct wgkey, NULL, key, key, "WireGuard key"),
    ROW(SECRET, SECRET, const char *, NULL, secret, text, "secret"),
    ROW(ADDRESS4, TEXT, struct ip, NULL, address4, address, "IPv4 address"),
    ROW(ADDRESS6, TEXT, struct ip, NULL, address6, address, "IPv6 address"),
    ROW(PREFIX4, TEXT, struct prefix, NULL, prefix4, prefix, "IPv4 prefix"),
    ROW(PREFIX6, TEXT, struct prefix, NULL, prefix6, prefix, "IPv6 prefix"),
    ROW(ENDPOINT, TEXT, struct endpoint, NULL, endpoint, endpoint, "host or host:port"),
    ROW(RANGE, TEXT, struct port_range, NULL, range, range, "port range"),
    ROW(TIME, TEXT, int64_t, NULL, time, time, "time"),
    ROW(NAMES, LIST, const char *, "*", name, text, "list of names"),
    ROW(PREFIXES, LIST, struct prefix, NULL, prefix, prefix, "list of prefixes"),
    ROW(AUTO_PREFIXES, LIST, struct prefix, "auto", prefix, prefix, "auto or list of prefixes"),
    ROW(PORTS, LIST, struct port_proto, NULL, port_proto, port_proto, "list of ports"),
    ROW(LISTENS, LIST, const char *, NULL, listen, text, "list of addresses with ports"),
    ROW(PINS, LIST, const char *, NULL, pin, text, "list of key pins"),
#undef ROW
};
_Static_assert(ARRAY_SIZE(types) == FIELD_TYPE_COUNT, "every field type has a row");

const struct type *type_of(enum field_type type)
{
    return &types[type];
}
