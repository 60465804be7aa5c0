#include "controller/engine/troubles.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

bool troubles_any(const struct troubles *troubles)
{
    return troubles->by_key.count > 0;
}

const struct trouble *troubles_find(const struct troubles *troubles, const char *key,
                                    const char *object)
{
    const struct trouble *t = map_get_text(&troubles->by_key, key);
    while (t && object && strcmp(t->object, object) != 0)
        t = t->next;
    return t;
}

const struct trouble *troubles_next(const struct troubles *troubles, size_t *at)
{
    const struct map_entry *entry = map_next(&troubles->by_key, at);
    return entry ? entry->value : NULL;
}

struct trouble *troubles_add(struct troubles *troubles, const char *key, const char *object,
                             const char *message)
{
    struct trouble *t = mem_alloc(sizeof(*t));
    t->key = mem_strdup(key);
    t->object = mem_strdup(object);
    t->message = mem_strdup(message);
    t->next = map_put_text(&troubles->by_key, t->key, t);
    return t;
}

static void free_chain(struct trouble *t)
{
    while (t) {
        struct trouble *next = t->next;
        free(t->key);
        free(t->object);
        free(t->message);
        free(t);
        t = next;
    }
}

void troubles_forget(struct troubles *troubles, const char *key)
{
    free_chain(map_remove_text(&troubles->by_key, key));
}

void troubles_clear(struct troubles *troubles)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&troubles->by_key, &at)))
        free_chain(entry->value);
    map_clear(&troubles->by_key);
}
