#include "reconcilers/model/allocate.h"

#include "schema/base/hash.h"

bool allocate_fits(const struct cell_spec *cell, const struct ip *address)
{
    struct prefix services = cell_services(cell);
    if (!prefix_contains(&cell->vpn, address) || prefix_contains(&services, address))
        return false;
    uint32_t n = prefix_host_number(&cell->vpn, address);
    return n >= 2 && n < prefix_size(&cell->vpn) - 1;
}

static bool is_free(const struct model *model, const struct ip *address)
{
    return allocate_fits(model->cell.spec, address) &&
           !map_get(&model->used, address, sizeof(*address));
}

struct ip allocate_address(const struct model *model, const char *name, const struct ip *remembered)
{
    const struct prefix *vpn = &model->cell.spec->vpn;
    uint32_t size = prefix_size(vpn);

    if (remembered->family && is_free(model, remembered))
        return *remembered;
    uint32_t start = (uint32_t)(hash_text(name, 0) % size);
    for (uint32_t i = 0; i < size; i++) {
        struct ip address = prefix_host(vpn, (uint32_t)(((uint64_t)start + i) % size));
        if (is_free(model, &address))
            return address;
    }
    return (struct ip){0};
}
