#include "tools/picctl/objections.h"

#include <string.h>

#include "tools/picctl/out.h"

static const struct proposed *find_proposed(const struct proposal *proposal, const struct diag *d)
{
    for (size_t i = 0; d->subject && i < proposal->count; i++)
        if (strcmp(proposal->list[i].resource->id, d->subject) == 0)
            return &proposal->list[i];
    return NULL;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

/* Lines do not count: the change may have moved them. */
static bool has(const struct diags *diags, const struct diag *d)
{
    for (size_t i = 0; i < diags->count; i++) {
        const struct diag *other = &diags->list[i];
        if (other->severity == d->severity && same_text(other->file, d->file) &&
            same_text(other->subject, d->subject) && same_text(other->message, d->message))
            return true;
    }
    return false;
}

/* The place in the file to be becomes the place in what the person wrote; what was written here has
 * none. */
static struct place given_place(const struct proposal *proposal, const struct proposed *p,
                                const struct diag *d)
{
    struct place place = {d->file, d->line, d->column};
    const struct resource *built = draft_built(&proposal->draft, p->resource->id);
    const char *path = draft_path(&proposal->draft, p->resource->id);
    if (!built || !*p->given->place.file || !same_text(d->file, path) ||
        d->line < built->place.line)
        return place;
    place.file = p->given->place.file;
    place.line = d->line - built->place.line + p->given->place.line;
    return place;
}

bool objections_say(const struct proposal *proposal, const struct diags *before)
{
    DIAGS_AUTO after = DIAGS_INIT;
    DIAGS_AUTO said = DIAGS_INIT;

    store_diags(proposal->store, &after);
    for (size_t i = 0; i < after.count; i++) {
        const struct diag *d = &after.list[i];
        const struct proposed *p = find_proposed(proposal, d);
        struct place place = {d->file, d->line, d->column};
        if (p)
            place = given_place(proposal, p, d);
        if (p || (d->severity == SEVERITY_ERROR && !has(before, d)))
            diags_add(&said, d->severity, &place, d->subject, "%s", d->message);
    }
    out_findings(stderr, &said);
    return said.errors > 0;
}
