#include "tools/picctl/device.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"
#include "tools/picctl/client.h"
#include "tools/picctl/item.h"
#include "tools/picctl/out.h"
#include "tools/picctl/qr.h"
#include "tools/picctl/wgconf.h"

enum { CONFIG_SIZE = 4096 };

struct strbuf device_buffer(void)
{
    struct strbuf buffer = STRBUF_INIT;
    strbuf_reserve(&buffer, CONFIG_SIZE);
    return buffer;
}

void device_buffer_clear(struct strbuf *conf)
{
    mem_wipe(conf->text, conf->capacity);
    strbuf_clear(conf);
}

/* ---- keys ------------------------------------------------------------------------------------ */

static int read_key(const struct config *config, const char *name, struct wgkey *ret,
                    struct error **reterr)
{
    DEVICE_BUFFER text = STRBUF_INIT;
    int r = io_read_secret(config->secrets, name, &text, reterr);
    if (r < 0)
        return r;
    if (wgkey_parse(text.text, ret) < 0)
        return error_make(reterr, EINVAL, "\"%s/%s\" does not hold a WireGuard key",
                          config->secrets, name);
    return 0;
}

static bool key_from_secrets(const struct config *config, const struct cell_spec *cell,
                             struct wgkey *ret)
{
    ERROR_AUTO error = NULL;
    WGKEY_SECRET private_key;
    if (read_key(config, cell->private_key, &private_key, &error) < 0)
        return false;
    wgkey_public(&private_key, ret);
    return true;
}

static bool key_from_picd(const struct config *config, const struct resource *cell,
                          struct wgkey *ret)
{
    ERROR_AUTO error = NULL;
    MEM_AUTO char *target = mem_printf("/v1/resources/cells/%s", cell->name);
    json_t *item = NULL;
    bool found = false;
    if (client_get(config, target, &item, &error) == 0) {
        const char *text = item_status_text(item, "publicKey");
        found = text && wgkey_parse(text, ret) == 0;
    }
    json_decref(item);
    return found;
}

static int find_cell_key(const struct config *config, const struct resource *resource,
                         struct wgkey *ret, struct error **reterr)
{
    const struct cell_spec *cell = resource->spec;
    if (resource_has(resource, CELL_public_key)) {
        *ret = cell->public_key;
        return 0;
    }
    if (key_from_secrets(config, cell, ret) || key_from_picd(config, resource, ret))
        return 0;
    return error_make(reterr, ENOENT,
                      "the public key of %s is not known: start picd once, which makes it, or run "
                      "picctl as root; "
                      "away from the machine write wireguard.publicKey into \"%s/%s\"",
                      resource->id, config->manifests, resource->place.file);
}

/* ---- the config ------------------------------------------------------------------------------ */

/* The cell answers DNS only if it runs a server: a resource of the kind DNS, which this version may
 * not know. A config that names a server which does not answer would leave the device without
 * names. */
static bool serves_dns(const struct store *store)
{
    size_t count;
    bool found = false;
    const struct object **objects = store_objects(store, &count);
    for (size_t i = 0; i < count && !found; i++)
        found = objects[i]->force && strcmp(objects[i]->force->kind->name, "DNS") == 0;
    mem_freep(&objects);
    return found;
}

static int find_cell(const struct config *config, const struct store *store,
                     const struct resource **ret, struct error **reterr)
{
    const char *problem = store_cell_problem(store);
    *ret = store_cell(store);
    if (!*ret)
        return error_make(reterr, ENOENT, "%s", problem ? problem : "the Cell is not in force");
    const struct cell_spec *cell = (*ret)->spec;
    if (!cell->endpoint.host)
        return error_make(reterr, ENOENT,
                          "%s has no endpoint, so no device could find it: write under spec in "
                          "\"%s/%s\" how it is "
                          "reached from outside, as in `wireguard: {endpoint: home.example}`",
                          (*ret)->id, config->manifests, (*ret)->place.file);
    return 0;
}

int device_config(const struct config *config, const struct store *store,
                  const struct resource *peer, const struct ip *address, const struct ip *address6,
                  const struct wgkey *private_key, struct strbuf *out, struct error **reterr)
{
    const struct resource *cell;
    const struct peer_spec *spec = peer->spec;
    struct wgkey public_key;
    WGKEY_SECRET preshared_key;

    int r = find_cell(config, store, &cell, reterr);
    if (r == 0)
        r = find_cell_key(config, cell, &public_key, reterr);
    if (r == 0 && spec->preshared_key)
        r = read_key(config, spec->preshared_key, &preshared_key, reterr);
    if (r < 0)
        return r;
    struct wgconf conf = wgconf_of(cell, peer, address, address6);
    conf.private_key = private_key;
    conf.public_key = &public_key;
    conf.preshared_key = spec->preshared_key ? &preshared_key : NULL;
    if (spec->client_dns && serves_dns(store))
        conf.dns = cell_address(cell->spec);
    wgconf_print(&conf, out);
    return 0;
}

/* ---- where it goes --------------------------------------------------------------------------- */

int device_save(const struct strbuf *conf, const struct device_output *output,
                struct error **reterr)
{
    static const struct io_write_options options = {.mode = 0600};
    if (!output->file)
        return 0;
    if (io_exists(output->file))
        return error_make(reterr, EEXIST, "\"%s\" is there already: name another file with --out",
                          output->file);
    return io_write_atomic(output->file, conf->text, conf->len, &options, reterr);
}

void device_unsave(const struct device_output *output)
{
    if (output->file)
        unlink(output->file);
}

int device_print(const struct strbuf *conf, const struct device_output *output,
                 struct error **reterr)
{
    DEVICE_BUFFER code = STRBUF_INIT;
    if (!output->file)
        out_text(conf);
    if (!output->qr)
        return 0;
    int r = qr_print(conf->text, conf->len, out_coloured(stdout), &code, reterr);
    if (r == 0)
        out_text(&code);
    return r;
}
