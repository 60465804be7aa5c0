/*
 * Manifest text → resources → YAML → resources: whatever is accepted comes back the same, and
 * places of documents are inside the text.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "schema/emit/emit.h"
#include "schema/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const struct resource *resource)
{
    struct strbuf text = STRBUF_INIT;
    emit_yaml(resource, EMIT_WRITTEN, &text);
    struct manifest *again = manifest_parse("again.yaml", text.text, text.len);
    if (again->count != 1 || !again->entries[0].resource ||
        again->entries[0].resource->hash != resource->hash)
        abort();
    manifest_free(again);
    strbuf_clear(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest *m = manifest_parse("fuzz.yaml", (const char *)data, size);
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest_entry *entry = &m->entries[i];
        size_t offset, length;
        manifest_lines((const char *)data, size, entry->first_line, entry->end_line, &offset,
                       &length);
        if (offset > size || length > size - offset)
            abort();
        if (entry->resource)
            check_round_trip(entry->resource);
        else if (!m->diags.errors)
            abort();
    }
    if (!m->complete && !m->diags.errors)
        abort();
    manifest_free(m);
    return 0;
}
