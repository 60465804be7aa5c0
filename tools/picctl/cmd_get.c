#include <string.h>

#include "schema/base/mem.h"
#include "schema/decode/decode.h"
#include "schema/emit/emit.h"
#include "tools/picctl/columns.h"
#include "tools/picctl/command.h"
#include "tools/picctl/item.h"
#include "tools/picctl/jsonpath.h"
#include "tools/picctl/out.h"
#include "tools/picctl/select.h"
#include "tools/picctl/view.h"

struct options {
    const char *output, *selector, *sort_by;
    bool no_headers;
};

static const struct flag flags[] = {
    FLAG(options, output, "output", 'o', TEXT, "FORMAT",
         "table, wide, json, yaml, name or jsonpath=TEMPLATE"),
    FLAG(options, selector, "selector", 'l', TEXT, "LABELS",
         "only with these labels: a=b,a!=b,a,!a"),
    FLAG(options, sort_by, "sort-by", 0, TEXT, "PATH", "order by a jsonpath, as .metadata.name"),
    FLAG(options, no_headers, "no-headers", 0, SWITCH, NULL, "tables without their first line"),
};

/* What there is to print, and how it was asked for. */
struct listing {
    json_t *items;
    bool single; /* one resource was named: it alone is the result, not a list with it */
    bool mixed;  /* of several kinds */
    const struct options *options;
    const char *template; /* what follows "jsonpath=" */
};

static json_t *as_json(const struct listing *l)
{
    if (l->single)
        return json_incref(json_array_get(l->items, 0));
    return json_pack("{s:s, s:s, s:O}", "apiVersion", API_VERSION, "kind", "List", "items",
                     l->items);
}

/* ---- formats --------------------------------------------------------------------------------- */

static void print_tables(const struct listing *l, bool wide)
{
    STRBUF_AUTO out = STRBUF_INIT;
    size_t count = json_array_size(l->items);
    MEM_AUTO const json_t **items = mem_alloc(count * sizeof(json_t *));
    const struct columns_options options = {
        .wide = wide,
        .header = !l->options->no_headers,
        .prefix = l->mixed,
        .colour = out_coloured(stdout),
    };
    for (size_t i = 0; i < count; i++)
        items[i] = json_array_get(l->items, i);
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first; end < count && item_kind(items[end]) == item_kind(items[first]);)
            end++;
        strbuf_puts(&out, first ? "\n" : "");
        columns_print(items + first, end - first, &options, &out);
    }
    out_text(&out);
    if (!count)
        out_note("nothing found");
}

static int print_table(const struct listing *l)
{
    print_tables(l, false);
    return 0;
}

static int print_wide(const struct listing *l)
{
    print_tables(l, true);
    return 0;
}

static int print_json(const struct listing *l)
{
    json_t *json = as_json(l);
    out_json(json);
    json_decref(json);
    return 0;
}

/* Documents, not a List: what is printed can be applied as it is. */
static int print_yaml(const struct listing *l)
{
    STRBUF_AUTO out = STRBUF_INIT;
    for (size_t i = 0; i < json_array_size(l->items); i++) {
        strbuf_puts(&out, i ? "---\n" : "");
        emit_yaml_value(json_array_get(l->items, i), 0, &out);
    }
    out_text(&out);
    return 0;
}

static int print_names(const struct listing *l)
{
    for (size_t i = 0; i < json_array_size(l->items); i++) {
        const json_t *item = json_array_get(l->items, i);
        out_line("%s/%s", json_string_value(json_object_get(item, "kind")), item_name(item));
    }
    return 0;
}

static int print_template(const struct listing *l)
{
    STRBUF_AUTO out = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    json_t *json = as_json(l);
    int r = jsonpath_print(l->template, json, &out, &error);
    json_decref(json);
    if (r < 0)
        return out_misused("%s", error->message);
    out_text(&out);
    return 0;
}

static const struct format {
    const char *name;
    int (*print)(const struct listing *listing);
} formats[] = {
    {"table", print_table}, {"wide", print_wide},  {"json", print_json},
    {"yaml", print_yaml},   {"name", print_names}, {"jsonpath=", print_template},
};

/* A name that ends in '=' is followed by a value. */
static const struct format *find_format(const char *word, const char **retvalue)
{
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        size_t len = strlen(formats[i].name);
        bool takes_value = formats[i].name[len - 1] == '=';
        *retvalue = word + len;
        if (takes_value ? strncmp(word, formats[i].name, len) == 0
                        : strcmp(word, formats[i].name) == 0)
            return &formats[i];
    }
    return NULL;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int choose(const struct options *o, json_t *items, struct error **reterr)
{
    int r = o->selector ? select_labels(items, o->selector, reterr) : 0;
    if (r == 0 && o->sort_by)
        r = select_sort(items, o->sort_by, reterr);
    return r;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    TARGETS_AUTO targets = {0};
    VIEW_AUTO view = {0};
    struct listing listing = {.options = o};

    const struct format *format = find_format(o->output ? o->output : "table", &listing.template);
    if (!format)
        return out_misused("unknown format \"%s\": there are table, wide, json, yaml, name and "
                           "jsonpath=TEMPLATE",
                           o->output);
    if (targets_read(words, &targets, &error) < 0)
        return out_misused("%s", error->message);
    if (view_load(config, &targets, &view, &error) < 0)
        return out_failed(error);
    view_say(&view);
    if (choose(o, view.items, &error) < 0)
        return out_misused("%s", error->message);
    listing.items = view.items;
    listing.single = targets.count == 1 && targets.list[0].name && json_array_size(view.items) == 1;
    for (size_t i = 1; i < targets.count; i++)
        listing.mixed |= targets.list[i].kind != targets.list[0].kind;
    return format->print(&listing);
}

const struct command cmd_get = {
    .name = "get",
    .arguments = "all | KIND [NAME…] | KIND/NAME…",
    .help = "lists resources with their state",
    .more = "The state comes from picd; while it does not run, the manifests alone are shown.\n"
            "-o yaml prints manifests: what they say can be applied as it is.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .least = 1,
    .most = WORDS_ANY,
    .run = run,
};
