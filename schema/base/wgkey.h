/*
 * WireGuard keys (Curve25519, RFC 7748): 32 bytes, written as 44 characters of base64.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { WGKEY_LEN = 32, WGKEY_TEXT_LEN = 44 };

struct wgkey {
    uint8_t bytes[WGKEY_LEN];
};

/* Strict: 44 characters, standard alphabet, no stray bits, not all zero. White space around is
 * ignored. Returns 0 or -EINVAL; never says anything about the key itself. */
int wgkey_parse(const char *text, struct wgkey *ret);
const char *wgkey_format(const struct wgkey *key, char buf[static WGKEY_TEXT_LEN + 1]);

/* 64 hexadecimal digits, as the UAPI writes them. All zero is taken: there it means no key. */
int wgkey_parse_hex(const char *text, struct wgkey *ret);
const char *wgkey_format_hex(const struct wgkey *key, char buf[static 2 * WGKEY_LEN + 1]);

void wgkey_generate_private(struct wgkey *ret); /* clamped as RFC 7748 section 5 says */
void wgkey_generate_psk(struct wgkey *ret);
void wgkey_public(const struct wgkey *private_key, struct wgkey *ret);
bool wgkey_equal(const struct wgkey *a, const struct wgkey *b);
bool wgkey_is_zero(const struct wgkey *key);
void wgkey_wipe(struct wgkey *key);
#define WGKEY_SECRET __attribute__((cleanup(wgkey_wipe))) struct wgkey
