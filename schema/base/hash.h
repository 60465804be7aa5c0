/*
 * Hashes: a fast one for tables and change detection inside one process, a strong one for files.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { HASH_HEX_LEN = 64 };

/* FNV-1a with a finalizer; the same on every machine and in every release. */
uint64_t hash_bytes(const void *data, size_t len, uint64_t seed);
uint64_t hash_text(const char *text, uint64_t seed);
void hash_sha256_hex(const void *data, size_t len, char buf[static HASH_HEX_LEN + 1]);
