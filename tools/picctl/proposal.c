#include "tools/picctl/proposal.h"

#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "schema/kinds/peer.h"
#include "schema/manifest.h"
#include "tools/picctl/addresses.h"
#include "tools/picctl/edit.h"
#include "tools/picctl/objections.h"

int proposal_open(const struct config *config, struct proposal *ret, struct error **reterr)
{
    return draft_open(config, &ret->draft, reterr);
}

static void proposed_clear(struct proposed *p)
{
    resource_unref(p->given);
    resource_unref(p->resource);
    resource_unref(p->before);
    strbuf_clear(&p->text);
}

void proposal_clear(struct proposal *proposal)
{
    for (size_t i = 0; i < proposal->count; i++)
        proposed_clear(&proposal->list[i]);
    mem_freep(&proposal->list);
    model_free(proposal->model);
    store_free(proposal->store);
    draft_clear(&proposal->draft);
    *proposal = (struct proposal){0};
}

/* ---- fields that we write -------------------------------------------------------------------- */

/* The one resource of a text, or NULL. */
static struct resource *parse_one(const struct strbuf *text)
{
    struct manifest *manifest = manifest_parse("", text->text, text->len);
    struct resource *resource = NULL;
    if (manifest->complete && manifest->count == 1 && !manifest->diags.errors)
        resource = resource_ref(manifest->entries[0].resource);
    manifest_free(manifest);
    return resource;
}

/* The whole document written anew, with one field more. */
static void emit_with(const struct resource *resource, const char *path, const char *value,
                      struct strbuf *out)
{
    json_t *json = emit_json(resource, EMIT_WRITTEN);
    json_object_set_new(json_object_get(json, "spec"), path, json_string(value));
    emit_yaml_value(json, 0, out);
    json_decref(json);
}

/* Writes a field of the first level, keeping the text as it is where that can be done. */
static void write_field(struct proposed *p, unsigned row, const char *value)
{
    const char *path = p->resource->kind->fields[row].path;
    STRBUF_AUTO scalar = STRBUF_INIT;
    struct strbuf text = STRBUF_INIT;
    struct resource *resource = NULL;

    emit_yaml_text(value, &scalar);
    if (edit_add_field(p->text.text, p->text.len, path, scalar.text, &text) == 0)
        resource = parse_one(&text);
    if (!resource || !resource_has(resource, row)) {
        resource_unref(resource);
        strbuf_reset(&text);
        emit_with(p->resource, path, value, &text);
        resource = parse_one(&text);
    }
    resource_unref(p->resource);
    strbuf_clear(&p->text);
    p->resource = resource;
    p->text = text;
}

/* What the manifest that is there has, and the new text leaves open. The last row first, so that
 * they stand in their order. */
static void keep_given(struct proposed *p)
{
    const struct kind *kind = p->resource->kind;
    for (unsigned row = (unsigned)kind->field_count; p->before && row-- > 0;) {
        if (!(kind->fields[row].flags & FIELD_GIVEN) || resource_has(p->resource, row) ||
            !resource_has(p->before, row))
            continue;
        STRBUF_AUTO value = STRBUF_INIT;
        emit_field_text(&kind->fields[row], p->before->spec, &value);
        write_field(p, row, value.text);
    }
}

/* ---- adding ---------------------------------------------------------------------------------- */

/* The same meaning: not a byte changes. */
static int put(struct proposal *proposal, struct proposed *p, struct error **reterr)
{
    if (p->before && p->before->hash == p->resource->hash)
        return 0;
    p->outcome = p->existed ? OUTCOME_CONFIGURED : OUTCOME_CREATED;
    return draft_put(&proposal->draft, p->resource, p->text.text, p->text.len, reterr);
}

static int refuse_twice(const struct proposal *proposal, const struct resource *resource,
                        struct error **reterr)
{
    for (size_t i = 0; i < proposal->count; i++) {
        const struct resource *other = proposal->list[i].given;
        if (strcmp(other->id, resource->id) == 0)
            return error_make(
                reterr, EINVAL, "%s is given twice: at %s:%u and at %s:%u; remove one", other->id,
                other->place.file, other->place.line, resource->place.file, resource->place.line);
    }
    return 0;
}

