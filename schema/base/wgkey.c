#include "schema/base/wgkey.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "schema/base/hex.h"
#include "schema/base/mem.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum { SEXTETS = 43 }; /* 43 * 6 = 258 bits: the last two are padding and must be zero */

static int sextet(char c)
{
    const char *found = c ? strchr(alphabet, c) : NULL;
    return found ? (int)(found - alphabet) : -1;
}

static int decode(const char *text, struct wgkey *ret)
{
    uint32_t bits = 0;
    unsigned held = 0, at = 0;
    for (unsigned i = 0; i < SEXTETS; i++) {
        int value = sextet(text[i]);
        if (value < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            ret->bytes[at++] = (uint8_t)(bits >> held);
        }
    }
    return text[SEXTETS] == '=' && (bits & 3) == 0 ? 0 : -EINVAL;
}

int wgkey_parse(const char *text, struct wgkey *ret)
{
    static const char white[] = " \t\r\n";
    text += strspn(text, white);
    size_t len = strcspn(text, white);
    if (len != WGKEY_TEXT_LEN || text[len + strspn(text + len, white)])
        return -EINVAL;
    WGKEY_SECRET key = {{0}};
    int r = decode(text, &key);
    if (r < 0)
        return r;
    if (wgkey_is_zero(&key))
        return -EINVAL;
    *ret = key;
    return 0;
}

const char *wgkey_format(const struct wgkey *key, char buf[static WGKEY_TEXT_LEN + 1])
{
    uint32_t bits = 0;
    unsigned held = 0, at = 0;
    for (unsigned i = 0; i < SEXTETS; i++) {
        if (held < 6) {
            bits = bits << 8 | (at < WGKEY_LEN ? key->bytes[at] : 0);
            at++;
            held += 8;
        }
        held -= 6;
        buf[i] = alphabet[bits >> held & 63];
    }
    buf[SEXTETS] = '=';
    buf[WGKEY_TEXT_LEN] = '\0';
    return buf;
}

int wgkey_parse_hex(const char *text, struct wgkey *ret)
{
    WGKEY_SECRET key = {{0}};
    int r = hex_parse(text, key.bytes, WGKEY_LEN);
    if (r < 0)
        return r;
    *ret = key;
    return 0;
}

const char *wgkey_format_hex(const struct wgkey *key, char buf[static 2 * WGKEY_LEN + 1])
{
    return hex_format(key->bytes, WGKEY_LEN, buf);
}

static void random_bytes(void *ret, size_t len)
{
    /* Up to 256 bytes come whole and without EINTR once the pool is ready (getrandom(2)). */
    while (getrandom(ret, len, 0) != (ssize_t)len)
        if (errno != EINTR)
            abort();
}

void wgkey_generate_private(struct wgkey *ret)
{
    random_bytes(ret->bytes, WGKEY_LEN);
    ret->bytes[0] &= 248;
    ret->bytes[31] = (ret->bytes[31] & 127) | 64;
}

void wgkey_generate_psk(struct wgkey *ret)
{
    random_bytes(ret->bytes, WGKEY_LEN);
}

void wgkey_public(const struct wgkey *private_key, struct wgkey *ret)
{
    size_t len = WGKEY_LEN;
    EVP_PKEY *key =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key->bytes, WGKEY_LEN);
    /* Every 32 bytes are a private key: only memory can fail here. */
    if (!key || EVP_PKEY_get_raw_public_key(key, ret->bytes, &len) != 1 || len != WGKEY_LEN)
        abort();
    EVP_PKEY_free(key);
}

bool wgkey_equal(const struct wgkey *a, const struct wgkey *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, WGKEY_LEN) == 0;
}

bool wgkey_is_zero(const struct wgkey *key)
{
    static const struct wgkey zero;
    return wgkey_equal(key, &zero);
}

void wgkey_wipe(struct wgkey *key)
{
    mem_wipe(key, sizeof(*key));
}
