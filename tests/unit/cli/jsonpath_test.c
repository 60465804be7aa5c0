#include "tools/picctl/jsonpath.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"

static const char document[] =
    "{'name': 'alpha', 'n': 3, 'yes': true, 'nil': null, 'a.b': {'c d': 'dot'},"
    " 'list': [{'k': 'one', 'v': [1, 2]}, {'k': 'two', 'v': []}, {'v': [3]}],"
    " 'map': {'x': 1, 'y': {'z': 'deep'}}, 'none': []}";

static json_t *load(void)
{
    MEM_AUTO char *text = mem_strdup(document);
    for (char *c = text; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *json = json_loads(text, 0, NULL);
    cr_assert_not_null(json);
    return json;
}

Test(jsonpath, templates)
{
    static const struct {
        const char *template, *result;
    } rows[] = {
        {"", ""},
        {"plain text", "plain text"},
        {"{.name}", "alpha"},
        {".name", "alpha"},
        {"$.name", "alpha"},
        {"{$.name} and { .n }", "alpha and 3"},
        {"{.yes} {.nil}", "true null"},
        {"{.nothing}", ""},
        {"{.name.below}", ""},
        {"{.name[0]}", ""},
        {"{.list[0].k}", "one"},
        {"{.list[-1].v[0]}", "3"},
        {"{.list[-4].k}", ""},
        {"{.list[3].k}", ""},
        {"{.list[*].k}", "one two"},
        {"{.list[*].v[*]}", "1 2 3"},
        {"{.list[*].v}", "[1,2] [] [3]"},
        {"{.map.*}", "1 {\"z\":\"deep\"}"},
        {"{.map[*].z}", "deep"},
        {"{['name']}", "alpha"},
        {"{[\"map\"]['y'].z}", "deep"},
        {"{['a.b']['c d']}", "dot"},
        {"{.a\\.b['c d']}", "dot"},
        {"{.map.y}", "{\"z\":\"deep\"}"},
        {"{.name}{\"\\t\"}{.n}{'\\n'}", "alpha\t3\n"},
        {"{\"a\\\"b\"}", "a\"b"},
        {"{range .list[*]}{.k}={.v[0]};{end}", "one=1;two=;=3;"},
        {"{range .list[*]}[{range .v[*]}{@},{end}]{end}", "[1,2,][][3,]"},
        {"{range .none[*]}never {.k}{\"x\"}{range .v}{@}{end}{end}after", "after"},
        {"{range .list[0]}{.k}{end}{.name}", "onealpha"},
    };
    json_t *json = load();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO out = STRBUF_INIT;
        ERROR_AUTO error = NULL;
        int r = jsonpath_print(rows[i].template, json, &out, &error);
        cr_expect_eq(r, 0, "%s: %s", rows[i].template, error ? error->message : "");
        cr_expect_str_eq(out.text, rows[i].result, "%s gives [%s]", rows[i].template, out.text);
    }
    json_decref(json);
}

Test(jsonpath, mistakes)
{
    static const struct {
        const char *template, *part; /* of the message */
    } rows[] = {
        {"{", "expected a path"},
        {"{name}", "expected a path"},
        {"{.name", "expected }"},
        {"{.name x}", "expected }"},
        {"{.list[}", "expected a number"},
        {"{.list[1}", "expected ]"},
        {"{.list[99999999999999999999]}", "expected a number"},
        {"{.list[-2147483649]}", "expected a number"},
        {"{['name}", "quote is not closed"},
        {"{\"x}", "quote is not closed"},
        {"{..name}", "recursive descent"},
        {"{end}", "no range to end"},
        {"{range .list[*]}{.k}", "has no {end}"},
        {"{range .none[*]}{.k}", "has no {end}"},
        {"{range .list[*]", "expected }"},
        {"{range .a}{range .a}{range .a}{range .a}{range .a}{range .a}{range .a}{range .a}{range "
         ".a}",
         "too many ranges"},
    };
    json_t *json = load();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        STRBUF_AUTO out = STRBUF_INIT;
        ERROR_AUTO error = NULL;
        int r = jsonpath_print(rows[i].template, json, &out, &error);
        cr_assert_lt(r, 0, "%s is accepted", rows[i].template);
        cr_expect(strstr(error->message, rows[i].part), "%s: %s", rows[i].template, error->message);
    }
    json_decref(json);
}

Test(jsonpath, limits)
{
    json_t *json = load();
    STRBUF_AUTO template = STRBUF_INIT;
    STRBUF_AUTO out = STRBUF_INIT;
    strbuf_puts(&template, "{.");
    for (int i = 0; i < JSONPATH_KEY_MAX; i++)
        strbuf_putc(&template, 'k');
    for (int over = 0; over < 2; over++) {
        ERROR_AUTO error = NULL;
        MEM_AUTO char *whole = mem_printf("%s%s}", template.text, over ? "k" : "");
        cr_expect_eq(jsonpath_print(whole, json, &out, &error) < 0, over == 1);
    }
    strbuf_reset(&template);
    for (int i = 0; i < JSONPATH_TEMPLATE_MAX; i++)
        strbuf_putc(&template, 'x');
    for (int over = 0; over < 2; over++) {
        ERROR_AUTO error = NULL;
        strbuf_puts(&template, over ? "x" : "");
        cr_expect_eq(jsonpath_print(template.text, json, &out, &error) < 0, over == 1);
    }
    json_decref(json);
}

Test(jsonpath, first)
{
    json_t *json = load();
    const json_t *found = NULL;
    ERROR_AUTO error = NULL;
    cr_expect_eq(jsonpath_first(".list[*].k", json, &found, &error), 0);
    cr_expect_str_eq(json_string_value(found), "one");
    cr_expect_eq(jsonpath_first("{.n}", json, &found, &error), 0);
    cr_expect_eq(json_integer_value(found), 3);
    cr_expect_eq(jsonpath_first(".nothing", json, &found, &error), 0);
    cr_expect_null(found);
    cr_expect_lt(jsonpath_first("name", json, &found, &error), 0);
    json_decref(json);
}
