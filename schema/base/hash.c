#include "schema/base/hash.h"

#include <openssl/sha.h>
#include <string.h>

#include "schema/base/hex.h"

uint64_t hash_bytes(const void *data, size_t len, uint64_t seed)
{
    const uint8_t *bytes = data;
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ seed;
    for (size_t i = 0; i < len; i++)
        h = (h ^ bytes[i]) * UINT64_C(0x100000001b3);
    /* FNV leaves the low bits of short keys poorly mixed, and tables use the low bits. */
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

uint64_t hash_text(const char *text, uint64_t seed)
{
    return hash_bytes(text, strlen(text), seed);
}

void hash_sha256_hex(const void *data, size_t len, char buf[static HASH_HEX_LEN + 1])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(data, len, digest);
    hex_format(digest, sizeof(digest), buf);
}
