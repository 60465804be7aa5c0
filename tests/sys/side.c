#include "tests/sys/side.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "reconcilers/sys/fake.h"
#include "schema/base/mem.h"

/* ---- the fake side --------------------------------------------------------------------------- */

static struct sys *fake_reopen(struct sys *sys)
{
    return sys;
}

static void fake_reclose(struct sys *second)
{
    (void)second;
}

static void fake_link_add(struct sys *sys, const char *name)
{
    sys_fake_link_add(sys, name, "bridge", 0, NULL);
}

static void fake_addr_add(struct sys *sys, const char *name, const struct prefix *prefix)
{
    sys_fake_addr_add(sys, name, prefix, 0);
}

const struct side side_fake = {
    .open = sys_fake_new,
    .close = sys_close,
    .reopen = fake_reopen,
    .reclose = fake_reclose,
    .link_add = fake_link_add,
    .link_remove = sys_fake_link_remove,
    .link_up = sys_fake_link_up,
    .link_kill = sys_fake_link_remove,
    .addr_add = fake_addr_add,
    .addr_remove = sys_fake_addr_remove,
    .port_take = sys_fake_port_taken,
    .uplink = sys_fake_uplink_mtu,
    .uplink6 = sys_fake_uplink6,
    .route_add = sys_fake_route_add,
    .route_remove = sys_fake_route_remove,
    .rule_add = sys_fake_rule_add,
    .rule_remove = sys_fake_rule_remove,
    .sysctl_set = sys_fake_sysctl_set,
};

/* ---- both ------------------------------------------------------------------------------------ */

void run_on(const struct side *side, void (*body)(const struct side *side, struct sys *sys))
{
    struct sys *sys = side->open();
    body(side, sys);
    side->close(sys);
}

struct prefix prefix_of(const char *text)
{
    struct prefix prefix;
    cr_assert_eq(prefix_parse(text, &prefix), 0, "%s", text);
    return prefix;
}

struct ip ip_of(const char *text)
{
    struct ip ip;
    cr_assert_eq(ip_parse(text, &ip), 0, "%s", text);
    return ip;
}

struct wgkey key_of(unsigned number)
{
    struct wgkey key = {.bytes = {[0] = 9, [30] = 7, [31] = 1}};
    memcpy(key.bytes + 4, &number, sizeof(number));
    return key;
}

struct sys_link link_of(struct sys *sys, const char *name)
{
    struct sys_link link = {0};
    CHECK(sys_link_get(sys, name, &link, &error), 0);
    return link;
}

static int compare_prefixes(const void *a, const void *b)
{
    return prefix_compare(a, b);
}

static int compare_peers(const void *a, const void *b)
{
    const struct sys_wg_peer *one = a, *other = b;
    return memcmp(&one->public_key, &other->public_key, sizeof(one->public_key));
}

static void see(const struct sys_wg_peer *peer, void *context)
{
    struct seen *seen = context;
    size_t size = peer->allowed_count * sizeof(*peer->allowed);
    struct prefix *allowed = mem_alloc(size);
    if (size)
        memcpy(allowed, peer->allowed, size);
    qsort(allowed, peer->allowed_count, sizeof(*allowed), compare_prefixes);
    seen->peers = mem_grow(seen->peers, seen->count, &seen->capacity, sizeof(*seen->peers));
    seen->peers[seen->count] = *peer;
    seen->peers[seen->count++].allowed = allowed;
}

void seen_read(struct seen *seen, struct sys *sys, const char *name)
{
    seen_clear(seen);
    CHECK(sys_wg_get(sys, name, &seen->device, see, seen, &error), 0);
    if (seen->count)
        qsort(seen->peers, seen->count, sizeof(*seen->peers), compare_peers);
}

void seen_clear(struct seen *seen)
{
    for (size_t i = 0; i < seen->count; i++)
        free((void *)seen->peers[i].allowed);
    free(seen->peers);
    *seen = (struct seen){0};
}

const struct sys_wg_peer *seen_find(const struct seen *seen, unsigned key)
{
    struct sys_wg_peer wanted = {.public_key = key_of(key)};
    if (!seen->count)
        return NULL;
    return bsearch(&wanted, seen->peers, seen->count, sizeof(*seen->peers), compare_peers);
}

const char *seen_allowed(const struct seen *seen, unsigned key, char buf[static 512])
{
    char text[ADDR_TEXT_MAX];
    const struct sys_wg_peer *peer = seen_find(seen, key);
    if (!peer)
        return NULL;
    buf[0] = '\0';
    for (size_t i = 0; i < peer->allowed_count; i++) {
        size_t len = strlen(buf);
        snprintf(buf + len, 512 - len, "%s%s", i ? " " : "",
                 prefix_format(&peer->allowed[i], text));
    }
    return buf;
}

void start_device(struct sys *sys, const char *name, uint16_t port)
{
    struct sys_wg_device_change device = {
        .set_private_key = true, .set_listen_port = true, .listen_port = port};
    struct sys_link_change up = {.set_up = true, .up = true};
    wgkey_generate_private(&device.private_key);
    CHECK(sys_wg_create(sys, name, &error), 0);
    CHECK(sys_link_set(sys, link_of(sys, name).index, &up, &error), 0);
    CHECK(sys_wg_set(sys, name, &device, NULL, 0, &error), 0);
}

void add_peer(struct sys *sys, const char *name, unsigned key, const char *allowed)
{
    struct prefix prefix = prefix_of(allowed);
    struct sys_wg_peer_change peer = {
        .public_key = key_of(key), .create = true, .allowed_add = &prefix, .allowed_add_count = 1};
    CHECK(sys_wg_set(sys, name, NULL, &peer, 1, &error), 0);
}
