#include "controller/engine/inputs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/engine/surroundings.h"
#include "controller/state/documents.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

/* No cell was built before this: a clock that says so has lost its battery. 2026-01-01. */
static const int64_t clock_floor = 1767225600;

/* What the name of an endpoint stands for. */
struct name {
    struct ip address;
    char host[];
};

static bool remembered(void *context, const char *name, const struct wgkey *key, struct ip *ret)
{
    const struct inputs *inputs = context;
    return allocations_find(&inputs->allocations, name, key, ret);
}

static int secret_key(void *context, const char *file, struct wgkey *ret, struct error **reterr)
{
    const struct inputs *inputs = context;
    STRBUF_AUTO text = STRBUF_INIT;
    int result = io_read_secret(inputs->config->secrets, file, &text, reterr);
    if (result < 0)
        return result;
    result = wgkey_parse(text.text, ret);
    mem_wipe(text.text, text.len);
    if (result < 0)
        return error_make(reterr, EINVAL,
                          "\"%s/%s\" does not hold a key (44 characters of base64, as `wg genpsk` "
                          "prints it)",
                          inputs->config->secrets, file);
    return 0;
}

static bool resolved(void *context, const char *host, struct ip *ret)
{
    const struct inputs *inputs = context;
    const struct name *name = map_get_text(&inputs->names, host);
    if (name)
        *ret = name->address;
    return name;
}

static int document(void *context, const char *link, struct sync_document *ret,
                    struct error **reterr)
{
    const struct inputs *inputs = context;
    return documents_load(inputs->config->state, link, ret, reterr);
}

/* Without a system (picctl away from the machine) no path is known. */
static uint32_t path_mtu(void *context, const struct ip *destination)
{
    const struct inputs *inputs = context;
    struct sys_path path;
    ERROR_AUTO error = NULL;
    if (!inputs->sys || sys_path_mtu(inputs->sys, destination, &path, &error) != 0)
        return 0;
    return path.mtu;
}

void inputs_init(struct inputs *inputs, struct sys *sys, const struct config *config,
                 const struct clock *clock)
{
    *inputs =
        (struct inputs){.sys = sys, .config = config, .clock = clock, .surroundings_stale = true};
    allocations_init(&inputs->allocations);
    allocations_load(&inputs->allocations, config->state, &inputs->allocations_problem);
    inputs->model = (struct model_inputs){
        .cell_id = "",
        .host = &inputs->host,
        .remembered = remembered,
        .secret_key = secret_key,
        .resolved = resolved,
        .document = document,
        .path_mtu = path_mtu,
        .context = inputs,
    };
}

void inputs_clear(struct inputs *inputs)
{
    size_t at = 0;
    const struct map_entry *entry;

    identity_clear(&inputs->identity);
    wgkey_wipe(&inputs->model.private_key);
    allocations_clear(&inputs->allocations);
    mem_freep(&inputs->allocations_problem);
    mem_freep(&inputs->surroundings_problem);
    host_clear(&inputs->host);
    resource_unref(inputs->cell);
    while ((entry = map_next(&inputs->names, &at)))
        free(entry->value);
    map_clear(&inputs->names);
}

/* The first IPv4 host among its allowed IPs is the address that the peer has had. */
static void hint_peer(const struct sys_wg_peer *peer, void *context)
{
    struct inputs *inputs = context;
    for (size_t i = 0; i < peer->allowed_count; i++) {
        const struct prefix *p = &peer->allowed[i];
        if (p->ip.family == AF_INET && p->len == 32) {
            allocations_hint(&inputs->allocations, &peer->public_key, &p->ip);
            return;
        }
    }
}

/* Nothing remembered: what the live device says of its peers is taken instead. */
static void take_hints(struct inputs *inputs, const struct resource *cell)
{
    struct sys_wg_device device;
    ERROR_AUTO error = NULL;
    const struct cell_spec *spec = cell->spec;
    if (inputs->allocations.has_public_key)
        return;
    sys_wg_get(inputs->sys, spec->interface, &device, hint_peer, inputs, &error);
    wgkey_wipe(&device.private_key);
}

