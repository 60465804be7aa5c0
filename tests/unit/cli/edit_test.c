#include "tools/picctl/edit.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/decode/node.h"

#define A "kind: A\nx: 1\n"
#define B "kind: B\nx: 2\n"

/* Replaces (text) or removes (NULL) the document of a number in a text, as the parser counts them.
 */
static char *edit_nth(const char *data, size_t n, const char *text)
{
    struct arena arena;
    struct document *document = NULL;
    DIAGS_AUTO diags = DIAGS_INIT;
    struct strbuf out = STRBUF_INIT;
    struct edit_cursor cursor = EDIT_CURSOR_INIT;

    arena_init(&arena, 1024);
    cr_assert_eq(yaml_read("test", data, strlen(data), &arena, &document, &diags), 0);
    for (; n > 0; n--)
        document = document->next;
    struct edit edit = {
        .place = edit_find(data, strlen(data), &cursor, document->first_line, document->end_line),
        .text = text,
        .text_len = text ? strlen(text) : 0,
    };
    edit_apply(data, strlen(data), &edit, 1, &out);
    arena_clear(&arena);
    return strbuf_steal(&out);
}

Test(edit, one_document)
{
    static const struct {
        const char *name, *data;
        size_t document;
        const char *text, *result;
    } rows[] = {
        {"alone", A, 0, B, B},
        {"alone, without a last line end", "kind: A", 0, B, B},
        {"a text without a line end gets one", A, 0, "kind: B", "kind: B\n"},
        {"the comment above stays", "# top\n" A, 0, B, "# top\n" B},
        {"the separator stays", "--- # sep\n" A, 0, B, "--- # sep\n" B},
        {"the first of two", A "---\n" B, 0, "k: 3\n", "k: 3\n---\n" B},
        {"the last of two", A "---\n" B, 1, "k: 3\n", A "---\nk: 3\n"},
        {"the middle of three", A "---\n" B "---\n" A, 1, "k: 3\n", A "---\nk: 3\n---\n" A},
        {"comments between two stay", A "# a\n\n---\n# b\n" B, 0, "k: 3\n",
         "k: 3\n# a\n\n---\n# b\n" B},
        {"an indented comment belongs to its document", A "  # in it\n# after it\n", 0, B,
         B "# after it\n"},
        {"a comment below the separator belongs to the document", "---\n# in it\n" A, 0, B,
         "---\n" B},
        {"content on the separator's line", "--- {kind: A}\n", 0, B, "---\n" B},
        {"an end marker stays", A "...\n# tail\n", 0, B, B "...\n# tail\n"},
        {"an empty document behind it stays", A "---\n# nothing\n---\n" B, 0, "k: 3\n",
         "k: 3\n---\n# nothing\n---\n" B},
        {"a directive stays", "%YAML 1.1\n---\n" A, 0, B, "%YAML 1.1\n---\n" B},
        {"a byte order mark stays", "\xef\xbb\xbf" A, 0, B, "\xef\xbb\xbf" B},
        {"a byte order mark before a separator stays", "\xef\xbb\xbf---\n" A, 0, B,
         "\xef\xbb\xbf---\n" B},
        {"CRLF stays", "kind: A\r\n---\r\nkind: B\r\n", 1, A,
         "kind: A\r\n---\r\nkind: A\r\nx: 1\r\n"},
        {"CRLF does not come in", A, 0, "kind: B\r\nx: 2\r\n", B},
        {"removed: alone", A, 0, NULL, ""},
        {"removed: the comment above stays", "# top\n" A, 0, NULL, "# top\n"},
        {"removed: the first", A "---\n" B, 0, NULL, "---\n" B},
        {"removed: the last, with its separator", A "---\n" B, 1, NULL, A},
        {"removed: the middle", A "# a\n---\n" B "# b\n---\n" A, 1, NULL, A "# a\n# b\n---\n" A},
        {"removed: its end marker goes with it", A "...\n---\n" B, 0, NULL, "---\n" B},
        {"removed: CRLF", "kind: A\r\n---\r\nkind: B\r\n", 0, NULL, "---\r\nkind: B\r\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        MEM_AUTO char *result = edit_nth(rows[i].data, rows[i].document, rows[i].text);
        cr_expect_str_eq(result, rows[i].result, "%s: [%s]", rows[i].name, result);
    }
}

Test(edit, several_at_once)
{
    static const char data[] = "# top\n" A "---\n" B "---\n" A "# end\n";
    struct edit_cursor cursor = EDIT_CURSOR_INIT;
    size_t len = strlen(data);
    struct edit edits[] = {
        {.place = edit_find(data, len, &cursor, 2, 4), .text = B, .text_len = strlen(B)},
        {.place = edit_find(data, len, &cursor, 4, 7)},
        {.place = edit_find(data, len, &cursor, 7, 11), .text = "k: 3\n", .text_len = 5},
    };
    STRBUF_AUTO out = STRBUF_INIT;
    edit_apply(data, len, edits, ARRAY_SIZE(edits), &out);
    cr_expect_str_eq(out.text, "# top\n" B "---\nk: 3\n# end\n");
}

Test(edit, is_empty)
{
    static const struct {
        const char *text;
        bool empty;
    } rows[] = {
        {"", true},
        {"\n\n", true},
        {"# only\n  # comments\n", true},
        {"--- # sep\n...\n", true},
        {"\xef\xbb\xbf# comment\r\n", true},
        {"%YAML 1.1\n---\n", true},
        {"# comment\nkind: A\n", false},
        {"--- {}\n", false},
        {"x", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        cr_expect_eq(edit_is_empty(rows[i].text, strlen(rows[i].text)), rows[i].empty, "[%s]",
                     rows[i].text);
}

Test(edit, add_field)
{
    static const struct {
        const char *name, *text, *result; /* NULL: unsure */
    } rows[] = {
        {"after the first field", "spec:\n  a: 1\n  b: 2\n", "spec:\n  a: 1\n  n: v\n  b: 2\n"},
        {"with its indentation", "spec:\n    a: 1\n", "spec:\n    a: 1\n    n: v\n"},
        {"without a last line end", "spec:\n  a: 1", "spec:\n  a: 1\n  n: v\n"},
        {"with a comment behind", "spec:\n  a: 1 # one\n", "spec:\n  a: 1 # one\n  n: v\n"},
        {"below comments", "# top\nspec:\n  # first\n  a: 1\nkind: A\n",
         "# top\nspec:\n  # first\n  a: 1\n  n: v\nkind: A\n"},
        {"a flow map", "spec: {a: 1}\n", NULL},
        {"a flow map in lines", "spec: {\n  a: 1,\n  b: 2}\n", NULL},
        {"a map first", "spec:\n  a:\n    b: 1\n", NULL},
        {"a folded text first", "spec:\n  a: one\n    two\n  b: 2\n", NULL},
        {"a comment between", "spec:\n  a: 1\n\n  b: 2\n", NULL},
        {"an empty spec", "spec: {}\n", NULL},
        {"no spec", "kind: A\n", NULL},
        {"two documents", "spec:\n  a: 1\n---\nspec:\n  a: 1\n", NULL},
        {"not YAML", "spec: [\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO out = STRBUF_INIT;
        int r = edit_add_field(rows[i].text, strlen(rows[i].text), "n", "v", &out);
        cr_expect_eq(r, rows[i].result ? 0 : EDIT_UNSURE, "%s: %d", rows[i].name, r);
        cr_expect_str_eq(out.text, rows[i].result ? rows[i].result : "", "%s: [%s]", rows[i].name,
                         out.text);
    }
}

Test(edit, replace_word)
{
    STRBUF_AUTO out = STRBUF_INIT;
    cr_expect_eq(edit_replace_word("a: old # x\n", 11, "old", "newer", &out), 0);
    cr_expect_str_eq(out.text, "a: newer # x\n");
    strbuf_reset(&out);
    cr_expect_eq(edit_replace_word("a: old # old\n", 13, "old", "new", &out), EDIT_UNSURE);
    cr_expect_eq(edit_replace_word("a: b\n", 5, "old", "new", &out), EDIT_UNSURE);
    cr_expect_str_eq(out.text, "");
}

Test(edit, has_comment)
{
    cr_expect(edit_has_comment("a: 1 # x\n", 9));
    cr_expect(edit_has_comment("# x\n", 4));
    cr_expect_not(edit_has_comment("a: b#c\n", 7));
    cr_expect_not(edit_has_comment("", 0));
}
