#include "reconcilers/sys/added.h"

#include <stdlib.h>

#include "schema/base/mem.h"

_Static_assert(sizeof(struct prefix) == 18, "no padding: a prefix is a map key by its bytes");

void added_collect(struct added *added, const struct sys_wg_peer_change *peers, size_t count)
{
    size_t total = 0, used = 0;
    for (size_t i = 0; i < count; i++)
        total += peers[i].remove ? 0 : peers[i].allowed_add_count;
    *added = (struct added){.list = mem_alloc(total * sizeof(*added->list))};
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; !peers[i].remove && j < peers[i].allowed_add_count; j++) {
            struct prefix *prefix = &added->list[used++];
            *prefix = prefix_normalise(&peers[i].allowed_add[j]);
            map_put(&added->map, prefix, sizeof(*prefix), prefix);
        }
    }
}

void added_clear(struct added *added)
{
    map_clear(&added->map);
    free(added->list);
}

bool added_has(const struct added *added, const struct prefix *normalised)
{
    return map_get(&added->map, normalised, sizeof(*normalised));
}
