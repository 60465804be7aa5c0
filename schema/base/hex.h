/*
 * Bytes as hexadecimal digits, for the hashes and keys of this folder.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Writes 2 * len lower-case digits and the end; returns buf. */
const char *hex_format(const uint8_t *bytes, size_t len, char *buf);
/* Reads exactly 2 * len digits of either case. Returns 0, or -EINVAL with ret untouched or
 * part-filled. */
int hex_parse(const char *text, uint8_t *ret, size_t len);
