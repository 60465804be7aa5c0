#include "tools/picctl/peer.h"

#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "schema/kinds/peer.h"
#include "tools/picctl/addresses.h"
#include "tools/picctl/client.h"
#include "tools/picctl/out.h"

int peer_id(const char *name, char **ret, struct error **reterr)
{
    if (!resource_name_valid(name))
        return error_make(reterr, EINVAL,
                          "\"%s\" is no name: expected 1 to 63 of a-z 0-9 - . , first and last a "
                          "letter or digit",
                          name);
    *ret = mem_printf("%s/%s", kind_peer.name, name);
    return 0;
}

int peer_find(const struct draft *draft, const char *id, const struct resource **ret,
              struct error **reterr)
{
    *ret = draft_resource(draft, id);
    if (*ret)
        return 0;
    if (draft_has(draft, id))
        return error_make(reterr, EINVAL,
                          "%s in %s is wrong: repair it first, `picctl validate` says "
                          "where",
                          id, draft_path(draft, id));
    return error_make(reterr, ENOENT, "there is no %s; `picctl get peers` lists what there is", id);
}

void peer_set_field(json_t *manifest, const char *path, json_t *value)
{
    json_t *object = json_object_get(manifest, "spec");
    size_t len;
    while (path[len = strcspn(path, ".")] == '.') {
        MEM_AUTO char *key = mem_strndup(path, len);
        if (!json_object_get(object, key) && value)
            json_object_set_new(object, key, json_object());
        object = json_object_get(object, key);
        path += len + 1;
    }
    if (value)
        json_object_set_new(object, path, value);
    else
        json_object_del(object, path);
}

char *peer_text(const json_t *manifest)
{
    struct strbuf text = STRBUF_INIT;
    emit_yaml_value(manifest, 0, &text);
    return strbuf_steal(&text);
}

int peer_make_keys(const char *public_key, struct peer_keys *ret, struct error **reterr)
{
    *ret = (struct peer_keys){.has_private = !public_key};
    if (public_key && wgkey_parse(public_key, &ret->public_key) < 0)
        return error_make(reterr, EINVAL,
                          "--public-key: expected a WireGuard public key, 44 characters of base64");
    if (!public_key) {
        wgkey_generate_private(&ret->private_key);
        wgkey_public(&ret->private_key, &ret->public_key);
    }
    return 0;
}

static void say(const struct proposal *proposal)
{
    STRBUF_AUTO told = STRBUF_INIT;
    proposal_tell(proposal, false, &told);
    fflush(stdout);
    fwrite(told.text, 1, told.len, stderr);
    if (!client_answers(proposal->draft.config))
        out_note("picd does not run: nothing is watching; the device gets in when it starts");
}

static int make_config(const struct proposal *proposal, const struct peer_keys *keys,
                       struct strbuf *conf, struct error **reterr)
{
    const struct resource *peer = proposal->list[0].resource;
    const struct peer_spec *spec = peer->spec;
    struct ip address = spec->address, address6 = {0};
    addresses_of(proposal->model, peer->name, &address, &address6);
    return device_config(proposal->draft.config, proposal->store, peer, &address, &address6,
                         keys->has_private ? &keys->private_key : NULL, conf, reterr);
}

int peer_carry_out(struct proposal *proposal, const struct peer_keys *keys,
                   const struct device_output *output)
{
    ERROR_AUTO error = NULL;
    DEVICE_BUFFER conf = device_buffer();
    int r = proposal_settle(proposal, &error);
    if (r > 0)
        return out_refused("nothing was written: repair what is said above");
    if (r == 0)
        r = make_config(proposal, keys, &conf, &error);
    if (r == 0)
        r = device_save(&conf, output, &error);
    if (r < 0)
        return out_failed(error);
    if (proposal_write(proposal, &error) < 0) {
        device_unsave(output);
        return out_failed(error);
    }
    say(proposal);
    if (output->file)
        out_note("the config of the device is in %s", output->file);
    r = device_print(&conf, output, &error);
    return r < 0 ? out_failed(error) : 0;
}
