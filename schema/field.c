/*
 * What is the same for every field type: names, hashes, defaults.
 */
#include "schema/field.h"

#include <string.h>

#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/types.h"

static const char *const disruption_names[] = {
    [DISRUPTION_NONE] = "none",
    [DISRUPTION_RELOAD] = "reload",
    [DISRUPTION_RESTART] = "restart",
    [DISRUPTION_RECREATE] = "recreate",
};
_Static_assert(sizeof(disruption_names) / sizeof(*disruption_names) == DISRUPTION_COUNT,
               "every disruption has a name");

const char *disruption_name(enum disruption disruption)
{
    return disruption_names[disruption];
}

static const char *const enforcer_names[] = {
    [BY_PICD] = "picd",
    [BY_WIREGUARD] = "wireguard",
    [BY_ROUTES] = "routes",
    [BY_FIREWALL] = "firewall",
    [BY_CONTAINERS] = "containers",
    [BY_CONFIGS] = "configs",
    [BY_CERTIFICATES] = "certificates",
    [BY_PEERSYNC] = "peersync",
};
_Static_assert(sizeof(enforcer_names) / sizeof(*enforcer_names) == ENFORCER_COUNT,
               "every enforcer has a name");

const char *enforcer_name(enum enforcer enforcer)
{
    return enforcer_names[enforcer];
}

/* ---- what is the same for every type ---- */

static uint64_t hash_item(const struct field *field, const void *item, uint64_t seed)
{
    STRBUF_AUTO text = STRBUF_INIT;
    type_of(field->type)->format(field, item, &text);
    return hash_text(text.text, seed);
}

/* Values without pointers and padding are hashed as they lie in memory. */
static bool hashed_as_bytes(enum field_type type)
{
    return type == FIELD_BOOL || type == FIELD_INT || type == FIELD_AUTO_INT ||
           type == FIELD_PORT || type == FIELD_PERCENT || type == FIELD_ENUM || type == FIELD_KEY ||
           type == FIELD_TIME || type == FIELD_ADDRESS4 || type == FIELD_ADDRESS6 ||
           type == FIELD_PREFIX4 || type == FIELD_PREFIX6 || type == FIELD_RANGE;
}

static uint64_t hash_list(const struct field *field, const struct list *list, uint64_t seed)
{
    const struct type *type = type_of(field->type);
    seed = hash_bytes(&list->count, sizeof(list->count), seed + list->any);
    for (uint32_t i = 0; i < list->count; i++)
        seed = hash_item(field, (const char *)list->items + i * type->size, seed);
    return seed;
}

uint64_t type_hash(const struct field *field, const void *spec, uint64_t seed)
{
    const struct type *type = type_of(field->type);
    const void *value = field_value(field, spec);

    if (type->shape == SHAPE_LIST)
        return hash_list(field, value, seed);
    if (hashed_as_bytes(field->type))
        return hash_bytes(value, type->size, seed);
    if (field->type == FIELD_ENDPOINT)
        return ((const struct endpoint *)value)->host ? hash_item(field, value, seed) : seed;
    const char *text = *(const char *const *)value;
    return text ? hash_text(text, seed) : seed;
}

void type_default(const struct field *field, void *spec, struct arena *arena)
{
    const struct type *type = type_of(field->type);
    void *value = (char *)spec + field->offset;
    const char *why;

    if (!field->def)
        return;
    if (type->shape != SHAPE_LIST) {
        type->parse(field, field->def, value, arena, &why);
        return;
    }
    struct list *list = value;
    if (*field->def == '\0')
        return;
    if (type->any && strcmp(field->def, type->any) == 0) {
        list->any = true;
        return;
    }
    void *item = arena_alloc(arena, type->size);
    type->parse(field, field->def, item, arena, &why);
    *list = (struct list){.items = item, .count = 1};
}

bool type_is_default(const struct field *field, const void *spec)
{
    struct arena arena;
    arena_init(&arena, 128);
    /* A spec with nothing but this row: only the bytes at its offset are looked at. */
    void *blank =
        arena_alloc(&arena, field->offset + sizeof(struct endpoint) + sizeof(struct list));
    type_default(field, blank, &arena);
    bool same = type_hash(field, blank, 1) == type_hash(field, spec, 1);
    arena_clear(&arena);
    return same;
}
