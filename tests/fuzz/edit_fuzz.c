/*
 * Any text that is YAML, with each of its documents replaced and taken out. What the edit promises
 * must hold: bytes before and behind the place stay, and an untouched document is never cut. The
 * functions are compiled in, for picctl is no library.
 */
#include "tools/picctl/edit.c"

#include <stdint.h>
#include <stdlib.h>

#include "schema/base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool holds)
{
    if (!holds)
        abort();
}

static void try_edit(const char *data, size_t len, struct edit_place place, const char *text)
{
    struct edit edit = {.place = place, .text = text, .text_len = text ? strlen(text) : 0};
    STRBUF_AUTO out = STRBUF_INIT;
    edit_apply(data, len, &edit, 1, &out);
    size_t kept = text ? place.start : place.separator;
    /* Spaces behind a separator go when its line ends there. */
    while (text && kept && (data[kept - 1] == ' ' || data[kept - 1] == '\t'))
        kept--;
    insist(out.len >= kept && memcmp(out.text, data, kept) == 0);
    size_t tail = len - place.end;
    if (text)
        insist(out.len >= tail && memcmp(out.text + out.len - tail, data + place.end, tail) == 0);
}

/* Line ends of YAML besides LF and CRLF: lines are counted otherwise then, and draft.c refuses the
 * result. */
static bool has_rare_breaks(const char *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bool lone_return = data[i] == '\r' && (i + 1 == size || data[i + 1] != '\n');
        bool next_line = i + 1 < size && memcmp(data + i, "\xc2\x85", 2) == 0;
        bool separator = i + 2 < size && memcmp(data + i, "\xe2\x80", 2) == 0;
        if (lone_return || next_line || separator)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    MEM_AUTO char *data = mem_alloc(size + 1);
    struct edit_cursor cursor = EDIT_CURSOR_INIT;
    struct document *document = NULL;
    struct arena arena;
    DIAGS_AUTO diags = DIAGS_INIT;
    STRBUF_AUTO added = STRBUF_INIT;
    size_t before = 0;

    memcpy(data, bytes, size);
    arena_init(&arena, 4096);
    yaml_read("fuzz", data, size, &arena, &document, &diags);
    for (const struct document *d = document; d; d = d->next) {
        struct edit_place place = edit_find(data, size, &cursor, d->first_line, d->end_line);
        insist(before <= place.separator && place.separator <= place.start &&
               place.start <= place.end && place.end <= size);
        before = place.end;
        try_edit(data, size, place, "kind: Peer\n");
        try_edit(data, size, place, NULL);
    }
    if (edit_is_empty(data, size) && !diags.count && !has_rare_breaks(data, size))
        insist(document == NULL);
    edit_add_field(data, size, "key", "value", &added);
    edit_has_comment(data, size);
    arena_clear(&arena);
    return 0;
}
