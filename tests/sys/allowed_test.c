#include <stdio.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/side.h"

/* ---- allowed IPs ----------------------------------------------------------------------------- */

/* One row: what is added and taken away in one call, and who has what then. Peers 1 and 2 begin
 * with "10.0.0.1/32 10.0.1.0/24" and "10.0.0.2/32 fd00::2/128". */
struct allowed_row {
    const char *what;
    struct {
        unsigned key;
        const char *add, *remove;
    } changes[2];
    const char *first, *second; /* NULL: there is no such peer */
};

static const struct allowed_row allowed_rows[] = {
    {"removed", {{1, NULL, "10.0.0.1/32"}}, "10.0.1.0/24", "10.0.0.2/32 fd00::2/128"},
    {"removed, with host bits",
     {{1, NULL, "10.0.1.7/24"}},
     "10.0.0.1/32",
     "10.0.0.2/32 fd00::2/128"},
    {"removed, IPv6", {{2, NULL, "fd00::2/128"}}, "10.0.0.1/32 10.0.1.0/24", "10.0.0.2/32"},
    {"nobody's", {{1, NULL, "10.9.0.0/16"}}, "10.0.0.1/32 10.0.1.0/24", "10.0.0.2/32 fd00::2/128"},
    {"one inside another",
     {{1, "10.0.1.0/25", NULL}, {1, NULL, "10.0.1.0/24"}},
     "10.0.0.1/32 10.0.1.0/25",
     "10.0.0.2/32 fd00::2/128"},
    {"moved by adding",
     {{2, "10.0.1.0/24", NULL}},
     "10.0.0.1/32",
     "10.0.0.2/32 10.0.1.0/24 fd00::2/128"},
    {"moved, loser first",
     {{1, NULL, "10.0.1.0/24"}, {2, "10.0.1.0/24", NULL}},
     "10.0.0.1/32",
     "10.0.0.2/32 10.0.1.0/24 fd00::2/128"},
    {"moved, winner first",
     {{2, "10.0.1.9/24", NULL}, {1, NULL, "10.0.1.0/24"}},
     "10.0.0.1/32",
     "10.0.0.2/32 10.0.1.0/24 fd00::2/128"},
    {"swapped",
     {{1, "10.0.0.2/32", "10.0.0.1/32"}, {2, "10.0.0.1/32", "10.0.0.2/32"}},
     "10.0.0.2/32 10.0.1.0/24",
     "10.0.0.1/32 fd00::2/128"},
    {"default routes",
     {{1, "0.0.0.0/0", NULL}, {2, "::/0", NULL}},
     "0.0.0.0/0 10.0.0.1/32 10.0.1.0/24",
     "10.0.0.2/32 ::/0 fd00::2/128"},
    {"again what is there",
     {{1, "10.0.0.1/32", NULL}},
     "10.0.0.1/32 10.0.1.0/24",
     "10.0.0.2/32 fd00::2/128"},
};

static void set_allowed(struct sys *sys, const struct allowed_row *row)
{
    struct sys_wg_peer_change changes[2] = {0};
    struct prefix add[2], remove[2];
    size_t count = 0;
    for (; count < 2 && row->changes[count].key; count++) {
        changes[count].public_key = key_of(row->changes[count].key);
        if (row->changes[count].add) {
            add[count] = prefix_of(row->changes[count].add);
            changes[count].allowed_add = &add[count];
            changes[count].allowed_add_count = 1;
        }
        if (row->changes[count].remove) {
            remove[count] = prefix_of(row->changes[count].remove);
            changes[count].allowed_remove = &remove[count];
            changes[count].allowed_remove_count = 1;
        }
    }
    CHECK(sys_wg_set(sys, "pic0", NULL, changes, count, &error), 0);
}

