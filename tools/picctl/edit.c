#include "tools/picctl/edit.h"

#include <string.h>

#include "schema/base/arena.h"
#include "schema/decode/node.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum { NODES_ARENA_FIRST = 4096 };

/* ---- lines ----------------------------------------------------------------------------------- */

struct line {
    const char *text;
    size_t len; /* with its end */
};

static struct line line_at(const char *data, size_t len, size_t offset)
{
    const char *text = data + offset;
    const char *newline = memchr(text, '\n', len - offset);
    return (struct line){text, newline ? (size_t)(newline - text) + 1 : len - offset};
}

static size_t line_before(const char *data, size_t start, size_t offset)
{
    offset--;
    while (offset > start && data[offset - 1] != '\n')
        offset--;
    return offset;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_blank(struct line line)
{
    size_t i = 0;
    while (i < line.len && is_space(line.text[i]))
        i++;
    return i == line.len;
}

static bool is_marker(struct line line, const char *marker)
{
    return line.len >= 3 && memcmp(line.text, marker, 3) == 0 &&
           (line.len == 3 || is_space(line.text[3]));
}

/* Where the content begins on a separator's line; its length: on the next one. */
static size_t after_separator(struct line line)
{
    size_t i = 3;
    while (i < line.len && is_space(line.text[i]))
        i++;
    return i < line.len && line.text[i] != '#' ? i : line.len;
}

/* What stands outside of documents: blank, a comment in the first column, an end marker, the
 * separator of a document that is empty. */
static bool is_outside(struct line line)
{
    return is_blank(line) || line.text[0] == '#' || is_marker(line, "...") ||
           (is_marker(line, "---") && after_separator(line) == line.len);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* Lines above a separator that the parser counts to its document: directives, comments among them.
 */
static size_t skip_to_separator(const char *data, size_t len, size_t start, size_t end)
{
    for (size_t at = start; at < end;) {
        struct line line = line_at(data, len, at);
        if (is_marker(line, "---"))
            return at;
        if (line.text[0] != '%' && !is_outside(line))
            return end;
        at += line.len;
    }
    return end;
}

/* The offset of a line, or the text's end. */
static size_t go_to_line(const char *data, size_t len, struct edit_cursor *cursor, unsigned line)
{
    while (cursor->line < line && cursor->offset < len) {
        cursor->offset += line_at(data, len, cursor->offset).len;
        cursor->line++;
    }
    return cursor->offset;
}

struct edit_place edit_find(const char *data, size_t len, struct edit_cursor *cursor,
                            unsigned first, unsigned end_line)
{
    struct edit_place place;
    place.separator = place.start = go_to_line(data, len, cursor, first);
    place.end = go_to_line(data, len, cursor, end_line);

    if (place.end - place.start >= 3 && memcmp(data + place.start, BYTE_ORDER_MARK, 3) == 0)
        place.separator = place.start += 3;
    size_t separator = skip_to_separator(data, len, place.start, place.end);
    if (separator < place.end)
        place.start = separator + after_separator(line_at(data, len, separator));
    while (place.end > place.start) {
        size_t last = line_before(data, place.start, place.end);
        if (!is_outside((struct line){data + last, place.end - last}))
            break;
        place.end = last;
    }
    return place;
}

/* ---- edits ----------------------------------------------------------------------------------- */

static bool has_crlf(const char *data, size_t len)
{
    const char *newline = memchr(data, '\n', len);
    return newline && newline > data && newline[-1] == '\r';
}

static void put_lines(const char *text, size_t len, bool crlf, struct strbuf *out)
{
    for (size_t at = 0; at < len;) {
        struct line line = line_at(text, len, at);
        size_t content = line.len;
        while (content && (line.text[content - 1] == '\n' || line.text[content - 1] == '\r'))
            content--;
        strbuf_add(out, line.text, content);
        strbuf_puts(out, crlf ? "\r\n" : "\n");
        at += line.len;
    }
}

/* Content that stood on the separator's line makes room: the new one begins on the next line. */
static void end_line(bool crlf, struct strbuf *out)
{
    if (!out->len || out->text[out->len - 1] == '\n')
        return;
    if (out->len >= 3 && memcmp(out->text + out->len - 3, BYTE_ORDER_MARK, 3) == 0)
        return;
    while (out->len && (out->text[out->len - 1] == ' ' || out->text[out->len - 1] == '\t'))
        out->text[--out->len] = '\0';
    strbuf_puts(out, crlf ? "\r\n" : "\n");
}

/* An end marker right behind a document that goes would end nothing. */
static size_t skip_end_marker(const char *data, size_t len, size_t at)
{
    struct line line = at < len ? line_at(data, len, at) : (struct line){"", 0};
    return is_marker(line, "...") ? at + line.len : at;
}

void edit_apply(const char *data, size_t len, const struct edit *edits, size_t count,
                struct strbuf *out)
{
    bool crlf = has_crlf(data, len);
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const struct edit *e = &edits[i];
        size_t keep = e->text ? e->place.start : e->place.separator;
        strbuf_add(out, data + at, keep - at);
        at = e->place.end;
        if (e->text) {
            end_line(crlf, out);
            put_lines(e->text, e->text_len, crlf, out);
        } else {
            at = skip_end_marker(data, len, at);
        }
    }
    strbuf_add(out, data + at, len - at);
}

bool edit_is_empty(const char *data, size_t len)
{
    size_t at = len >= 3 && memcmp(data, BYTE_ORDER_MARK, 3) == 0 ? 3 : 0;
    while (at < len) {
        struct line line = line_at(data, len, at);
        size_t i = 0;
        while (i < line.len && is_space(line.text[i]))
            i++;
        bool comment = i < line.len && (line.text[i] == '#' || line.text[0] == '%');
        if (!comment && !is_outside(line))
            return false;
        at += line.len;
    }
    return true;
}

/* ---- one field ------------------------------------------------------------------------------- */

static size_t offset_of_line(const char *text, size_t len, unsigned line)
{
    struct edit_cursor cursor = EDIT_CURSOR_INIT;
    return go_to_line(text, len, &cursor, line);
}

/* The first field of the spec, if it stands on a line of its own behind spaces, and its value on
 * the same line: then a line with the same indentation may follow it. A map in braces is none of
 * this. */
static const struct node *first_field(const char *text, size_t len, const struct document *document)
{
    const struct node *spec = node_get(document->root, "spec");
    const struct node *field = spec && spec->type == NODE_MAP ? spec->first : NULL;
    if (!field || field->type != NODE_SCALAR || field->line != field->key_line ||
        field->key_column < 2)
        return NULL;
    if (field->next && field->next->key_line != field->line + 1)
        return NULL;
    size_t flow = offset_of_line(text, len, spec->line) + spec->column - 1;
    size_t offset = offset_of_line(text, len, field->key_line), indent = field->key_column - 1;
    if (offset + indent >= len || text[flow] == '{')
        return NULL;
    for (size_t i = 0; i < indent; i++)
        if (text[offset + i] != ' ')
            return NULL;
    return field;
}

static int add_after(const char *text, size_t len, const struct node *field, const char *key,
                     const char *value, struct strbuf *out)
{
    size_t at = offset_of_line(text, len, field->line + 1);
    strbuf_add(out, text, at);
    if (at && text[at - 1] != '\n')
        strbuf_putc(out, '\n');
    strbuf_printf(out, "%*s%s: %s\n", (int)field->key_column - 1, "", key, value);
    strbuf_add(out, text + at, len - at);
    return 0;
}

int edit_add_field(const char *text, size_t len, const char *key, const char *value,
                   struct strbuf *out)
{
    struct arena arena;
    struct document *document = NULL;
    DIAGS_AUTO diags = DIAGS_INIT;

    arena_init(&arena, NODES_ARENA_FIRST);
    int result = EDIT_UNSURE;
    if (yaml_read("", text, len, &arena, &document, &diags) == 0 && document && !document->next) {
        const struct node *field = first_field(text, len, document);
        if (field)
            result = add_after(text, len, field, key, value, out);
    }
    arena_clear(&arena);
    return result;
}

int edit_replace_word(const char *text, size_t len, const char *before, const char *after,
                      struct strbuf *out)
{
    size_t word = strlen(before);
    const char *found = memmem(text, len, before, word);
    if (!found)
        return EDIT_UNSURE;
    const char *rest = found + word;
    size_t rest_len = len - (size_t)(rest - text);
    if (memmem(rest, rest_len, before, word))
        return EDIT_UNSURE;
    strbuf_add(out, text, (size_t)(found - text));
    strbuf_puts(out, after);
    strbuf_add(out, rest, rest_len);
    return 0;
}

bool edit_has_comment(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] == '#' && (i == 0 || is_space(text[i - 1])))
            return true;
    return false;
}
