#include "schema/base/hash.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "schema/base/mem.h"

/* FIPS 180-4 examples. */
Test(hash, sha256)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char hex[HASH_HEX_LEN + 1];
        hash_sha256_hex(rows[i].text, strlen(rows[i].text), hex);
        cr_expect_str_eq(hex, rows[i].hex, "row %zu: %s", i, hex);
    }
}

/* Names that differ in a digit fill the slots of a table evenly: the longest of 1,024 chains is
 * short. */
Test(hash, spreads)
{
    enum { SLOTS = 1024, NAMES = 10 * SLOTS, CHAIN_MAX = 35 };
    unsigned chains[SLOTS] = {0};
    for (int i = 0; i < NAMES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "peer-%05d", i);
        unsigned *chain = &chains[hash_text(name, 0) % SLOTS];
        cr_assert_lt(++*chain, CHAIN_MAX, "too many in one slot");
    }
    cr_expect_neq(hash_text("a", 0), hash_text("a", 1), "the seed has no effect");
    cr_expect_eq(hash_text("peer", 7), hash_bytes("peer", 4, 7));
    cr_expect_neq(hash_bytes("a\0", 2, 0), hash_bytes("a", 1, 0));
}
