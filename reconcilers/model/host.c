#include "reconcilers/model/host.h"

#include <string.h>

#include "reconcilers/model/prefix_list.h"
#include "schema/base/mem.h"

void host_clear(struct host *host)
{
    mem_freep(&host->lan);
    mem_freep(&host->near);
    *host = (struct host){0};
}

static bool interface_equal(const struct host_interface *a, const struct host_interface *b)
{
    return strcmp(a->name, b->name) == 0 && a->uplink4 == b->uplink4 && a->uplink6 == b->uplink6 &&
           a->lan == b->lan;
}

bool host_equal(const struct host *a, const struct host *b)
{
    if (a->interface_count != b->interface_count || a->uplink_mtu != b->uplink_mtu ||
        a->forwarding4 != b->forwarding4 || a->forwarding6 != b->forwarding6 || a->ipv6 != b->ipv6)
        return false;
    for (size_t i = 0; i < a->interface_count; i++)
        if (!interface_equal(&a->interfaces[i], &b->interfaces[i]))
            return false;
    return prefix_list_equal(a->lan, a->lan_count, b->lan, b->lan_count) &&
           prefix_list_equal(a->near, a->near_count, b->near, b->near_count);
}

void host_move(struct host *to, struct host *from)
{
    host_clear(to);
    *to = *from;
    *from = (struct host){0};
}

void host_copy(struct host *to, const struct host *from)
{
    struct host copy = *from;
    copy.lan = prefix_list_copy(from->lan, from->lan_count);
    copy.near = prefix_list_copy(from->near, from->near_count);
    host_move(to, &copy);
}

const struct prefix *host_collides(const struct host *host, const struct prefix *prefix)
{
    for (size_t i = 0; i < host->near_count; i++) {
        const struct prefix *near = &host->near[i];
        if (near->len <= prefix->len && prefix_contains(near, &prefix->ip))
            return near;
    }
    return NULL;
}

bool host_has_uplink(const struct host *host, bool ipv6)
{
    for (size_t i = 0; i < host->interface_count; i++)
        if (ipv6 ? host->interfaces[i].uplink6 : host->interfaces[i].uplink4)
            return true;
    return false;
}
