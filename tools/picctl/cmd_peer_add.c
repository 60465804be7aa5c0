#include <errno.h>

#include "schema/base/mem.h"
#include "schema/decode/decode.h"
#include "tools/picctl/command.h"
#include "tools/picctl/out.h"
#include "tools/picctl/peer.h"

struct options {
    const char *via, *public_key, *address, *out;
    bool full, split, guest, qr;
};

static const struct flag flags[] = {
    FLAG(options, full, "full", 0, SWITCH, NULL, "all its traffic goes through the tunnel (usual)"),
    FLAG(options, split, "split", 0, SWITCH, NULL,
         "only what is for the cell goes through the tunnel"),
    FLAG(options, via, "via", 0, TEXT, "LINK", "its internet traffic leaves through that cell"),
    FLAG(options, guest, "guest", 0, SWITCH, NULL,
         "it reaches no service, peer, link or local network"),
    FLAG(options, public_key, "public-key", 0, TEXT, "KEY",
         "of a key pair that the device made itself"),
    FLAG(options, address, "address", 0, TEXT, "ADDRESS",
         "in network.vpn; a free one unless given"),
    FLAG(options, out, "out", 0, TEXT, "FILE", "the config goes there, mode 0600, not to stdout"),
    FLAG(options, qr, "qr", 0, SWITCH, NULL, "a QR code of the config besides, for phones"),
};

static json_t *manifest_of(const struct options *o, const char *name, const struct wgkey *key)
{
    static const char *const closed[] = {"access.services", "access.peers", "access.links",
                                         "access.lan"};
    char text[WGKEY_TEXT_LEN + 1];
    json_t *manifest =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s}}", "apiVersion", API_VERSION, "kind", "Peer",
                  "metadata", "name", name, "spec", "publicKey", wgkey_format(key, text));
    if (o->address)
        peer_set_field(manifest, "address", json_string(o->address));
    if (o->via)
        peer_set_field(manifest, "routeVia", json_string(o->via));
    if (o->full || o->split)
        peer_set_field(manifest, "client.tunnel", json_string(o->full ? "full" : "split"));
    for (size_t i = 0; o->guest && i < ARRAY_SIZE(closed); i++)
        peer_set_field(manifest, closed[i], json_array());
    return manifest;
}

static int propose(struct proposal *proposal, const struct options *o, const char *name,
                   const struct wgkey *key, struct error **reterr)
{
    json_t *manifest = manifest_of(o, name, key);
    MEM_AUTO char *text = peer_text(manifest);
    json_decref(manifest);
    return proposal_add_text(proposal, text, reterr);
}

static int add(const struct config *config, const struct options *o, const char *id,
               const struct peer_keys *keys)
{
    ERROR_AUTO error = NULL;
    PROPOSAL_AUTO proposal = {0};
    const char *name = id + sizeof("Peer/") - 1;
    int r = proposal_open(config, &proposal, &error);
    if (r == 0 && draft_has(&proposal.draft, id))
        return out_refused(
            "there is a %s already, in %s: `picctl peer rekey %s` makes it a new key, "
            "`picctl peer config %s` prints its config",
            id, draft_path(&proposal.draft, id), name, name);
    if (r == 0)
        r = propose(&proposal, o, name, &keys->public_key, &error);
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

    if (o->full && o->split)
        return out_misused("--full and --split exclude each other");
    if (peer_id(words->list[0], &id, &error) < 0 ||
        peer_make_keys(o->public_key, &keys, &error) < 0)
        return out_misused("%s", error->message);
    int status = add(config, o, id, &keys);
    wgkey_wipe(&keys.private_key);
    return status;
}

const struct command cmd_peer_add = {
    .name = "add",
    .arguments = "NAME",
    .help = "adds a device and prints its WireGuard config, once",
    .more = "The key pair is made here and the private key is printed and not kept; only the "
            "public key and the\n"
            "address go into the manifest peer-NAME.yaml.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .least = 1,
    .most = 1,
    .run = run,
};
