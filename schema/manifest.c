#include "schema/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/decode/decode.h"

enum { NODES_ARENA_FIRST = 4096 };

static void add_entry(struct manifest *m, const struct document *document, const char *id,
                      struct resource *resource)
{
    m->entries = mem_grow(m->entries, m->count, &m->capacity, sizeof(*m->entries));
    m->entries[m->count++] = (struct manifest_entry){
        .id = resource ? resource->id : mem_strdup(id),
        .resource = resource,
        .first_line = document->first_line,
        .end_line = document->end_line,
    };
}

/* A UTF-8 byte order mark is skipped by libyaml itself, also before later documents. */
struct manifest *manifest_parse(const char *path, const char *data, size_t len)
{
    struct manifest *m = mem_alloc(sizeof(*m));
    m->path = mem_strdup(path);
    if (len > YAML_FILE_MAX) {
        struct place place = {.file = path};
        diags_add(&m->diags, SEVERITY_ERROR, &place, NULL,
                  "the file has %zu bytes: at most %d are allowed; split it", len, YAML_FILE_MAX);
        return m;
    }

    struct arena arena;
    arena_init(&arena, NODES_ARENA_FIRST);
    struct document *list = NULL;
    m->complete = yaml_read(path, data, len, &arena, &list, &m->diags) == 0;
    for (const struct document *d = list; d; d = d->next) {
        const char *id = NULL;
        struct resource *resource = decode_resource(path, d, &arena, &id, &m->diags);
        add_entry(m, d, resource ? resource->id : id, resource);
    }
    arena_clear(&arena);
    m->capacity = m->count;
    m->entries = mem_resize(m->entries, m->count * sizeof(*m->entries));
    return m;
}

void manifest_free(struct manifest *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->count; i++) {
        if (!m->entries[i].resource)
            free((char *)(uintptr_t)m->entries[i].id);
        resource_unref(m->entries[i].resource);
    }
    mem_freep(&m->entries);
    mem_freep(&m->path);
    diags_clear(&m->diags);
    mem_freep(&m);
}

bool manifest_name_read(const char *name)
{
    static const char *const endings[] = {".yaml", ".yml", ".json"};
    size_t len = strlen(name);

    if (name[0] == '.' || name[0] == '#' || name[len - 1] == '~')
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
        size_t ending = strlen(endings[i]);
        if (len > ending && strcmp(name + len - ending, endings[i]) == 0)
            return true;
    }
    return false;
}

void manifest_lines(const char *data, size_t len, unsigned first, unsigned end, size_t *retoffset,
                    size_t *retlength)
{
    size_t start = len, stop = len;
    unsigned line = 1;
    for (size_t i = 0; i <= len; i++) {
        if (i > 0 && i < len + 1 && data[i - 1] == '\n')
            line++;
        else if (i > 0)
            continue;
        if (line == first && start == len)
            start = i;
        if (line == end) {
            stop = i;
            break;
        }
    }
    *retoffset = start;
    *retlength = stop > start ? stop - start : 0;
}
