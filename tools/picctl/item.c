#include "tools/picctl/item.h"

#include <string.h>

#include "schema/base/mem.h"

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

const char *item_name(const json_t *item)
{
    const char *name = text_of(json_object_get(item, "metadata"), "name");
    return name ? name : "";
}

const struct kind *item_kind(const json_t *item)
{
    const char *kind = text_of(item, "kind");
    return kind ? kind_find(kind) : NULL;
}

const char *item_label(const json_t *item, const char *key)
{
    return text_of(json_object_get(json_object_get(item, "metadata"), "labels"), key);
}

static const char *default_of(const struct kind *kind, const char *path)
{
    for (size_t i = 0; kind && i < kind->field_count; i++)
        if (strcmp(kind->fields[i].path, path) == 0)
            return kind->fields[i].def;
    return NULL;
}

const char *item_spec(const json_t *item, const char *path)
{
    const json_t *value = json_object_get(item, "spec");
    for (const char *at = path; value && *at;) {
        size_t len = strcspn(at, ".");
        char key[64];
        if (len >= sizeof(key))
            return NULL;
        memcpy(key, at, len);
        key[len] = '\0';
        value = json_object_get(value, key);
        at += len + (at[len] == '.');
    }
    return value ? json_string_value(value) : default_of(item_kind(item), path);
}

const json_t *item_status(const json_t *item, const char *key)
{
    return json_object_get(json_object_get(item, "status"), key);
}

const char *item_status_text(const json_t *item, const char *key)
{
    return json_string_value(item_status(item, key));
}

const json_t *item_condition(const json_t *item, const char *type)
{
    const json_t *conditions = item_status(item, "conditions"), *condition;
    for (size_t i = 0; (condition = json_array_get(conditions, i)); i++) {
        const char *is = text_of(condition, "type");
        if (is && strcmp(is, type) == 0)
            return condition;
    }
    return NULL;
}

const char *condition_text(const json_t *condition, const char *key)
{
    return condition ? text_of(condition, key) : NULL;
}
