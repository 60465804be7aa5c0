#include "schema/decode/decode.h"

#include <stdio.h>
#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/base/suggest.h"
#include "schema/kinds/common.h"
#include "schema/types.h"

struct decoder {
    const char *file;
    struct diags *diags;
    struct resource *resource;
    void *spec;
    const char *subject;         /* "Peer/laptop" for the messages, as soon as it is known */
    uint32_t places[FIELDS_MAX]; /* by row: line << 8 | column */
};

static void report(struct decoder *d, enum severity severity, unsigned line, unsigned column,
                   const char *format, ...) __attribute__((format(printf, 5, 6)));

static void report(struct decoder *d, enum severity severity, unsigned line, unsigned column,
                   const char *format, ...)
{
    struct place place = {.file = d->file, .line = line, .column = column};
    va_list args;
    va_start(args, format);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    va_end(args);
    diags_add(d->diags, severity, &place, d->subject, "%s", text.text);
}

#define WRONG(d, node, ...) report(d, SEVERITY_ERROR, (node)->line, (node)->column, __VA_ARGS__)

/* ---- one value ---- */

static bool shape_fits(struct decoder *d, const struct field *field, const struct type *type,
                       const struct node *node)
{
    const char *wanted = NULL;
    if (type->shape == SHAPE_LIST || type->shape == SHAPE_SECRET)
        return true; /* their own functions say it more precisely */
    if (node->type != NODE_SCALAR)
        wanted = type->name;
    else if (type->shape == SHAPE_BOOL && !node->plain)
        wanted = "true or false, without quotes";
    else if (type->shape == SHAPE_NUMBER && !node->plain)
        wanted = "a number, without quotes";
    if (wanted)
        WRONG(d, node, "%s: expected %s", field->path, wanted);
    return !wanted;
}

/* Fields whose value may be a private matter never have it repeated in a message. */
static void parse_scalar(struct decoder *d, const struct field *field, const struct node *node,
                         void *value)
{
    const struct type *type = type_of(field->type);
    const char *why = NULL;
    int result = type->parse(field, node->text, value, &d->resource->arena, &why);

    if (result < 0 && (field->type == FIELD_SECRET || field->type == FIELD_KEY))
        WRONG(d, node, "%s: expected %s", field->path, why);
    else if (result < 0)
        WRONG(d, node, "%s: \"%.80s\" is not right: expected %s", field->path, node->text, why);
    else if (result > 0)
        report(d, SEVERITY_WARNING, node->line, node->column, "%s: %s", field->path, why);
}

static void decode_secret(struct decoder *d, const struct field *field, const struct node *node,
                          void *value)
{
    const struct node *file = node_get(node, "file");
    if (node->type != NODE_MAP || !file || file->next || node->first != file ||
        file->type != NODE_SCALAR) {
        WRONG(d, node,
              "%s: expected {file: NAME}, a file in the secrets directory; a secret itself never "
              "stands in a manifest",
              field->path);
        return;
    }
    parse_scalar(d, field, file, value);
}

static bool list_means_any(const struct type *type, const struct node *node)
{
    if (!type->any)
        return false;
    const struct node *word = node;
    if (node->type == NODE_LIST && node->first && !node->first->next && strcmp(type->any, "*") == 0)
        word = node->first;
    return word->type == NODE_SCALAR && strcmp(word->text, type->any) == 0;
}

static void decode_list(struct decoder *d, const struct field *field, const struct node *node,
                        struct list *list)
{
    const struct type *type = type_of(field->type);
    *list = (struct list){0};
    if (list_means_any(type, node)) {
        list->any = true;
        return;
    }
    if (node->type != NODE_LIST) {
        WRONG(d, node, "%s: expected a %s, such as [a, b]", field->path, type->name);
        return;
    }
    uint32_t count = 0;
    for (const struct node *n = node->first; n; n = n->next)
        count++;
    char *items = arena_alloc(&d->resource->arena, count ? count * type->size : 1);
    list->items = items;
    for (const struct node *n = node->first; n; n = n->next, items += type->size) {
        if (n->type != NODE_SCALAR) {
            WRONG(d, n, "%s: expected a text", field->path);
            continue;
        }
        parse_scalar(d, field, n, items);
        list->count++;
    }
}

