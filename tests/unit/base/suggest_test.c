#include "schema/base/suggest.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"

static const char *next_word(const void *context, size_t i)
{
    const char *const *words = context;
    return words[i];
}

Test(suggest, nearest)
{
    static const char *const words[] = {"endpoint", "allowedIPs", "publicKey", "presharedKey",
                                        "mtu",      "peer",       NULL};
    static const struct {
        const char *word, *nearest;
    } rows[] = {
        {"endpoint", "endpoint"},
        {"endpoit", "endpoint"},   /* one missing */
        {"endpooint", "endpoint"}, /* one too many */
        {"endpiont", "endpoint"},  /* two swapped */
        {"enpiont", "endpoint"},   /* missing and swapped: two edits */
        {"allowedips", "allowedIPs"},
        {"PUBLICKEY", "publicKey"},
        {"privateKey", NULL}, /* six edits from publicKey */
        {"pere", "peer"},
        {"mut", "mtu"}, /* a third of three: one swap */
        {"mt", NULL},   /* a third of two is none */
        {"", NULL},
        {"zzzzzzzz", NULL},
        {"zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *nearest = suggest_nearest(rows[i].word, next_word, words);
        const char *expect = rows[i].nearest ? rows[i].nearest : "nothing";
        cr_expect_str_eq(nearest ? nearest : "nothing", expect, "\"%s\" suggests %s", rows[i].word,
                         nearest);
    }
}

Test(suggest, long_words)
{
    static const char long64[] = "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhh";
    static const char long65[] =
        "aaaaaaaabbbbbbbbccccccccddddddddeeeeeeeeffffffffgggggggghhhhhhhhi";
    static const char *const words[] = {long65, long64, NULL};
    cr_expect_eq(suggest_nearest(long64, next_word, words), long64);
    cr_expect_null(suggest_nearest(long65, next_word, words));
    cr_expect_null(suggest_nearest("a", next_word, words + 2));
}
