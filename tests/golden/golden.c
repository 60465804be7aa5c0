#include "tests/golden/golden.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"

struct prefix golden_prefix(const char *text)
{
    struct prefix p;
    cr_assert_eq(prefix_parse(text, &p), 0);
    return p;
}

static void put(struct world *w, const char *resources)
{
    MEM_AUTO char *text = mem_printf("%s%s", world_cell, resources ? resources : "");
    world_put(w, "all.yaml", text);
    free(world_commit(w));
}

/* The private key is made anew each time and is never in a plan; the id is the only thing that
 * varies. */
static void mask_id(const struct world *w, struct strbuf *text)
{
    char *at;
    while (*w->inputs.identity.cell_id && (at = strstr(text->text, w->inputs.identity.cell_id)))
        memset(at, 'x', 32);
}

static void check(const char *name, const struct strbuf *is)
{
    MEM_AUTO char *path = mem_printf("tests/golden/plans/%s.txt", name);
    STRBUF_AUTO expected = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    if (getenv("PIC_REGENERATE")) {
        struct io_write_options options = {.mode = 0644};
        io_write_atomic(path, is->text, is->len, &options, &error);
        return;
    }
    cr_assert_eq(io_read(path, 1 << 20, &expected, &error), 0, "%s", error ? error->message : "");
    cr_expect_str_eq(is->text, expected.text, "%s:\n%s", name, is->text);
}

void golden_begin(struct world *w, const struct golden *g)
{
    if (g->before) {
        put(w, g->before);
        cr_assert(world_run(w, 10), "%s: %s", g->name, w->trouble.text);
    }
    if (g->hands)
        g->hands(w);
    if (g->after)
        put(w, g->after);
}

void golden_plan(struct world *w, const struct golden *g)
{
    PLAN_AUTO plan;
    STRBUF_AUTO text = STRBUF_INIT;
    golden_begin(w, g);
    world_plan(w, &plan);
    plan_print(&plan, &text);
    mask_id(w, &text);
    check(g->name, &text);
    world_free(w);
}

void golden_converges(struct world *w, const struct golden *g)
{
    PLAN_AUTO plan;
    golden_begin(w, g);
    engine_look_at_all(w->engine);
    cr_expect(world_run(w, 60), "%s: %s", g->name, w->trouble.text);
    world_plan(w, &plan);
    cr_expect_eq(plan.count, 0, "%s: %zu steps left", g->name, plan.count);
    cr_expect_eq(world_second_pass(w), 0, "%s: writes in the second pass", g->name);
    world_free(w);
}
