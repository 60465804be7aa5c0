#include "tools/picctl/addresses.h"

#include "controller/engine/inputs.h"
#include "reconcilers/reconciler.h"

static void ignore(void *context, const char *key)
{
    (void)context, (void)key;
}

struct model *addresses_model(const struct config *config, const struct changes *first,
                              const struct changes *then)
{
    struct model *model = model_new(reconcilers_enforce());
    struct inputs inputs;
    inputs_init(&inputs, NULL, config, &clock_system);
    model_update(model, first, &inputs.model, ignore, NULL);
    if (then)
        model_update(model, then, &inputs.model, ignore, NULL);
    inputs_clear(&inputs);
    return model;
}

bool addresses_of(const struct model *model, const char *name, struct ip *ret, struct ip *ret6)
{
    const struct model_peer *peer = model_peer_by_name(model, name);
    if (!peer)
        return false;
    *ret = peer->address;
    *ret6 = peer->address6;
    return true;
}