ON_BOTH_SIDES(allowed, moves)
{
    SEEN_AUTO seen = {0};
    char text[512];
    start_device(sys, "pic0", 51820);
    for (size_t i = 0; i < ARRAY_SIZE(allowed_rows); i++) {
        const struct allowed_row *row = &allowed_rows[i];
        add_peer(sys, "pic0", 1, "10.0.0.1/32");
        add_peer(sys, "pic0", 1, "10.0.1.0/24");
        add_peer(sys, "pic0", 2, "10.0.0.2/32");
        add_peer(sys, "pic0", 2, "fd00::2/128");
        set_allowed(sys, row);
        seen_read(&seen, sys, "pic0");
        cr_expect_eq(seen.count, 2U, "%s: no throw-away peer is left", row->what);
        cr_expect_str_eq(seen_allowed(&seen, 1, text), row->first, "%s: %s", row->what, text);
        cr_expect_str_eq(seen_allowed(&seen, 2, text), row->second, "%s: %s", row->what, text);
        struct sys_wg_peer_change removal[] = {{.public_key = key_of(1), .remove = true},
                                               {.public_key = key_of(2), .remove = true}};
        CHECK(sys_wg_set(sys, "pic0", NULL, removal, 2, &error), 0);
    }
}

ON_BOTH_SIDES(allowed, go_with_their_peer)
{
    SEEN_AUTO seen = {0};
    char text[512];
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    add_peer(sys, "pic0", 1, "10.0.0.0/24");
    struct prefix prefix = prefix_of("10.0.0.0/24");
    struct sys_wg_peer_change changes[] = {
        {.public_key = key_of(1), .remove = true},
        {.public_key = key_of(2), .create = true, .allowed_add = &prefix, .allowed_add_count = 1},
    };
    CHECK(sys_wg_set(sys, "pic0", NULL, changes, 2, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_null(seen_find(&seen, 1));
    cr_expect_str_eq(seen_allowed(&seen, 2, text), "10.0.0.0/24");
}

/* ---- many ------------------------------------------------------------------------------------ */

static void set_slice(struct sys *sys, unsigned first, unsigned count)
{
    MEM_AUTO struct sys_wg_peer_change *peers = mem_alloc(count * sizeof(*peers));
    MEM_AUTO struct prefix *allowed = mem_alloc(3 * count * sizeof(*allowed));
    for (unsigned i = 0; i < count; i++) {
        unsigned n = first + i;
        char text[64];
        snprintf(text, sizeof(text), "10.%u.%u.1/32", n >> 8, n & 255);
        allowed[3 * i] = prefix_of(text);
        snprintf(text, sizeof(text), "172.16.%u.%u/32", n >> 8, n & 255);
        allowed[3 * i + 1] = prefix_of(text);
        snprintf(text, sizeof(text), "fd00::%x/128", n + 1);
        allowed[3 * i + 2] = prefix_of(text);
        peers[i] = (struct sys_wg_peer_change){.public_key = key_of(n),
                                               .create = true,
                                               .set_preshared_key = true,
                                               .preshared_key = key_of(n + 100000),
                                               .set_keepalive = true,
                                               .keepalive = (uint16_t)(n + 1),
                                               .allowed_add = &allowed[3 * i],
                                               .allowed_add_count = 3};
    }
    CHECK(sys_wg_set(sys, "pic0", NULL, peers, count, &error), 0);
}

static void expect_all(const struct seen *seen, unsigned count)
{
    cr_assert_eq(seen->count, count);
    for (unsigned n = 0; n < count; n++) {
        const struct sys_wg_peer *peer = seen_find(seen, n);
        struct wgkey psk = key_of(n + 100000);
        cr_assert(peer && peer->keepalive == n + 1 && peer->allowed_count == 3 &&
                      wgkey_equal(&peer->preshared_key, &psk),
                  "peer %u", n);
    }
}

ON_BOTH_SIDES(many, a_thousand_peers_in_slices)
{
    SEEN_AUTO seen = {0};
    start_device(sys, "pic0", 51820);
    for (unsigned n = 0; n < 1000; n += 100)
        set_slice(sys, n, 100);
    seen_read(&seen, sys, "pic0");
    expect_all(&seen, 1000);
    struct sys_wg_peer_change removal = {.public_key = key_of(500), .remove = true};
    CHECK(sys_wg_set(sys, "pic0", NULL, &removal, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 999U);
    cr_expect_null(seen_find(&seen, 500));
}

ON_BOTH_SIDES(many, five_thousand_peers_in_one_call)
{
    SEEN_AUTO seen = {0};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    set_slice(sys, 0, 5000);
    seen_read(&seen, sys, "pic0");
    expect_all(&seen, 5000);
}
