#include "tools/picctl/references.h"

#include <string.h>

#include "schema/base/mem.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"

/* Fields that hold names of resources, and of which kind these are. */
static const struct {
    const struct kind *kind;
    unsigned row;
    const char *of;
} rows[] = {
    {&kind_peer, PEER_route_via, "Link"},
    {&kind_peer, PEER_peers, "Peer"},
    {&kind_peer, PEER_links, "Link"},
};

enum { TOLD_MAX = 4 };

struct search {
    const char *const *ids;
    size_t count, found;
    struct strbuf *out;
};

static const char *find(const struct search *s, const char *kind, const char *name)
{
    size_t len = strlen(kind);
    for (size_t i = 0; i < s->count; i++)
        if (strncmp(s->ids[i], kind, len) == 0 && s->ids[i][len] == '/' &&
            strcmp(s->ids[i] + len + 1, name) == 0)
            return s->ids[i];
    return NULL;
}

/* The first few are enough to see what is meant. */
static void tell(struct search *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(struct search *s, const char *format, ...)
{
    va_list args;
    if (++s->found > TOLD_MAX)
        return;
    strbuf_puts(s->out, s->found > 1 ? "; " : "");
    va_start(args, format);
    strbuf_vprintf(s->out, format, args);
    va_end(args);
}

static void check_names(struct search *s, const struct resource *resource,
                        const struct field *field, const char *of)
{
    const void *value = field_value(field, resource->spec);
    if (type_of(field->type)->shape != SHAPE_LIST) {
        const char *name = *(const char *const *)value;
        const char *id = name ? find(s, of, name) : NULL;
        if (id)
            tell(s, "%s names %s in %s", resource->id, id, field->path);
        return;
    }
    const struct list *list = value;
    for (uint32_t i = 0; i < list->count; i++) {
        const char *id = find(s, of, list_text(list, i));
        if (id)
            tell(s, "%s names %s in %s", resource->id, id, field->path);
    }
}

static void visit(const struct resource *resource, void *context)
{
    struct search *s = context;
    if (find(s, resource->kind->name, resource->name))
        return;
    for (size_t i = 0; i < s->count; i++)
        if (resource->kind != &kind_cell && strncmp(s->ids[i], "Cell/", 5) == 0)
            tell(s, "%s belongs to %s", resource->id, s->ids[i]);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (rows[i].kind == resource->kind)
            check_names(s, resource, &resource->kind->fields[rows[i].row], rows[i].of);
}

size_t references_dangling(const struct draft *draft, const char *const *ids, size_t count,
                           struct strbuf *out)
{
    struct search search = {.ids = ids, .count = count, .out = out};
    draft_each(draft, visit, &search);
    if (search.found > TOLD_MAX)
        strbuf_printf(out, "; and %zu more", search.found - TOLD_MAX);
    return search.found;
}