static void decode_field(struct decoder *d, size_t row, const struct node *node)
{
    const struct field *field = &d->resource->kind->fields[row];
    const struct type *type = type_of(field->type);
    void *value = (char *)d->spec + field->offset;

    if (node_is_null(node))
        return; /* null is absent */
    d->resource->present |= UINT64_C(1) << row;
    d->places[row] = node->line << 8 | (node->column > 255 ? 255 : node->column);
    if (!shape_fits(d, field, type, node))
        return;
    if (type->shape == SHAPE_SECRET)
        decode_secret(d, field, node, value);
    else if (type->shape == SHAPE_LIST)
        decode_list(d, field, node, value);
    else
        parse_scalar(d, field, node, value);
}

/* ---- the spec: keys against rows ---- */

struct scope {
    const struct kind *kind;
    const char *prefix; /* "network." */
    size_t prefix_len;
};

/* The name at this level of a row below the prefix ("vpn" of "network.vpn"), or NULL. */
static const char *name_in_scope(const struct scope *scope, size_t row, size_t *len)
{
    const char *path = scope->kind->fields[row].path;
    if (strncmp(path, scope->prefix, scope->prefix_len) != 0)
        return NULL;
    path += scope->prefix_len;
    *len = strcspn(path, ".");
    return path;
}

struct names {
    const char **list;
    size_t count;
};

static const char *next_name(const void *context, size_t i)
{
    const struct names *names = context;
    return i < names->count ? names->list[i] : NULL;
}

static void report_unknown(struct decoder *d, const struct scope *scope, const struct node *node)
{
    struct arena arena;
    arena_init(&arena, 1024);
    struct names names = {0};
    names.list = arena_alloc(&arena, scope->kind->field_count * sizeof(*names.list));
    for (size_t row = 0; row < scope->kind->field_count; row++) {
        size_t len;
        const char *name = name_in_scope(scope, row, &len);
        if (name)
            names.list[names.count++] = arena_strndup(&arena, name, len);
    }
    const char *nearest = suggest_nearest(node->key, next_name, &names);
    report(d, SEVERITY_ERROR, node->key_line, node->key_column,
           nearest ? "unknown field \"%s%.80s\"; did you mean \"%s\"?"
                   : "unknown field \"%s%.80s\"; `picctl explain %s` lists the fields",
           scope->prefix, node->key, nearest ? nearest : d->resource->kind->name);
    arena_clear(&arena);
}

/* Levels of a spec are few; the recursion is bounded by the rows' paths, not by the input. */
static void decode_map(struct decoder *d, const struct node *map, const char *prefix)
{
    struct scope scope = {d->resource->kind, prefix, strlen(prefix)};

    if (map->type != NODE_MAP) {
        if (!node_is_null(map))
            WRONG(d, map, "%s: expected fields below it", *prefix ? prefix : "spec");
        return;
    }
    for (const struct node *n = map->first; n; n = n->next) {
        size_t row = 0, len = 0, key_len = strlen(n->key);
        const char *name = NULL;
        for (; row < scope.kind->field_count; row++) {
            name = name_in_scope(&scope, row, &len);
            if (name && len == key_len && memcmp(name, n->key, len) == 0)
                break;
        }
        if (row == scope.kind->field_count) {
            report_unknown(d, &scope, n);
        } else if (name[len] == '\0') {
            decode_field(d, row, n);
        } else {
            char below[128];
            int written = snprintf(below, sizeof(below), "%s%s.", prefix, n->key);
            if (written > 0 && (size_t)written < sizeof(below))
                decode_map(d, n, below);
        }
    }
}

