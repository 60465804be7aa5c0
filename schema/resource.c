#include "schema/resource.h"

#include <string.h>

#include "schema/base/mem.h"
#include "schema/types.h"

struct resource *resource_ref(const struct resource *resource)
{
    struct resource *mine = (struct resource *)(uintptr_t)resource;
    mine->references++;
    return mine;
}

void resource_unref(const struct resource *resource)
{
    if (!resource)
        return;
    struct resource *mine = (struct resource *)(uintptr_t)resource;
    if (--mine->references > 0)
        return;
    /* The object lies in its own arena: take the arena out before it goes. */
    struct arena arena = mine->arena;
    arena_clear(&arena);
}

static size_t kind_rank(const struct kind *kind)
{
    size_t i = 0;
    while (i < kind_count && kinds[i] != kind)
        i++;
    return i;
}

int resource_compare(const void *a, const void *b)
{
    const struct resource *x = a, *y = b;
    if (x->kind != y->kind)
        return kind_rank(x->kind) < kind_rank(y->kind) ? -1 : 1;
    return strcmp(x->name, y->name);
}

uint64_t resource_changed(const struct resource *a, const struct resource *b)
{
    uint64_t changed = 0;
    for (size_t i = 0; i < a->kind->field_count; i++) {
        const struct field *field = &a->kind->fields[i];
        bool differs = type_hash(field, a->spec, 1) != type_hash(field, b->spec, 1);
        changed |= (uint64_t)differs << i;
    }
    return changed;
}

struct place resource_field_place(const struct resource *resource, unsigned row)
{
    struct place place = resource->place;
    if (resource_has(resource, row)) {
        uint64_t before = resource->present & ((UINT64_C(1) << row) - 1);
        uint32_t at = resource->field_place[__builtin_popcountll(before)];
        place.line = at >> 8;
        place.column = at & 0xff;
    }
    return place;
}

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool resource_name_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > RESOURCE_NAME_MAX || strstr(name, ".."))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!letter_or_digit(name[i]) && name[i] != '-' && name[i] != '.')
            return false;
    return letter_or_digit(name[0]) && letter_or_digit(name[len - 1]);
}
