#include <errno.h>

#include "controller/store/load.h"
#include "schema/base/mem.h"
#include "tools/picctl/addresses.h"
#include "tools/picctl/command.h"
#include "tools/picctl/directory.h"
#include "tools/picctl/out.h"
#include "tools/picctl/peer.h"

struct options {
    const char *out;
    bool qr;
};

static const struct flag flags[] = {
    FLAG(options, out, "out", 0, TEXT, "FILE", "the config goes there, mode 0600, not to stdout"),
    FLAG(options, qr, "qr", 0, SWITCH, NULL, "a QR code of the config besides"),
};

static int find_in_force(const struct store *store, const char *id, const struct resource **ret,
                         struct error **reterr)
{
    const struct object *object = store_object(store, id);
    if (object && object->force) {
        *ret = object->force;
        return 0;
    }
    if (object && object->message)
        return error_make(reterr, ENOENT, "%s is not in force: %s", id, object->message);
    return error_make(reterr, ENOENT, "there is no %s; `picctl get peers` lists what there is", id);
}

static int make_config(const struct config *config, const char *id, struct strbuf *conf,
                       struct error **reterr)
{
    struct store *store = NULL;
    struct changes changes = {0};
    const struct resource *peer = NULL;
    struct ip address = {0}, address6 = {0};

    int r = directory_exists(config, reterr);
    if (r == 0)
        r = load_tree(config->manifests, config->state, config->cell, NULL, 0, &store, &changes,
                      reterr);
    if (r == 0)
        r = find_in_force(store, id, &peer, reterr);
    if (r == 0) {
        struct model *model = addresses_model(config, &changes, NULL);
        addresses_of(model, peer->name, &address, &address6);
        model_free(model);
        r = device_config(config, store, peer, &address, &address6, NULL, conf, reterr);
    }
    changes_clear(&changes);
    store_free(store);
    return r;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    MEM_AUTO char *id = NULL;
    DEVICE_BUFFER conf = device_buffer();
    struct device_output output = {.file = o->out, .qr = o->qr};

    if (peer_id(words->list[0], &id, &error) < 0)
        return out_misused("%s", error->message);
    int r = make_config(config, id, &conf, &error);
    if (r == 0)
        r = device_save(&conf, &output, &error);
    if (r == 0)
        r = device_print(&conf, &output, &error);
    return r < 0 ? out_failed(error) : 0;
}

const struct command cmd_peer_config = {
    .name = "config",
    .arguments = "NAME",
    .help = "prints the config that a device should have, without its private key",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .least = 1,
    .most = 1,
    .run = run,
};