static void decode_spec(struct decoder *d, const struct document *document, const struct node *spec)
{
    const struct kind *kind = d->resource->kind;

    if (spec)
        decode_map(d, spec, "");
    for (size_t row = 0; row < kind->field_count; row++) {
        const struct field *field = &kind->fields[row];
        if (resource_has(d->resource, (unsigned)row))
            continue;
        if (field->presence == REQUIRED)
            report(d, SEVERITY_ERROR, spec ? spec->line : document->line,
                   spec ? spec->column : document->column, "%s is missing: %s", field->path,
                   field->help);
        type_default(field, d->spec, &d->resource->arena);
    }
}

/* ---- what stands around the spec ---- */

static struct label *decode_labels(struct decoder *d, const struct node *map, const char *what,
                                   uint32_t *count)
{
    *count = 0;
    if (!map || node_is_null(map))
        return NULL;
    if (map->type != NODE_MAP) {
        WRONG(d, map, "metadata.%s: expected texts by name", what);
        return NULL;
    }
    uint32_t total = 0;
    for (const struct node *n = map->first; n; n = n->next)
        total++;
    struct label *labels = arena_alloc(&d->resource->arena, total ? total * sizeof(*labels) : 1);
    for (const struct node *n = map->first; n; n = n->next) {
        if (n->type != NODE_SCALAR) {
            WRONG(d, n, "metadata.%s.%.80s: expected a text", what, n->key);
            continue;
        }
        labels[(*count)++] = (struct label){arena_strdup(&d->resource->arena, n->key),
                                            arena_strdup(&d->resource->arena, n->text)};
    }
    return labels;
}

static const char *const metadata_served[] = {"generation", "creationTimestamp", "resourceVersion",
                                              "uid"};

static void decode_metadata(struct decoder *d, const struct node *metadata)
{
    struct resource *resource = d->resource;
    for (const struct node *n = metadata->first; n; n = n->next) {
        bool served = false;
        for (size_t i = 0; i < ARRAY_SIZE(metadata_served); i++)
            served |= strcmp(n->key, metadata_served[i]) == 0;
        if (strcmp(n->key, "labels") == 0)
            resource->labels = decode_labels(d, n, "labels", &resource->label_count);
        else if (strcmp(n->key, "annotations") == 0)
            resource->annotations = decode_labels(d, n, "annotations", &resource->annotation_count);
        else if (strcmp(n->key, "name") != 0 && !served)
            report(d, SEVERITY_ERROR, n->key_line, n->key_column,
                   "unknown field \"metadata.%.80s\"; there are name, labels and annotations",
                   n->key);
    }
}

static void check_top(struct decoder *d, const struct node *root)
{
    for (const struct node *n = root->first; n; n = n->next) {
        if (strcmp(n->key, "apiVersion") == 0) {
            if (n->type != NODE_SCALAR || strcmp(n->text, API_VERSION) != 0)
                WRONG(d, n, "apiVersion: expected %s", API_VERSION);
        } else if (strcmp(n->key, "kind") != 0 && strcmp(n->key, "metadata") != 0 &&
                   strcmp(n->key, "spec") != 0 && strcmp(n->key, "status") != 0) {
            report(d, SEVERITY_ERROR, n->key_line, n->key_column,
                   "unknown field \"%.80s\"; there are apiVersion, kind, metadata and spec",
                   n->key);
        }
    }
    if (!node_get(root, "apiVersion"))
        WRONG(d, root, "apiVersion is missing: write apiVersion: %s", API_VERSION);
}

static const char *next_kind(const void *context, size_t i)
{
    (void)context;
    return i < kind_count ? kinds[i]->name : NULL;
}

static const struct kind *decode_kind(struct decoder *d, const struct node *root)
{
    const struct node *node = node_get(root, "kind");
    if (!node || node->type != NODE_SCALAR) {
        WRONG(d, node ? node : root,
              "kind is missing: it says what the document describes, such as Peer");
        return NULL;
    }
    for (size_t i = 0; i < kind_count; i++)
        if (strcmp(kinds[i]->name, node->text) == 0)
            return kinds[i];
    const char *nearest = suggest_nearest(node->text, next_kind, NULL);
    WRONG(d, node,
          nearest ? "unknown kind \"%.80s\"; did you mean %s?"
                  : "unknown kind \"%.80s\"; %s lists the kinds that this version knows",
          node->text, nearest ? nearest : "`picctl api-resources`");
    return NULL;
}

