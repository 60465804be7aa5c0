/*
 * What a userspace WireGuard may answer: any bytes, in pieces of any size. Whole and in pieces they
 * must mean the same, and what is handed over must be within the limits of its types.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/sys/uapi.h"
#include "schema/base/hash.h"
#include "schema/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool truth)
{
    if (!truth)
        abort();
}

static void digest_peer(const struct sys_wg_peer *peer, void *context)
{
    uint64_t *digest = context;
    uint8_t family = peer->endpoint.family;
    require(family == 0 || family == AF_INET || family == AF_INET6);
    require(peer->allowed_count <= UAPI_ALLOWED_MAX && peer->last_handshake >= 0);
    *digest = hash_bytes(&peer->public_key, sizeof(peer->public_key), *digest);
    *digest = hash_bytes(&peer->preshared_key, sizeof(peer->preshared_key), *digest);
    *digest = hash_bytes(&peer->endpoint, sizeof(peer->endpoint), *digest + peer->endpoint_port);
    *digest = hash_bytes(&peer->rx_bytes, sizeof(peer->rx_bytes), *digest + peer->keepalive);
    *digest = hash_bytes(&peer->tx_bytes, sizeof(peer->tx_bytes), *digest);
    for (size_t i = 0; i < peer->allowed_count; i++) {
        const struct prefix *prefix = &peer->allowed[i];
        require(prefix->ip.family == AF_INET || prefix->ip.family == AF_INET6);
        require(prefix->len <= ip_bits(&prefix->ip));
        *digest = hash_bytes(prefix, sizeof(*prefix), *digest);
    }
}

/* In pieces of changing size, up to `step` bytes, of one block that has no byte to spare. */
static int parse(const uint8_t *data, size_t size, size_t step, uint64_t *ret)
{
    struct uapi_parser parser;
    MEM_AUTO char *copy = mem_alloc(size);
    int r = 0;
    *ret = 0;
    if (size)
        memcpy(copy, data, size);
    uapi_parser_init(&parser, digest_peer, ret);
    for (size_t at = 0, n = 0; at < size; at += n) {
        n = step >= size ? size : at % step + 1;
        n = n < size - at ? n : size - at;
        r = uapi_parse(&parser, copy + at, n);
    }
    require(r == 0 || r == UAPI_DONE || r == -EBADMSG || r == -E2BIG);
    require(parser.errnum >= 0 && parser.errnum <= 4095);
    *ret = hash_bytes(&parser.device.private_key, WGKEY_LEN, *ret);
    *ret += parser.device.listen_port + parser.device.fwmark + (uint64_t)parser.errnum;
    uapi_parser_clear(&parser);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t whole, pieces;
    int r = parse(data, size, SIZE_MAX, &whole);
    require(parse(data, size, 7, &pieces) == r && (r < 0 || pieces == whole));
    require(parse(data, size, 300, &pieces) == r && (r < 0 || pieces == whole));
    return 0;
}