int proposal_add(struct proposal *proposal, const struct resource *resource, const char *text,
                 size_t len, bool in_place, struct error **reterr)
{
    const struct resource *before = draft_resource(&proposal->draft, resource->id);
    int r = refuse_twice(proposal, resource, reterr);
    if (r < 0)
        return r;
    proposal->list =
        mem_grow(proposal->list, proposal->count, &proposal->capacity, sizeof(*proposal->list));
    struct proposed *p = &proposal->list[proposal->count++];
    *p = (struct proposed){
        .given = resource_ref(resource),
        .resource = resource_ref(resource),
        .before = before ? resource_ref(before) : NULL,
        .text = STRBUF_INIT,
        .existed = draft_has(&proposal->draft, resource->id),
        .in_place = in_place,
    };
    strbuf_add(&p->text, text, len);
    keep_given(p);
    return put(proposal, p, reterr);
}

/* The whole text where it is one document, with the comments above it; else the document's part. */
static int add_entry(struct proposal *proposal, const struct given_file *input, size_t i,
                     struct edit_cursor *cursor, struct error **reterr)
{
    const struct manifest_entry *entry = &input->manifest->entries[i];
    const struct strbuf *bytes = &input->bytes;
    struct edit_place place =
        edit_find(bytes->text, bytes->len, cursor, entry->first_line, entry->end_line);
    bool whole = input->manifest->count == 1 && !draft_has(&proposal->draft, entry->id);
    if (whole)
        place = (struct edit_place){.end = bytes->len};
    return proposal_add(proposal, entry->resource, bytes->text + place.start,
                        place.end - place.start, input->in_place, reterr);
}

int proposal_add_given(struct proposal *proposal, const struct given *given, struct error **reterr)
{
    int r = 0;
    for (size_t i = 0; i < given->count; i++) {
        struct edit_cursor cursor = EDIT_CURSOR_INIT;
        for (size_t k = 0; r == 0 && k < given->list[i].manifest->count; k++)
            r = add_entry(proposal, &given->list[i], k, &cursor, reterr);
    }
    return r;
}

int proposal_add_text(struct proposal *proposal, const char *text, struct error **reterr)
{
    struct manifest *manifest = manifest_parse("", text, strlen(text));
    int r;
    if (manifest->diags.errors)
        r = error_make(reterr, EINVAL, "%s", manifest->diags.list[0].message);
    else
        r = proposal_add(proposal, manifest->entries[0].resource, text, strlen(text), false,
                         reterr);
    manifest_free(manifest);
    return r;
}

/* ---- addresses ------------------------------------------------------------------------------- */

static int choose_address(struct proposal *proposal, struct proposed *p, const struct model *model,
                          struct error **reterr)
{
    struct ip address = {0}, address6 = {0};
    char text[ADDR_TEXT_MAX];

    if (p->resource->kind != &kind_peer || resource_has(p->resource, PEER_address) ||
        !addresses_of(model, p->resource->name, &address, &address6))
        return 0;
    if (!address.family)
        return error_make(reterr, ENOSPC, "there is no free address for %s: network.vpn %s is full",
                          p->resource->id, prefix_format(&model->cell.spec->vpn, text));
    if (address6.family && !resource_has(p->resource, PEER_address6))
        write_field(p, PEER_address6, ip_format(&address6, text));
    write_field(p, PEER_address, ip_format(&address, text));
    return put(proposal, p, reterr);
}

static int choose_addresses(struct proposal *proposal, struct error **reterr)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < proposal->count; i++)
        r = choose_address(proposal, &proposal->list[i], proposal->model, reterr);
    return r;
}

/* ---- settling -------------------------------------------------------------------------------- */

/* Makes the store and the model of the tree as it would be. Returns 1 when something speaks against
 * it. */
static int try_out(struct proposal *proposal, struct error **reterr)
{
    struct changes now = {0}, then = {0};
    DIAGS_AUTO before = DIAGS_INIT;
    int r = draft_load(&proposal->draft, &proposal->store, &now, reterr);
    if (r == 0) {
        store_diags(proposal->store, &before);
        draft_enter(&proposal->draft, proposal->store, &then);
        proposal->model = addresses_model(proposal->draft.config, &now, &then);
        r = objections_say(proposal, &before);
    }
    changes_clear(&now);
    changes_clear(&then);
    return r;
}

int proposal_settle(struct proposal *proposal, struct error **reterr)
{
    int r = draft_build(&proposal->draft, reterr);
    if (r == 0)
        r = try_out(proposal, reterr);
    if (r == 0)
        r = choose_addresses(proposal, reterr);
    return r == 0 ? draft_build(&proposal->draft, reterr) : r;
}

int proposal_write(struct proposal *proposal, struct error **reterr)
{
    return draft_write(&proposal->draft, reterr);
}
