#include "tools/picctl/select.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"
#include "tools/picctl/item.h"

static json_t *load(void)
{
    json_t *items = json_loads(
        "[{\"metadata\": {\"name\": \"a\", \"labels\": {\"of\": \"me\"}}, \"n\": 10,"
        "  \"ip\": \"10.0.0.10\"},"
        " {\"metadata\": {\"name\": \"b\", \"labels\": {\"of\": \"you\", \"old\": \"\"}},"
        "  \"n\": 9, \"ip\": \"10.0.0.9\"},"
        " {\"metadata\": {\"name\": \"c\"}, \"n\": \"x\"}]",
        0, NULL);
    cr_assert_not_null(items);
    return items;
}

static char *names(const json_t *items)
{
    struct strbuf out = STRBUF_INIT;
    for (size_t i = 0; i < json_array_size(items); i++)
        strbuf_puts(&out, item_name(json_array_get(items, i)));
    return strbuf_steal(&out);
}

Test(select, labels)
{
    static const struct {
        const char *selector, *names; /* NULL: refused */
    } rows[] = {
        {"of=me", "a"},       {"of==me", "a"},       {"of!=me", "bc"}, {"of", "ab"},
        {"!of", "c"},         {"of,old", "b"},       {"of,!old", "a"}, {"old=", "b"},
        {"of=me,of=you", ""}, {"nothing!=x", "abc"}, {"", NULL},       {"=me", NULL},
        {"of in (me)", NULL}, {"of=me,", NULL},      {"!", NULL},      {"of=a=b", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ERROR_AUTO error = NULL;
        json_t *items = load();
        int r = select_labels(items, rows[i].selector, &error);
        MEM_AUTO char *result = names(items);
        cr_expect_eq(r == 0, rows[i].names != NULL, "\"%s\": %d", rows[i].selector, r);
        if (rows[i].names && r == 0)
            cr_expect_str_eq(result, rows[i].names, "\"%s\": %s", rows[i].selector, result);
        json_decref(items);
    }
}

Test(select, sort)
{
    static const struct {
        const char *path, *names;
    } rows[] = {
        {".metadata.name", "abc"},
        {".n", "bac"},                   /* numbers by value, then texts */
        {".ip", "cba"},                  /* what has none first; numbers in texts by value */
        {".metadata.labels.old", "acb"}, /* equal ones keep their order */
        {".nothing", "abc"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        ERROR_AUTO error = NULL;
        json_t *items = load();
        cr_assert_eq(select_sort(items, rows[i].path, &error), 0);
        MEM_AUTO char *result = names(items);
        cr_expect_str_eq(result, rows[i].names, "%s: %s", rows[i].path, result);
        json_decref(items);
    }
    ERROR_AUTO error = NULL;
    json_t *items = load();
    cr_expect_lt(select_sort(items, "name", &error), 0);
    json_decref(items);
}
