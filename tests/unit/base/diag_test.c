#include "schema/base/diag.h"

#include <criterion/criterion.h>

#include "schema/base/mem.h"

Test(diag, printed)
{
    static const struct {
        enum severity severity;
        struct place place;
        const char *subject, *text;
    } rows[] = {
        {SEVERITY_ERROR,
         {"a.yaml", 3, 7},
         "Peer/laptop",
         "a.yaml:3:7: error: Peer/laptop: bad \"x\"\n"},
        {SEVERITY_WARNING, {"a.yaml", 3, 0}, NULL, "a.yaml:3: warning: bad \"x\"\n"},
        {SEVERITY_ERROR, {"a.yaml", 0, 0}, "Peer/a", "a.yaml: error: Peer/a: bad \"x\"\n"},
        {SEVERITY_ERROR, {NULL, 0, 0}, NULL, "error: bad \"x\"\n"},
    };
    DIAGS_AUTO diags = DIAGS_INIT;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO out = STRBUF_INIT;
        diags_add(&diags, rows[i].severity, &rows[i].place, rows[i].subject, "bad \"%s\"", "x");
        diag_print(&diags.list[i], &out);
        cr_expect_str_eq(out.text, rows[i].text, "row %zu: %s", i, out.text);
    }
    cr_expect_eq(diags.count, ARRAY_SIZE(rows));
    cr_expect_eq(diags.errors, 3);
}

Test(diag, moved)
{
    DIAGS_AUTO to = DIAGS_INIT;
    DIAGS_AUTO from = DIAGS_INIT;
    diags_add(&to, SEVERITY_ERROR, NULL, NULL, "first");
    for (int i = 0; i < 20; i++)
        diags_add(&from, i % 2 ? SEVERITY_ERROR : SEVERITY_WARNING, NULL, NULL, "number %d", i);
    diags_move(&to, &from);
    cr_expect(from.count == 0 && from.errors == 0 && !from.list);
    cr_expect(to.count == 21 && to.errors == 11);
    cr_expect_str_eq(to.list[0].message, "first");
    cr_expect_str_eq(to.list[20].message, "number 19");
}
