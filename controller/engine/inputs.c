#include "controller/engine/inputs.h"

#include <errno.h>
#include <string.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"

/* No cell was built before this: a clock that says so has lost its battery. 2026-01-01. */
static const int64_t clock_floor = 1767225600;

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

void inputs_init(struct inputs *inputs, struct sys *sys, const struct config *config,
                 const struct clock *clock)
{
    *inputs = (struct inputs){.sys = sys, .config = config, .clock = clock};
    allocations_init(&inputs->allocations);
    allocations_load(&inputs->allocations, config->state, &inputs->allocations_problem);
    inputs->model = (struct model_inputs){
        .cell_id = "",
        .remembered = remembered,
        .secret_key = secret_key,
        .context = inputs,
    };
}

void inputs_clear(struct inputs *inputs)
{
    identity_clear(&inputs->identity);
    wgkey_wipe(&inputs->model.private_key);
    allocations_clear(&inputs->allocations);
    mem_freep(&inputs->allocations_problem);
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

void inputs_refresh(struct inputs *inputs)
{
    /* A documentation address (RFC 5737): whatever is on the internet is reached like it. */
    static const struct ip anywhere = {.family = AF_INET, .bytes = {192, 0, 2, 1}};
    struct sys_path path;
    ERROR_AUTO error = NULL;

    inputs->model.now = inputs->clock->realtime(inputs->clock->context) / SECONDS(1);
    inputs->model.clock_trusted =
        inputs->model.now >= clock_floor && inputs->model.now >= inputs->newest_manifest;
    if (sys_path_mtu(inputs->sys, &anywhere, &path, &error) == 0)
        inputs->model.uplink_mtu = path.mtu;
}
