#include "schema/base/diag.h"

#include <stdlib.h>

#include "schema/base/mem.h"

void diags_clear(struct diags *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->list[i].file);
        free(d->list[i].subject);
        free(d->list[i].message);
    }
    free(d->list);
    *d = DIAGS_INIT;
}

static void append(struct diags *d, const struct diag *diag)
{
    d->list = mem_grow(d->list, d->count, &d->capacity, sizeof(*d->list));
    d->list[d->count++] = *diag;
    d->errors += diag->severity == SEVERITY_ERROR;
}

void diags_add(struct diags *d, enum severity severity, const struct place *place,
               const char *subject, const char *format, ...)
{
    static const struct place nowhere;
    if (!place)
        place = &nowhere;
    struct strbuf message = STRBUF_INIT;
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&message, format, args);
    va_end(args);
    append(d, &(struct diag){
                  .severity = severity,
                  .file = mem_strdup(place->file),
                  .line = place->line,
                  .column = place->column,
                  .subject = mem_strdup(subject),
                  .message = strbuf_steal(&message),
              });
}

void diags_move(struct diags *to, struct diags *from)
{
    for (size_t i = 0; i < from->count; i++)
        append(to, &from->list[i]);
    free(from->list);
    *from = DIAGS_INIT;
}

void diag_print(const struct diag *d, struct strbuf *out)
{
    static const char *const names[] = {
        [SEVERITY_ERROR] = "error",
        [SEVERITY_WARNING] = "warning",
    };
    if (d->file) {
        strbuf_puts(out, d->file);
        if (d->line)
            strbuf_printf(out, ":%u", d->line);
        if (d->line && d->column)
            strbuf_printf(out, ":%u", d->column);
        strbuf_puts(out, ": ");
    }
    strbuf_printf(out, "%s: ", names[d->severity]);
    if (d->subject)
        strbuf_printf(out, "%s: ", d->subject);
    strbuf_printf(out, "%s\n", d->message);
}
