#include "reconcilers/sys/fake_side.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

enum {
    MTU_DEFAULT = 1500,
    MTU_MIN = 68,
    MTU_MAX = 65535,
    MTU_MIN_IP6 = 1280,
    PROTOCOL_KERNEL_LL = 3, /* IFAPROT_KERNEL_LL: link-local addresses that the kernel makes */
};

/* ---- links ----------------------------------------------------------------------------------- */

struct fake_link *fake_find(const struct fake *fake, const char *name)
{
    for (size_t i = 0; i < fake->count; i++)
        if (strcmp(fake->links[i]->link.name, name) == 0)
            return fake->links[i];
    return NULL;
}

static struct fake_link *find_index(const struct fake *fake, int index)
{
    for (size_t i = 0; i < fake->count; i++)
        if (fake->links[i]->link.index == index)
            return fake->links[i];
    return NULL;
}

struct fake_link *fake_add(struct fake *fake, const char *name, const char *kind, uint32_t group)
{
    struct fake_link *link = mem_alloc(sizeof(*link));
    link->link = (struct sys_link){.index = ++fake->last_index, .group = group, .mtu = MTU_DEFAULT};
    link->conf = fake->conf_default;
    snprintf(link->link.name, sizeof(link->link.name), "%s", name);
    snprintf(link->link.kind, sizeof(link->link.kind), "%s", kind);
    fake->links = mem_grow(fake->links, fake->count, &fake->capacity, sizeof(*fake->links));
    fake->links[fake->count++] = link;
    return link;
}

void fake_free(struct fake_link *link)
{
    fake_device_free(link->device);
    sys_addrs_clear(&link->addrs);
    free(link);
}

void fake_drop(struct fake *fake, struct fake_link *link)
{
    size_t at = 0;
    while (fake->links[at] != link)
        at++;
    fake_lose_routes(fake, link->link.name, 0);
    fake->count--;
    memmove(&fake->links[at], &fake->links[at + 1], (fake->count - at) * sizeof(*fake->links));
    fake_free(link);
}

int fake_link_get(void *side, const char *name, struct sys_link *ret, struct error **reterr)
{
    (void)reterr;
    struct fake_link *link = fake_find(side, name);
    if (!link)
        return SYS_ABSENT;
    *ret = link->link;
    return 0;
}

int fake_link_list(void *side, struct sys_links *ret, struct error **reterr)
{
    (void)reterr;
    const struct fake *fake = side;
    for (size_t i = 0; i < fake->count; i++) {
        ret->list = mem_grow(ret->list, ret->count, &ret->capacity, sizeof(*ret->list));
        ret->list[ret->count++] = fake->links[i]->link;
    }
    return 0;
}

