#include "schema/emit/emit.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "schema/base/mem.h"

/* What YAML 1.1 readers retype when it stands without quotes (yaml.org/type/bool, null, merge). */
static const char *const retyped_words[] = {
    "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", "=", "nan", "inf",
};

static bool is_word(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(retyped_words); i++)
        if (strcasecmp(text, retyped_words[i]) == 0)
            return true;
    return false;
}

/* Numbers, times and sexagesimals of YAML 1.1 all start with a digit, a sign or a dot. Text that
 * does and is more than that (an address with three dots) stays plain. */
static bool looks_numeric(const char *text)
{
    if (!isdigit((unsigned char)*text) && !strchr("+-.", *text))
        return false;
    size_t dots = 0;
    for (const char *c = text; *c; c++)
        dots += *c == '.';
    bool address = dots == 3 && strspn(text, "0123456789./") == strlen(text);
    return !address;
}

static bool plain_is_safe(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || is_word(text) || looks_numeric(text))
        return false;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!isalnum(c) && !strchr("_./@=+-", c))
            return false;
    }
    return !strchr("-./@=+", text[0]) || text[0] == '/';
}

static void put_quoted(const char *text, struct strbuf *out)
{
    strbuf_putc(out, '"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\')
            strbuf_printf(out, "\\%c", *c);
        else if (*c == '\n')
            strbuf_puts(out, "\\n");
        else if (*c < 0x20 || *c == 0x7f)
            strbuf_printf(out, "\\x%02x", *c);
        else
            strbuf_putc(out, (char)*c);
    }
    strbuf_putc(out, '"');
}

void emit_yaml_text(const char *text, struct strbuf *out)
{
    if (plain_is_safe(text))
        strbuf_puts(out, text);
    else
        put_quoted(text, out);
}

static void put_scalar(const json_t *value, struct strbuf *out)
{
    if (json_is_string(value)) {
        emit_yaml_text(json_string_value(value), out);
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    strbuf_puts(out, text ? text : "null");
    mem_freep(&text);
}

static bool is_block(const json_t *value)
{
    return (json_is_object(value) && json_object_size(value) > 0) ||
           (json_is_array(value) && json_array_size(value) > 0 &&
            (json_is_object(json_array_get(value, 0)) || json_is_array(json_array_get(value, 0))));
}

static void put_flow_list(const json_t *array, struct strbuf *out)
{
    strbuf_putc(out, '[');
    for (size_t i = 0; i < json_array_size(array); i++) {
        strbuf_puts(out, i ? ", " : "");
        put_scalar(json_array_get(array, i), out);
    }
    strbuf_putc(out, ']');
}

static void put_inline(const json_t *value, struct strbuf *out)
{
    if (json_is_array(value))
        put_flow_list(value, out);
    else
        put_scalar(value, out);
    strbuf_putc(out, '\n');
}

static void put_object(const json_t *object, unsigned indent, bool first_inline, struct strbuf *out)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        strbuf_printf(out, "%*s", first_inline ? 0 : (int)indent, "");
        first_inline = false;
        emit_yaml_text(key, out);
        strbuf_putc(out, ':');
        if (is_block(value)) {
            strbuf_putc(out, '\n');
            emit_yaml_value(value, indent + 2, out);
        } else {
            strbuf_putc(out, ' ');
            put_inline(value, out);
        }
    }
}

void emit_yaml_value(const json_t *value, unsigned indent, struct strbuf *out)
{
    if (json_is_object(value)) {
        put_object(value, indent, false, out);
        return;
    }
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *item = json_array_get(value, i);
        strbuf_printf(out, "%*s- ", (int)indent, "");
        if (json_is_object(item) && json_object_size(item) > 0)
            put_object(item, indent + 2, true, out);
        else
            put_inline(item, out);
    }
}

void emit_yaml(const struct resource *resource, enum emit_what what, struct strbuf *out)
{
    json_t *json = emit_json(resource, what);
    emit_yaml_value(json, 0, out);
    json_decref(json);
}
