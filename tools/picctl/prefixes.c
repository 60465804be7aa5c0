#include "tools/picctl/prefixes.h"

#include <errno.h>
#include <sys/random.h>

enum {
    TRIES = 1000,
    FIRST_BYTE = 16 /* 10.0 to 10.15 are what home routers and others like best */
};

const struct sys_route *prefixes_overlap(const struct sys_routes *routes,
                                         const struct prefix *prefix)
{
    for (size_t i = 0; i < routes->count; i++) {
        const struct sys_route *route = &routes->list[i];
        if (route->destination.len && route->destination.ip.family == prefix->ip.family &&
            prefix_overlaps(&route->destination, prefix))
            return route;
    }
    return NULL;
}

static int fill_random(void *data, size_t len, struct error **reterr)
{
    if (getrandom(data, len, 0) != (ssize_t)len)
        return error_errno(reterr, errno, "cannot get random numbers");
    return 0;
}

static int refuse(const char *flag, struct error **reterr)
{
    return error_make(reterr, ENOSPC,
                      "no free prefix was found beside the routes of this host: name one with %s",
                      flag);
}

int prefixes_choose(const struct sys_routes *routes, struct prefix *ret, struct error **reterr)
{
    for (int i = 0; i < TRIES; i++) {
        uint8_t bytes[2];
        int r = fill_random(bytes, sizeof(bytes), reterr);
        if (r < 0)
            return r;
        struct prefix prefix = {
            .ip = {.family = AF_INET, .bytes = {10, bytes[0], bytes[1]}},
            .len = 24,
        };
        if (bytes[0] < FIRST_BYTE || prefixes_overlap(routes, &prefix))
            continue;
        *ret = prefix;
        return 0;
    }
    return refuse("--vpn", reterr);
}

int prefixes_choose6(const struct sys_routes *routes, struct prefix *ret, struct error **reterr)
{
    for (int i = 0; i < TRIES; i++) {
        struct prefix prefix = {.ip = {.family = AF_INET6, .bytes = {0xfd}}, .len = 64};
        int r = fill_random(prefix.ip.bytes + 1, 5, reterr);
        if (r < 0)
            return r;
        if (prefixes_overlap(routes, &prefix))
            continue;
        *ret = prefix;
        return 0;
    }
    return refuse("--vpn6", reterr);
}