int fake_link_delete(void *side, int index, struct error **reterr)
{
    (void)reterr;
    struct fake_link *link = find_index(side, index);
    if (!link)
        return SYS_ABSENT;
    fake_drop(side, link);
    return 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* IPv6 tells addresses of one interface apart without their length, IPv4 with it. */
struct sys_addr *fake_find_addr(struct fake_link *link, const struct prefix *prefix)
{
    for (size_t i = 0; i < link->addrs.count; i++) {
        const struct prefix *have = &link->addrs.list[i].prefix;
        if (ip_equal(&have->ip, &prefix->ip) &&
            (have->len == prefix->len || prefix->ip.family == AF_INET6))
            return &link->addrs.list[i];
    }
    return NULL;
}

void fake_put_addr(struct fake *fake, struct fake_link *link, const struct sys_addr *addr)
{
    struct sys_addrs *addrs = &link->addrs;
    addrs->list = mem_grow(addrs->list, addrs->count, &addrs->capacity, sizeof(*addrs->list));
    addrs->list[addrs->count++] = *addr;
    fake_connect(fake, link, addr);
}

/* With the last address of IPv4 go all routes of IPv4 by the interface, in any table. */
void fake_drop_addr(struct fake *fake, struct fake_link *link, struct sys_addr *addr)
{
    struct sys_addrs *addrs = &link->addrs;
    struct sys_addr gone = *addr;
    size_t at = (size_t)(addr - addrs->list);
    addrs->count--;
    memmove(addr, addr + 1, (addrs->count - at) * sizeof(*addr));

    fake_disconnect(fake, link, &gone);
    bool left = gone.prefix.ip.family == AF_INET6;
    for (size_t i = 0; i < addrs->count; i++)
        left |= addrs->list[i].prefix.ip.family == AF_INET;
    if (!left)
        fake_lose_routes(fake, link->link.name, AF_INET);
}

/* IPv6 addresses go when an interface goes down, and come back for nobody. */
static void lose_ip6(struct fake *fake, struct fake_link *link)
{
    for (size_t i = link->addrs.count; i-- > 0;)
        if (link->addrs.list[i].prefix.ip.family == AF_INET6)
            fake_drop_addr(fake, link, &link->addrs.list[i]);
    fake_lose_routes(fake, link->link.name, AF_INET6);
}

static void gain_link_local(struct fake *fake, struct fake_link *link)
{
    struct sys_addr addr = {
        .prefix = {.ip = {.family = AF_INET6, .bytes = {0xfe, 0x80}}, .len = 64},
        .protocol = PROTOCOL_KERNEL_LL,
        .permanent = true,
        .link_local = true,
    };
    addr.prefix.ip.bytes[15] = (uint8_t)link->link.index;
    if (!fake_find_addr(link, &addr.prefix))
        fake_put_addr(fake, link, &addr);
}

static void come_up(struct fake *fake, struct fake_link *link)
{
    for (size_t i = 0; i < link->addrs.count; i++)
        fake_connect(fake, link, &link->addrs.list[i]);
    if (link->device)
        fake_device_up(fake, link);
}

int fake_link_set(void *side, int index, const struct sys_link_change *change,
                  struct error **reterr)
{
    struct fake_link *link = find_index(side, index);
    if (!link)
        return SYS_ABSENT;
    if (change->set_mtu && (change->mtu < MTU_MIN || change->mtu > MTU_MAX))
        return error_errno(reterr, EINVAL, "cannot change interface %d", index);
    if (change->set_mtu)
        link->link.mtu = change->mtu;
    if (change->set_group)
        link->link.group = change->group;
    if (change->set_alias)
        snprintf(link->link.alias, sizeof(link->link.alias), "%s", change->alias);
    bool was_up = link->link.up;
    if (change->set_up)
        link->link.up = change->up;
    if (was_up && (!link->link.up || link->link.mtu < MTU_MIN_IP6))
        lose_ip6(side, link);
    if (was_up && !link->link.up)
        fake_lose_routes(side, link->link.name, AF_INET);
    if (!was_up && link->link.up)
        come_up(side, link);
    if (link->link.up && link->link.mtu >= MTU_MIN_IP6)
        gain_link_local(side, link);
    return 0;
}

static int compare_addrs(const void *a, const void *b)
{
    return prefix_compare(&((const struct sys_addr *)a)->prefix,
                          &((const struct sys_addr *)b)->prefix);
}

int fake_addr_list(void *side, int ifindex, struct sys_addrs *ret, struct error **reterr)
{
    (void)reterr;
    struct fake_link *link = find_index(side, ifindex);
    if (!link)
        return SYS_ABSENT;
    for (size_t i = 0; i < link->addrs.count; i++) {
        ret->list = mem_grow(ret->list, ret->count, &ret->capacity, sizeof(*ret->list));
        ret->list[ret->count++] = link->addrs.list[i];
    }
    if (ret->count)
        qsort(ret->list, ret->count, sizeof(*ret->list), compare_addrs);
    return 0;
}

int fake_addr_add(void *side, int ifindex, const struct prefix *prefix, bool prefix_route,
                  struct error **reterr)
{
    (void)reterr;
    struct fake_link *link = find_index(side, ifindex);
    if (!link)
        return SYS_ABSENT;
    struct sys_addr addr = {
        .prefix = *prefix,
        .protocol = SYS_OWNER,
        .permanent = true,
        .no_prefix_route = !prefix_route,
    };
    if (!fake_find_addr(link, prefix))
        fake_put_addr(side, link, &addr);
    return 0;
}

int fake_addr_delete(void *side, int ifindex, const struct prefix *prefix, struct error **reterr)
{
    (void)reterr;
    struct fake_link *link = find_index(side, ifindex);
    struct sys_addr *addr = link ? fake_find_addr(link, prefix) : NULL;
    if (addr && addr->prefix.len == prefix->len)
        fake_drop_addr(side, link, addr);
    return 0;
}
