#include "schema/emit/emit.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/decode/decode.h"
#include "schema/types.h"

static json_t *text_value(const struct field *field, const void *value)
{
    STRBUF_AUTO text = STRBUF_INIT;
    type_of(field->type)->format(field, value, &text);
    return json_string(text.text);
}

static json_t *list_value(const struct field *field, const struct list *list)
{
    const struct type *type = type_of(field->type);
    if (list->any)
        return strcmp(type->any, "*") == 0 ? json_pack("[s]", type->any) : json_string(type->any);
    json_t *array = json_array();
    for (uint32_t i = 0; i < list->count; i++)
        json_array_append_new(array, text_value(field, (const char *)list->items + i * type->size));
    return array;
}

static json_t *number_value(const struct field *field, const void *value)
{
    STRBUF_AUTO text = STRBUF_INIT;
    type_of(field->type)->format(field, value, &text);
    char *end;
    long long number = strtoll(text.text, &end, 10);
    return *end || end == text.text ? json_string(text.text) : json_integer(number);
}

static json_t *field_json(const struct field *field, const void *spec)
{
    const struct type *type = type_of(field->type);
    const void *value = field_value(field, spec);

    switch (type->shape) {
    case SHAPE_BOOL:
        return json_boolean(*(const bool *)value);
    case SHAPE_NUMBER:
        return number_value(field, value);
    case SHAPE_TEXT:
        return text_value(field, value);
    case SHAPE_SECRET:
        return json_pack("{s:s}", "file", *(const char *const *)value);
    case SHAPE_LIST:
        return list_value(field, value);
    }
    return json_null();
}

/* Puts value at "a.b.c" below object, making the objects on the way. */
static void put_path(json_t *object, const char *path, json_t *value)
{
    size_t len;
    while (path[len = strcspn(path, ".")] == '.') {
        char *key = mem_strndup(path, len);
        json_t *below = json_object_get(object, key);
        if (!below) {
            below = json_object();
            json_object_set_new(object, key, below);
        }
        mem_freep(&key);
        object = below;
        path += len + 1;
    }
    json_object_set_new(object, path, value);
}

static json_t *labels_json(const struct label *labels, uint32_t count)
{
    json_t *object = json_object();
    for (uint32_t i = 0; i < count; i++)
        json_object_set_new(object, labels[i].key, json_string(labels[i].value));
    return object;
}

static json_t *metadata_json(const struct resource *r)
{
    json_t *metadata = json_pack("{s:s}", "name", r->name);
    if (r->label_count)
        json_object_set_new(metadata, "labels", labels_json(r->labels, r->label_count));
    if (r->annotation_count)
        json_object_set_new(metadata, "annotations",
                            labels_json(r->annotations, r->annotation_count));
    return metadata;
}

/* A field that is absent and has no default has no value to show. */
static bool has_value(const struct resource *r, size_t row)
{
    return resource_has(r, (unsigned)row) || r->kind->fields[row].def;
}

json_t *emit_json(const struct resource *r, enum emit_what what)
{
    json_t *spec = json_object();
    for (size_t i = 0; i < r->kind->field_count; i++)
        if (resource_has(r, (unsigned)i) || (what == EMIT_ALL && has_value(r, i)))
            put_path(spec, r->kind->fields[i].path, field_json(&r->kind->fields[i], r->spec));
    return json_pack("{s:s, s:s, s:o, s:o}", "apiVersion", API_VERSION, "kind", r->kind->name,
                     "metadata", metadata_json(r), "spec", spec);
}

void emit_field_text(const struct field *field, const void *spec, struct strbuf *out)
{
    const struct type *type = type_of(field->type);
    const void *value = field_value(field, spec);

    if (type->shape == SHAPE_SECRET) {
        strbuf_puts(out, "(secret)");
        return;
    }
    if (type->shape != SHAPE_LIST) {
        type->format(field, value, out);
        return;
    }
    const struct list *list = value;
    if (list->any) {
        strbuf_puts(out, type->any);
        return;
    }
    strbuf_putc(out, '[');
    for (uint32_t i = 0; i < list->count; i++) {
        strbuf_puts(out, i ? ", " : "");
        type->format(field, (const char *)list->items + i * type->size, out);
    }
    strbuf_putc(out, ']');
}
