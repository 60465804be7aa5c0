#include "schema/base/strbuf.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(strbuf, grows)
{
    struct strbuf b = STRBUF_INIT;
    cr_expect_str_eq(b.text, "");
    for (size_t i = 0; i < 10000; i++) {
        strbuf_putc(&b, (char)('a' + i % 26));
        cr_assert_eq(b.len, i + 1);
        cr_assert_eq(b.text[b.len], '\0');
        cr_assert_lt(b.len, b.capacity);
    }
    for (size_t i = 0; i < b.len; i++)
        cr_assert_eq(b.text[i], 'a' + (char)(i % 26), "byte %zu", i);
    strbuf_clear(&b);
    cr_expect(b.len == 0 && b.capacity == 0 && !*b.text);
}

/* Every length around the first capacities, from an empty and from a half-full buffer. */
Test(strbuf, printf_at_all_lengths)
{
    for (int len = 0; len < 300; len++) {
        struct strbuf b = STRBUF_INIT;
        strbuf_printf(&b, "%*s", len, "");
        cr_assert_eq(b.len, (size_t)len);
        cr_assert_eq(strlen(b.text), (size_t)len);
        strbuf_printf(&b, "<%*d>", len, 7);
        cr_assert_eq(b.len, strlen(b.text));
        cr_assert_eq(b.text[b.len - 1], '>', "length %d", len);
        strbuf_clear(&b);
    }
}

Test(strbuf, binary_reset_and_steal)
{
    struct strbuf b = STRBUF_INIT;
    strbuf_add(&b, "a\0b", 3);
    cr_expect(b.len == 3 && memcmp(b.text, "a\0b", 4) == 0);

    size_t capacity = b.capacity;
    strbuf_reset(&b);
    cr_expect_str_eq(b.text, "");
    cr_expect_eq(b.capacity, capacity);

    strbuf_puts(&b, "mine");
    char *text = strbuf_steal(&b);
    cr_expect_str_eq(text, "mine");
    cr_expect(b.len == 0 && b.capacity == 0 && !*b.text);
    free(text);

    text = strbuf_steal(&b); /* an empty one gives a text that can be written and freed, too */
    cr_expect_str_eq(text, "");
    text[0] = '\0';
    free(text);
    strbuf_reset(&b);
    strbuf_clear(&b);
    cr_expect_eq(strbuf_empty[0], '\0');
}
