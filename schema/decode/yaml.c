/*
 * libyaml's events → nodes. The parser's own recursion-free state machine does the reading; what it
 * lacks is done here: limits (libyaml 0.2.5 has none on depth), duplicate keys, aliases, positions
 * of reader errors.
 */
#include "schema/decode/node.h"

#include <string.h>
#include <yaml.h>

#include "schema/base/map.h"
#include "schema/base/mem.h"

struct level {
    struct node *node;  /* the map or list being filled */
    struct node **tail; /* where its next child goes */
    const char *key;    /* in a map: the key that waits for its value */
    unsigned key_line, key_column;
};

struct reader {
    const char *file;
    const char *data;
    size_t len;
    struct arena *arena;
    struct diags *diags;
    yaml_parser_t parser;

    struct level levels[YAML_DEPTH_MAX];
    unsigned depth;
    size_t nodes;

    struct document *document; /* being read */
    bool wrong;                /* it has a mistake of its own */
    struct document **tail;
};

static void report(struct reader *r, unsigned line, unsigned column, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void report(struct reader *r, unsigned line, unsigned column, const char *format, ...)
{
    struct place place = {.file = r->file, .line = line, .column = column};
    va_list args;
    va_start(args, format);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    va_end(args);
    diags_add(r->diags, SEVERITY_ERROR, &place, NULL, "%s", text.text);
}

/* A mistake that spoils this document only. */
#define SPOIL(r, line, column, ...)                                                                \
    do {                                                                                           \
        report(r, line, column, __VA_ARGS__);                                                      \
        (r)->wrong = true;                                                                         \
    } while (0)

static unsigned line_of_offset(const struct reader *r, size_t offset)
{
    unsigned line = 1;
    for (size_t i = 0; i < offset && i < r->len; i++)
        line += r->data[i] == '\n';
    return line;
}

static bool tab_indents(const struct reader *r, unsigned line)
{
    const char *at = r->data, *end = r->data + r->len;
    while (--line > 0 && (at = memchr(at, '\n', (size_t)(end - at))))
        at++;
    while (at && at < end && *at == ' ')
        at++;
    return at && at < end && *at == '\t';
}

/* Reader errors (bad UTF-8, control characters) carry a byte offset and no mark. */
static void report_parser_error(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "cannot be read";

    if (p->error == YAML_READER_ERROR) {
        report(r, line_of_offset(r, p->problem_offset), 1, "not valid YAML text: %s (byte %zu)",
               problem, p->problem_offset);
        return;
    }
    unsigned line = (unsigned)p->problem_mark.line + 1,
             column = (unsigned)p->problem_mark.column + 1;
    if (tab_indents(r, line)) {
        report(r, line, 1, "a tab indents this line: YAML allows spaces only");
        return;
    }
    if (p->context && p->context_mark.line + 1 < line)
        report(r, line, column, "not valid YAML: %s (%s that starts in line %zu)", problem,
               p->context, p->context_mark.line + 1);
    else
        report(r, line, column, "not valid YAML: %s", problem);
}

/* ---- building ---- */

static void find_duplicate(struct reader *r, const struct level *level, const char *key,
                           unsigned line, unsigned column)
{
    for (const struct node *n = level->node->first; n; n = n->next) {
        if (strcmp(n->key, key) != 0)
            continue;
        SPOIL(r, line, column, "the key \"%s\" stands here twice: first in line %u; remove one",
              key, n->key_line);
        return;
    }
}

/* Takes the place that is open for a child: a list's end, a map's waiting key, the root. */
static void attach(struct reader *r, struct node *node)
{
    if (r->depth == 0) {
        r->document->root = node;
        r->document->line = node->line;
        r->document->column = node->column;
        return;
    }
    struct level *level = &r->levels[r->depth - 1];
    if (level->node->type == NODE_MAP) {
        node->key = level->key;
        node->key_line = level->key_line;
        node->key_column = level->key_column;
        level->key = NULL;
    }
    *level->tail = node;
    level->tail = &node->next;
}

static bool waits_for_key(const struct reader *r)
{
    return r->depth > 0 && r->levels[r->depth - 1].node->type == NODE_MAP &&
           !r->levels[r->depth - 1].key;
}

static struct node *node_new(struct reader *r, enum node_type type, const yaml_event_t *event)
{
    struct node *node = arena_alloc(r->arena, sizeof(*node));
    node->type = type;
    node->line = (unsigned)event->start_mark.line + 1;
    node->column = (unsigned)event->start_mark.column + 1;
    return node;
}

static int take_scalar(struct reader *r, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    unsigned line = (unsigned)event->start_mark.line + 1;
    unsigned column = (unsigned)event->start_mark.column + 1;

    if (len > YAML_SCALAR_MAX) {
        report(r, line, column, "a text of %zu bytes: at most %d are allowed", len,
               YAML_SCALAR_MAX);
        return -1;
    }
    if (memchr(value, '\0', len)) {
        SPOIL(r, line, column, "a NUL character inside a text");
        len = strlen(value);
    }
    if (waits_for_key(r)) {
        struct level *level = &r->levels[r->depth - 1];
        if (++level->node->count > YAML_KEYS_MAX) {
            report(r, line, column, "more than %d keys in one map", YAML_KEYS_MAX);
            return -1;
        }
        find_duplicate(r, level, value, line, column);
        level->key = arena_strndup(r->arena, value, len);
        level->key_line = line;
        level->key_column = column;
        return 0;
    }
    struct node *node = node_new(r, NODE_SCALAR, event);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = arena_strndup(r->arena, value, len);
    attach(r, node);
    return 0;
}

static int take_start(struct reader *r, enum node_type type, const yaml_event_t *event)
{
    struct node *node = node_new(r, type, event);
    if (r->depth == YAML_DEPTH_MAX) {
        report(r, node->line, node->column, "nested too deep: at most %d levels are allowed",
               YAML_DEPTH_MAX);
        return -1;
    }
    if (waits_for_key(r)) {
        SPOIL(r, node->line, node->column, "a key must be a text");
        r->levels[r->depth - 1].key = "";
    } else {
        attach(r, node);
    }
    r->levels[r->depth++] = (struct level){.node = node, .tail = &node->first};
    return 0;
}

static int take_alias(struct reader *r, const yaml_event_t *event)
{
    SPOIL(r, (unsigned)event->start_mark.line + 1, (unsigned)event->start_mark.column + 1,
          "an alias (*%s) is not allowed: write the value out",
          (const char *)event->data.alias.anchor);
    if (waits_for_key(r))
        r->levels[r->depth - 1].key = "";
    else
        attach(r, node_new(r, NODE_SCALAR, event));
    return 0;
}

static void begin_document(struct reader *r, const yaml_event_t *event)
{
    r->document = arena_alloc(r->arena, sizeof(*r->document));
    r->document->first_line = (unsigned)event->start_mark.line + 1;
    r->depth = 0;
    r->wrong = false;
}

static void finish_document(struct reader *r, const yaml_event_t *event)
{
    struct document *document = r->document;
    r->document = NULL;
    document->end_line = (unsigned)event->end_mark.line + 1;
    if (!r->wrong && document->root && node_is_null(document->root))
        return; /* empty, or comments only */
    if (r->wrong)
        document->root = NULL;
    *r->tail = document;
    r->tail = &document->next;
}

/* 1: the stream has ended; -1: reading cannot go on, said in the diags. */
static int take_event(struct reader *r, const yaml_event_t *event)
{
    if (event->type != YAML_STREAM_START_EVENT && ++r->nodes > YAML_NODES_MAX) {
        report(r, (unsigned)event->start_mark.line + 1, 1, "more than %d nodes in one file",
               YAML_NODES_MAX);
        return -1;
    }
    switch (event->type) {
    case YAML_STREAM_START_EVENT:
        if (event->data.stream_start.encoding != YAML_UTF8_ENCODING) {
            report(r, 1, 1, "the file is in UTF-16: save it as UTF-8");
            return -1;
        }
        return 0;
    case YAML_STREAM_END_EVENT:
        return 1;
    case YAML_DOCUMENT_START_EVENT:
        begin_document(r, event);
        return 0;
    case YAML_DOCUMENT_END_EVENT:
        finish_document(r, event);
        return 0;
    case YAML_SCALAR_EVENT:
        return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return take_start(r, NODE_LIST, event);
    case YAML_MAPPING_START_EVENT:
        return take_start(r, NODE_MAP, event);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return 0;
    case YAML_ALIAS_EVENT:
        return take_alias(r, event);
    case YAML_NO_EVENT:
        return 0;
    }
    return 0;
}

/* Documents own the lines up to the next one's first: comments between two belong to the one
 * before. */
static void settle_lines(struct document *first, unsigned total_lines)
{
    for (struct document *d = first; d; d = d->next)
        d->end_line = d->next ? d->next->first_line : total_lines + 1;
}

int yaml_read(const char *file, const char *data, size_t len, struct arena *arena,
              struct document **ret, struct diags *diags)
{
    struct reader r = {.file = file, .data = data, .len = len, .arena = arena, .diags = diags};
    struct document *list = NULL;
    int result = 0;

    r.tail = &list;
    if (!yaml_parser_initialize(&r.parser))
        return 1;
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, len);
    while (result == 0) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r.parser, &event)) {
            report_parser_error(&r);
            result = -1;
            break;
        }
        result = take_event(&r, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&r.parser);
    settle_lines(list, line_of_offset(&r, len));
    *ret = list;
    return result < 0 ? 1 : 0;
}

const struct node *node_get(const struct node *map, const char *key)
{
    if (!map || map->type != NODE_MAP)
        return NULL;
    for (const struct node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n;
    return NULL;
}

bool node_is_null(const struct node *node)
{
    return node->type == NODE_SCALAR && node->plain &&
           (!*node->text || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}
