#include <string.h>

#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "schema/kinds/peer.h"
#include "schema/types.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/edit.h"
#include "tools/picctl/out.h"
#include "tools/picctl/peer.h"

struct options {
    const char *via, *internet, *enabled, *address, *address6, *expires, *keepalive, *host;
    bool full, split;
};

static const struct flag flags[] = {
    FLAG(options, full, "full", 0, SWITCH, NULL, "all its traffic goes through the tunnel"),
    FLAG(options, split, "split", 0, SWITCH, NULL,
         "only what is for the cell goes through the tunnel"),
    FLAG(options, via, "via", 0, TEXT, "LINK",
         "its internet traffic leaves through that cell; none: directly"),
    FLAG(options, internet, "internet", 0, TEXT, "BOOL", "may it reach the internet"),
    FLAG(options, enabled, "enabled", 0, TEXT, "BOOL",
         "false: it is shut out, and keeps its address"),
    FLAG(options, host, "host", 0, TEXT, "BOOL", "may it reach the ports of firewall.hostAccess"),
    FLAG(options, address, "address", 0, TEXT, "ADDRESS", "in network.vpn"),
    FLAG(options, address6, "address6", 0, TEXT, "ADDRESS", "in network.vpn6"),
    FLAG(options, expires, "expires", 0, TEXT, "TIME", "as 2027-01-31T18:00:00Z; none: never"),
    FLAG(options, keepalive, "keepalive", 0, TEXT, "SECONDS",
         "between its keep-alive packets; 0: none"),
};

/* Which field each flag with a value sets. */
static const struct {
    size_t offset;
    enum peer_field row;
    bool none; /* the word takes the field away */
} settings[] = {
    {offsetof(struct options, via), PEER_route_via, true},
    {offsetof(struct options, internet), PEER_internet, false},
    {offsetof(struct options, enabled), PEER_enabled, false},
    {offsetof(struct options, host), PEER_host, false},
    {offsetof(struct options, address), PEER_address, false},
    {offsetof(struct options, address6), PEER_address6, false},
    {offsetof(struct options, expires), PEER_expires, true},
    {offsetof(struct options, keepalive), PEER_keepalive, false},
};

/* As the field's type has it in a manifest; what does not fit stays text, for the check to refuse.
 */
static json_t *value_of(const struct field *field, const char *text)
{
    enum type_shape shape = type_of(field->type)->shape;
    json_t *value = NULL;
    if (shape == SHAPE_BOOL || shape == SHAPE_NUMBER)
        value = json_loads(text, JSON_DECODE_ANY, NULL);
    if (value && !json_is_boolean(value) && !json_is_integer(value)) {
        json_decref(value);
        value = NULL;
    }
    return value ? value : json_string(text);
}

static size_t set_fields(json_t *manifest, const struct options *o)
{
    size_t count = 0;
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
        const char *text = *(const char *const *)((const char *)o + settings[i].offset);
        const struct field *field = &kind_peer.fields[settings[i].row];
        if (!text)
            continue;
        bool none = settings[i].none && strcmp(text, "none") == 0;
        peer_set_field(manifest, field->path, none ? NULL : value_of(field, text));
        count++;
    }
    if (o->full || o->split) {
        peer_set_field(manifest, "client.tunnel", json_string(o->full ? "full" : "split"));
        count++;
    }
    return count;
}

static int propose(struct proposal *proposal, const struct options *o, const char *id,
                   size_t *retcount, struct error **reterr)
{
    const struct resource *resource;
    STRBUF_AUTO before = STRBUF_INIT;
    int r = peer_find(&proposal->draft, id, &resource, reterr);
    if (r < 0)
        return r;
    json_t *manifest = emit_json(resource, EMIT_WRITTEN);
    *retcount = set_fields(manifest, o);
    MEM_AUTO char *text = peer_text(manifest);
    json_decref(manifest);
    r = proposal_add_text(proposal, text, reterr);
    if (r == 0 && proposal->list[0].outcome != OUTCOME_UNCHANGED &&
        draft_content(&proposal->draft, id, &before) && edit_has_comment(before.text, before.len))
        out_note("the comments inside the document of %s are not kept", id);
    return r;
}

/* Fields that stand in the config of the device. */
static bool changes_config(const struct proposed *p)
{
    static const enum peer_field rows[] = {PEER_address,   PEER_address6, PEER_internet,
                                           PEER_route_via, PEER_tunnel,   PEER_keepalive};
    uint64_t changed = p->before ? resource_changed(p->before, p->resource) : 0;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (changed >> rows[i] & 1)
            return true;
    return false;
}

static void say(const struct proposal *proposal)
{
    STRBUF_AUTO told = STRBUF_INIT;
    const char *name = proposal->list[0].resource->name;
    proposal_tell(proposal, false, &told);
    out_text(&told);
    if (changes_config(&proposal->list[0]))
        out_note("the device needs a new config: `picctl peer config %s` prints it", name);
    if (draft_changed(&proposal->draft) && !client_answers(proposal->draft.config))
        out_note("picd does not run: nothing is watching; what was written counts from its start");
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    MEM_AUTO char *id = NULL;
    PROPOSAL_AUTO proposal = {0};
    size_t count = 0;

    if (o->full && o->split)
        return out_misused("--full and --split exclude each other");
    if (peer_id(words->list[0], &id, &error) < 0)
        return out_misused("%s", error->message);
    int r = proposal_open(config, &proposal, &error);
    if (r == 0)
        r = propose(&proposal, o, id, &count, &error);
    if (r == 0 && !count)
        return out_misused("nothing to set: name a flag, as in `picctl peer set %s --split`",
                           words->list[0]);
    if (r == 0)
        r = proposal_settle(&proposal, &error);
    if (r > 0)
        return out_refused("nothing was written: repair what is said above");
    if (r == 0)
        r = proposal_write(&proposal, &error);
    if (r < 0)
        return out_failed(error);
    say(&proposal);
    return 0;
}

const struct command cmd_peer_set = {
    .name = "set",
    .arguments = "NAME",
    .help = "changes the manifest of a device",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .least = 1,
    .most = 1,
    .run = run,
};
