#include "schema/base/wgkey.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"

#define A42 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define HEX31 "00000000000000000000000000000000000000000000000000000000000000"

/* hex NULL: refused. */
Test(wgkey, parse)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {A42 "E=", HEX31 "01"},
        {" \t" A42 "E=\r\n", HEX31 "01"},
        {"//////////////////////////////////////////8=",
         "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"},
        {"dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=",
         "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"},
        {A42 "A=", NULL},    /* all zero */
        {A42 "F=", NULL},    /* a stray bit after the 256th */
        {A42 "EA", NULL},    /* no padding */
        {A42 "E", NULL},     /* short */
        {A42 "E==", NULL},   /* long */
        {A42 "E= x", NULL},  /* more after it */
        {"-" A42 "=", NULL}, /* the alphabet of URLs */
        {"A=" A42, NULL},    /* padding in the middle */
        {"AAAA AAAA" A42, NULL},
        {"", NULL},
        {"  ", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct wgkey key = {{9}};
        char hex[2 * WGKEY_LEN + 1];
        int r = wgkey_parse(rows[i].text, &key);
        if (rows[i].hex) {
            cr_expect_eq(r, 0, "row %zu", i);
            cr_expect_str_eq(wgkey_format_hex(&key, hex), rows[i].hex, "row %zu: %s", i, hex);
        } else {
            cr_expect_eq(r, -EINVAL, "row %zu", i);
            cr_expect_eq(key.bytes[0], 9, "row %zu touched the result", i);
        }
    }
}

Test(wgkey, parse_hex)
{
    static const struct {
        const char *text;
        int expect;
    } rows[] = {
        {HEX31 "01", 0},        {HEX31 "fF", 0},       {HEX31 "00", 0},       {HEX31 "0", -EINVAL},
        {HEX31 "001", -EINVAL}, {HEX31 "0g", -EINVAL}, {HEX31 " 1", -EINVAL}, {"", -EINVAL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct wgkey key;
        cr_expect_eq(wgkey_parse_hex(rows[i].text, &key), rows[i].expect, "row %zu", i);
    }
}

/* The pairs of RFC 7748 section 6.1. */
Test(wgkey, public_key)
{
    static const struct {
        const char *private_key, *public_key;
    } rows[] = {
        {"77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
         "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"},
        {"5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
         "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct wgkey private_key, public_key;
        char hex[2 * WGKEY_LEN + 1];
        cr_assert_eq(wgkey_parse_hex(rows[i].private_key, &private_key), 0);
        wgkey_public(&private_key, &public_key);
        cr_expect_str_eq(wgkey_format_hex(&public_key, hex), rows[i].public_key, "row %zu", i);
    }
}

Test(wgkey, generated)
{
    struct wgkey last = {0};
    for (int i = 0; i < 1000; i++) {
        struct wgkey key, again;
        char text[WGKEY_TEXT_LEN + 1];
        if (i % 2)
            wgkey_generate_psk(&key);
        else
            wgkey_generate_private(&key);
        cr_assert_not(wgkey_equal(&key, &last), "the same key twice");
        cr_assert_eq(wgkey_parse(wgkey_format(&key, text), &again), 0, "round %d", i);
        cr_assert(wgkey_equal(&key, &again), "round %d", i);
        if (i % 2 == 0)
            cr_assert((key.bytes[0] & 7) == 0 && (key.bytes[31] & 0xc0) == 0x40, "not clamped");
        last = key;
    }
    wgkey_wipe(&last);
    cr_expect(wgkey_is_zero(&last));
}
