/*
 * IP addresses, prefixes and endpoints, both families, as values.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip {
    uint8_t family;    /* AF_INET, AF_INET6; 0: none */
    uint8_t bytes[16]; /* network order; an IPv4 address in the first four, the rest zero */
};

struct prefix {
    struct ip ip;
    uint8_t len;
};

/* host:port as a person wrote it; `ip.family` is set when host is an address, else it is a name. */
struct endpoint {
    const char *host;
    struct ip ip;
    uint32_t scope; /* interface index of a scoped IPv6 address, else 0 */
    uint16_t port;
};

/* Room for every text of this file: an address with /len, or with brackets and port. */
enum { ADDR_TEXT_MAX = INET6_ADDRSTRLEN + 4 + 16 };

/* Both return 0, or -EINVAL. Strict dotted quads; an address alone is a prefix of /32 or /128; host
 * bits are kept. */
int ip_parse(const char *text, struct ip *ret);
int prefix_parse(const char *text, struct prefix *ret);
const char *ip_format(const struct ip *ip, char buf[static ADDR_TEXT_MAX]);
const char *prefix_format(const struct prefix *p, char buf[static ADDR_TEXT_MAX]);
/* a.b.c.d:port or [v6]:port */
const char *ip_port_format(const struct ip *ip, uint16_t port, char buf[static ADDR_TEXT_MAX]);

bool ip_equal(const struct ip *a, const struct ip *b);
int ip_compare(const struct ip *a, const struct ip *b);
int prefix_compare(const struct prefix *a, const struct prefix *b);
unsigned ip_bits(const struct ip *ip); /* 32 or 128 */
struct prefix prefix_of_host(const struct ip *ip);

bool prefix_has_host_bits(const struct prefix *p);
struct prefix prefix_normalise(const struct prefix *p);
bool prefix_contains(const struct prefix *p, const struct ip *ip);
bool prefix_overlaps(const struct prefix *a, const struct prefix *b);
/* Private by RFC 1918, or (IPv6) unique local by RFC 4193. */
bool prefix_is_private(const struct prefix *p);

/* The host of number n in the prefix (n < 2^32); and back. */
struct ip prefix_host(const struct prefix *p, uint32_t n);
uint32_t prefix_host_number(const struct prefix *p, const struct ip *ip);
/* Addresses in an IPv4 prefix; UINT32_MAX when they are more than that. */
uint32_t prefix_size(const struct prefix *p);

/*
 * Splits "host:port", "[v6]:port", "[v6%scope]:port". `storage` receives the host's text (at least
 * strlen(text) + 1 bytes). Port 1–65535. Returns 0, or -EINVAL and *retwhy in words.
 */
int endpoint_parse(const char *text, char *storage, struct endpoint *ret, const char **retwhy);
