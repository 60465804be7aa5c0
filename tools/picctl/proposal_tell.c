#include "tools/picctl/proposal.h"

#include "schema/emit/emit.h"
#include "schema/kinds/peer.h"

static void field_text(const struct resource *resource, size_t row, struct strbuf *out)
{
    const struct field *field = &resource->kind->fields[row];
    if (resource_has(resource, (unsigned)row) || field->def)
        emit_field_text(field, resource->spec, out);
    else
        strbuf_puts(out, "(none)");
}

static void tell_changes(const struct proposed *p, struct strbuf *out)
{
    uint64_t rows = resource_changed(p->before, p->resource);
    for (size_t row = 0; row < p->resource->kind->field_count; row++) {
        STRBUF_AUTO before = STRBUF_INIT, after = STRBUF_INIT;
        if (!(rows >> row & 1))
            continue;
        field_text(p->before, row, &before);
        field_text(p->resource, row, &after);
        strbuf_printf(out, "    %s: %s -> %s\n", p->resource->kind->fields[row].path, before.text,
                      after.text);
    }
    if (!rows)
        strbuf_puts(out, "    labels or annotations\n");
}

static void tell_chosen(const struct proposed *p, struct strbuf *out)
{
    char text[ADDR_TEXT_MAX];
    const struct peer_spec *peer = p->resource->spec;
    if (p->resource->kind == &kind_peer && !resource_has(p->given, PEER_address) &&
        !(p->before && resource_has(p->before, PEER_address)))
        strbuf_printf(out, "    address: %s, chosen and written\n",
                      ip_format(&peer->address, text));
}

/* A device that picd will not let in, although the manifest is right. */
static void tell_off(const struct model *model, const struct proposed *p, struct strbuf *out)
{
    const struct model_peer *peer = NULL;
    STRBUF_AUTO why = STRBUF_INIT;
    if (model && p->resource->kind == &kind_peer)
        peer = model_peer_by_name(model, p->resource->name);
    if (!peer || peer->off == PEER_ON)
        return;
    model_off_reason(model, peer, &why);
    strbuf_printf(out, "    %s\n", why.text);
}

void proposal_tell(const struct proposal *proposal, bool dry_run, struct strbuf *out)
{
    static const char *const words[] = {
        [OUTCOME_UNCHANGED] = "unchanged",
        [OUTCOME_CREATED] = "created",
        [OUTCOME_CONFIGURED] = "configured",
    };
    for (size_t i = 0; i < proposal->count; i++) {
        const struct proposed *p = &proposal->list[i];
        const char *path = draft_path(&proposal->draft, p->resource->id);
        strbuf_printf(out, "%s %s in %s%s%s\n", p->resource->id, words[p->outcome], path,
                      p->in_place ? ", which is in place" : "", dry_run ? " (dry run)" : "");
        if (p->outcome == OUTCOME_CONFIGURED && p->before)
            tell_changes(p, out);
        else if (p->outcome == OUTCOME_CREATED)
            tell_chosen(p, out);
        tell_off(proposal->model, p, out);
    }
}