static void hold(struct model *model, const char *why)
{
    mem_freep(&model->hold);
    model->hold = mem_strdup(why);
}

void inputs_identify(struct inputs *inputs, const struct resource *cell, enum identity_mode mode,
                     struct model *model)
{
    ERROR_AUTO error = NULL;
    struct wgkey public_key;

    hold(model, NULL);
    struct resource *former = inputs->cell;
    inputs->cell = cell ? resource_ref(cell) : NULL;
    inputs->surroundings_stale = true; /* network.uplink and network.lan may be others */
    resource_unref(former);
    if (!cell)
        return; /* wg_desired() finds nothing due without a Cell */
    identity_clear(&inputs->identity);
    inputs->has_identity = false;
    const struct wgkey *recorded =
        inputs->allocations.has_public_key ? &inputs->allocations.public_key : NULL;
    if (identity_load(inputs->sys, inputs->config->secrets, cell, recorded, mode, &inputs->identity,
                      &error) < 0) {
        hold(model, error->message);
        return;
    }
    inputs->model.cell_id = inputs->identity.cell_id;
    if (inputs->identity.lost) {
        hold(model, inputs->identity.lost);
        return;
    }
    inputs->has_identity = true;
    inputs->model.private_key = inputs->identity.private_key;
    take_hints(inputs, cell);
    wgkey_public(&inputs->identity.private_key, &public_key);
    allocations_set_public_key(&inputs->allocations, &public_key);
}

/* ---- the machine around the cell ---- */

static void read_surroundings(struct inputs *inputs)
{
    struct host host = {.uplink_mtu = inputs->host.uplink_mtu};
    ERROR_AUTO error = NULL;

    if (!inputs->surroundings_stale || !inputs->cell || !inputs->sys)
        return;
    mem_freep(&inputs->surroundings_problem);
    if (surroundings_read(inputs->sys, inputs->cell->spec, &host, &error) < 0) {
        inputs->surroundings_problem = mem_strdup(error->message);
        return;
    }
    inputs->surroundings_stale = false;
    inputs->host_changed |= !host_equal(&host, &inputs->host);
    host_move(&inputs->host, &host);
}

void inputs_happened(struct inputs *inputs, const struct sys_event *event)
{
    switch (event->type) {
    case SYS_EVENT_LOST:
    case SYS_EVENT_LINK:
    case SYS_EVENT_ADDRESS:
    case SYS_EVENT_NETCONF:
        inputs->surroundings_stale = true;
        return;
    case SYS_EVENT_ROUTE:
        inputs->surroundings_stale |= event->table == SYS_TABLE_MAIN;
        return;
    case SYS_EVENT_RULE:
    case SYS_EVENT_NFT:
    case SYS_EVENT_TYPE_COUNT:
        return;
    }
}

bool inputs_follow_host(struct inputs *inputs)
{
    read_surroundings(inputs);
    bool changed = inputs->host_changed;
    inputs->host_changed = false;
    return changed;
}

void inputs_refresh(struct inputs *inputs)
{
    inputs->model.now = inputs->clock->realtime(inputs->clock->context) / SECONDS(1);
    inputs->model.clock_trusted =
        inputs->model.now >= clock_floor && inputs->model.now >= inputs->newest_manifest;
    read_surroundings(inputs);
}

/* ---- names of endpoints ---- */

bool inputs_name_resolved(struct inputs *inputs, const char *host, const struct ip *address)
{
    struct name *name = map_get_text(&inputs->names, host);
    if (name && ip_equal(&name->address, address))
        return false;
    if (!name) {
        size_t size = strlen(host) + 1;
        name = mem_alloc(sizeof(*name) + size);
        memcpy(name->host, host, size);
        map_put_text(&inputs->names, name->host, name);
    }
    name->address = *address;
    return true;
}