static const char *decode_name(struct decoder *d, const struct node *root)
{
    const struct node *name = node_get(node_get(root, "metadata"), "name");
    if (!name || name->type != NODE_SCALAR) {
        WRONG(d, name ? name : root, "metadata.name is missing");
        return NULL;
    }
    if (!resource_name_valid(name->text)) {
        WRONG(d, name,
              "metadata.name: \"%.80s\" is not right: expected 1 to 63 of a-z 0-9 - . , first and "
              "last a letter or digit",
              name->text);
        return NULL;
    }
    return name->text;
}

enum { RESOURCE_ARENA_FIRST = 448 }; /* a Peer of usual size fits one chunk */

static struct resource *resource_new(const char *file, const struct document *document,
                                     const struct kind *kind, const char *name)
{
    struct arena arena;
    arena_init(&arena, RESOURCE_ARENA_FIRST);
    struct resource *r = arena_alloc(&arena, sizeof(*r));
    r->references = 1;
    r->kind = kind;
    r->place = (struct place){arena_strdup(&arena, file), document->line, document->column};
    r->first_line = document->first_line;
    r->end_line = document->end_line;
    r->id = arena_printf(&arena, "%s/%s", kind->name, name);
    r->name = r->id + strlen(kind->name) + 1;
    r->spec = arena_alloc(&arena, kind->spec_size);
    r->arena = arena;
    return r;
}

/* Only of the rows that are written: most are not. */
static void keep_places(struct decoder *d)
{
    struct resource *r = d->resource;
    size_t written = (size_t)__builtin_popcountll(r->present), kept = 0;
    r->field_place = arena_alloc(&r->arena, (written + 1) * sizeof(*r->field_place));
    for (size_t row = 0; row < r->kind->field_count; row++)
        if (resource_has(r, (unsigned)row))
            r->field_place[kept++] = d->places[row];
}

static uint64_t hash_labels(const struct label *labels, uint32_t count, uint64_t seed)
{
    for (uint32_t i = 0; i < count; i++)
        seed = hash_text(labels[i].value, hash_text(labels[i].key, seed));
    return seed + count;
}

static uint64_t hash_resource(const struct resource *r)
{
    uint64_t hash = hash_text(r->id, 1);
    hash = hash_labels(r->labels, r->label_count, hash);
    hash = hash_labels(r->annotations, r->annotation_count, hash);
    for (size_t i = 0; i < r->kind->field_count; i++)
        hash = type_hash(&r->kind->fields[i], r->spec, hash);
    return hash;
}

struct resource *decode_resource(const char *file, const struct document *document,
                                 struct arena *scratch, const char **retid, struct diags *diags)
{
    const struct node *root = document->root;
    struct decoder d = {.file = file, .diags = diags};
    size_t errors_before = diags->errors;

    *retid = NULL;
    if (!root)
        return NULL; /* reported when it was read */
    if (root->type != NODE_MAP) {
        WRONG(&d, root, "expected apiVersion, kind, metadata and spec");
        return NULL;
    }
    const struct kind *kind = decode_kind(&d, root);
    const char *name = decode_name(&d, root);
    if (!kind || !name)
        return NULL;

    d.resource = resource_new(file, document, kind, name);
    d.spec = (void *)(uintptr_t)d.resource->spec;
    d.subject = *retid = arena_strdup(scratch, d.resource->id);
    check_top(&d, root);
    decode_metadata(&d, node_get(root, "metadata"));
    decode_spec(&d, document, node_get(root, "spec"));
    keep_places(&d);
    if (diags->errors == errors_before && kind->check)
        kind->check(d.resource, diags);
    if (diags->errors != errors_before) {
        resource_unref(d.resource);
        return NULL;
    }
    d.resource->hash = hash_resource(d.resource);
    return d.resource;
}
