#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "schema/kinds/peer.h"
#include "tools/picctl/command.h"
#include "tools/picctl/edit.h"
#include "tools/picctl/out.h"
#include "tools/picctl/peer.h"

struct options {
    const char *public_key, *out;
    bool qr;
};

static const struct flag flags[] = {
    FLAG(options, public_key, "public-key", 0, TEXT, "KEY",
         "of a key pair that the device made itself"),
    FLAG(options, out, "out", 0, TEXT, "FILE", "the config goes there, mode 0600, not to stdout"),
    FLAG(options, qr, "qr", 0, SWITCH, NULL, "a QR code of the config besides, for phones"),
};

/* The document with the new key in the place of the old one; written anew where the old one does
 * not stand there just once. */
static void replace_key(const struct draft *draft, const struct resource *resource,
                        const struct wgkey *key, struct strbuf *out)
{
    const struct peer_spec *peer = resource->spec;
    char before[WGKEY_TEXT_LEN + 1], after[WGKEY_TEXT_LEN + 1];
    STRBUF_AUTO text = STRBUF_INIT;

    wgkey_format(&peer->public_key, before);
    wgkey_format(key, after);
    draft_content(draft, resource->id, &text);
    if (edit_replace_word(text.text, text.len, before, after, out) == 0)
        return;
    json_t *json = emit_json(resource, EMIT_WRITTEN);
    peer_set_field(json, "publicKey", json_string(after));
    emit_yaml_value(json, 0, out);
    json_decref(json);
}

static int rekey(const struct config *config, const struct options *o, const char *id,
                 const struct peer_keys *keys)
{
    ERROR_AUTO error = NULL;
    PROPOSAL_AUTO proposal = {0};
    STRBUF_AUTO text = STRBUF_INIT;
    const struct resource *resource = NULL;

    int r = proposal_open(config, &proposal, &error);
    if (r == 0)
        r = peer_find(&proposal.draft, id, &resource, &error);
    if (r == 0) {
        replace_key(&proposal.draft, resource, &keys->public_key, &text);
        r = proposal_add_text(&proposal, text.text, &error);
    }
    if (r < 0)
        return out_failed(error);
    struct device_output output = {.file = o->out, .qr = o->qr};
    return peer_carry_out(&proposal, keys, &output);
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    MEM_AUTO char *id = NULL;
    struct peer_keys keys;

    if (peer_id(words->list[0], &id, &error) < 0 ||
        peer_make_keys(o->public_key, &keys, &error) < 0)
        return out_misused("%s", error->message);
    int status = rekey(config, o, id, &keys);
    wgkey_wipe(&keys.private_key);
    return status;
}

const struct command cmd_peer_rekey = {
    .name = "rekey",
    .arguments = "NAME",
    .help = "gives a device a new key pair and prints its new config, once",
    .more = "The device is shut out until it has the new config.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .least = 1,
    .most = 1,
    .run = run,
};
