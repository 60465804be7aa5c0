#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tools/picctl/human.h"
#include "tools/picctl/qr.h"
#include "tools/picctl/table.h"

Test(human, bytes)
{
    static const struct {
        uint64_t bytes;
        const char *text;
    } rows[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {102400, "100 KiB"},
        {1048575, "1.0 MiB"},
        {1 << 20, "1.0 MiB"},
        {UINT64_C(5) << 30, "5.0 GiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char buf[HUMAN_MAX];
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        cr_expect_str_eq(human_bytes(rows[i].bytes, buf), rows[i].text, "%s", buf);
}

Test(human, durations)
{
    static const struct {
        const char *text;
        int64_t seconds; /* -1: refused */
    } rows[] = {
        {"90", 90}, {"90s", 90}, {"5m", 300}, {"2h", 7200}, {"1d", 86400},       {"", -1},
        {"m", -1},  {"5x", -1},  {"-5s", -1}, {"5m3s", -1}, {"9999999999d", -1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t seconds = -1;
        cr_expect_eq(human_parse_duration(rows[i].text, &seconds) == 0, rows[i].seconds >= 0, "%s",
                     rows[i].text);
        cr_expect_eq(seconds, rows[i].seconds, "%s: %lld", rows[i].text, (long long)seconds);
    }
}

Test(human, since)
{
    char buf[HUMAN_MAX];
    cr_expect_str_eq(human_since("2027-01-31T18:00:00Z", 1801418412, buf), "12s", "%s", buf);
    cr_expect_str_eq(human_since("2027-01-31T18:00:00Z", 1801418390, buf), "0s", "%s", buf);
    cr_expect_str_eq(human_since("yesterday", 0, buf), "-");
    cr_expect_str_eq(human_since(NULL, 0, buf), "-");
}

Test(table, layout)
{
    static const char *const cells[] = {"NAME", "X", "b\xc3\xbc", "\033[31m", "longer", ""};
    STRBUF_AUTO out = STRBUF_INIT;
    TABLE_AUTO table;
    table_init(&table, 2);
    for (size_t i = 0; i < ARRAY_SIZE(cells); i++)
        table_add(&table, cells[i], i == 2 ? TINT_GOOD : TINT_PLAIN);
    table_print(&table, true, false, &out);
    cr_expect_str_eq(out.text, "NAME     X\n"
                               "b\xc3\xbc       ?[31m\n"
                               "longer   -\n");
    strbuf_reset(&out);
    table_print(&table, false, true, &out);
    cr_expect_str_eq(out.text, "\033[32mb\xc3\xbc\033[0m       ?[31m\nlonger   -\n");
}

/* Every line has the same number of characters, the quiet zone is light, the corner's finder dark.
 */
Test(qr, shape)
{
    STRBUF_AUTO out = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    cr_assert_eq(qr_print("hello", 5, false, &out, &error), 0);
    size_t lines = 0;
    for (const char *line = out.text; *line; line = strchr(line, '\n') + 1, lines++) {
        size_t width = 0;
        for (const char *c = line; *c != '\n'; c++)
            width += ((unsigned char)*c & 0xc0) != 0x80;
        cr_expect_eq(width, 21 + 8, "line %zu has %zu characters", lines, width);
    }
    cr_expect_eq(lines, (21 + 8 + 1) / 2);
    for (int i = 0; i < 4; i++)
        cr_expect_eq(strncmp(out.text + strlen("\u2588") * (size_t)i, "\u2588", 3), 0);
}

Test(qr, too_long)
{
    STRBUF_AUTO out = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    MEM_AUTO char *text = mem_alloc(4000);
    memset(text, 'x', 4000);
    cr_expect_lt(qr_print(text, 4000, false, &out, &error), 0);
    cr_expect_eq(out.len, 0);
}
