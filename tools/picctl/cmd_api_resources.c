#include "schema/resource.h"
#include "tools/picctl/command.h"
#include "tools/picctl/out.h"
#include "tools/picctl/table.h"

static int run(const struct config *config, const void *options, const struct words *words)
{
    STRBUF_AUTO out = STRBUF_INIT;
    TABLE_AUTO table;

    (void)config, (void)options, (void)words;
    table_init(&table, 4);
    table_add(&table, "NAME", TINT_PLAIN);
    table_add(&table, "SHORT", TINT_PLAIN);
    table_add(&table, "KIND", TINT_PLAIN);
    table_add(&table, "WHAT IT IS", TINT_PLAIN);
    for (size_t i = 0; i < kind_count; i++) {
        table_add(&table, kinds[i]->plural, TINT_PLAIN);
        table_add(&table, kinds[i]->short_name ? kinds[i]->short_name : "", TINT_PLAIN);
        table_add(&table, kinds[i]->name, TINT_PLAIN);
        table_add(&table, kinds[i]->help, TINT_PLAIN);
    }
    table_print(&table, true, false, &out);
    out_text(&out);
    return 0;
}

const struct command cmd_api_resources = {
    .name = "api-resources",
    .arguments = "",
    .help = "lists the kinds of resources and their short names",
    .run = run,
};
