#include "reconcilers/reconciler.h"

#include "reconcilers/firewall/firewall.h"
#include "reconcilers/routes/routes.h"
#include "reconcilers/wireguard/wireguard.h"

const struct reconciler *const reconcilers[] = {
    &reconciler_wireguard,
    &reconciler_routes,
    &reconciler_firewall,
};
const size_t reconciler_count = sizeof(reconcilers) / sizeof(*reconcilers);

uint64_t reconcilers_enforce(void)
{
    uint64_t all = UINT64_C(1) << BY_PICD;
    for (size_t i = 0; i < reconciler_count; i++)
        all |= UINT64_C(1) << reconcilers[i]->enforcer;
    return all;
}
