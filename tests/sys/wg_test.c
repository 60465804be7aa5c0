#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tests/sys/side.h"

/* ---- the device ------------------------------------------------------------------------------ */

ON_BOTH_SIDES(wg, absent)
{
    struct sys_wg_device device;
    struct sys_wg_peer_change peer = {.public_key = key_of(1), .create = true};
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    CHECK(sys_wg_set(sys, "pic0", NULL, &peer, 1, &error), SYS_ABSENT);
    side->link_add(sys, "other0");
    CHECK(sys_wg_get(sys, "other0", &device, NULL, NULL, &error), SYS_ABSENT);
}

ON_BOTH_SIDES(wg, device_fields)
{
    SEEN_AUTO seen = {0};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect(wgkey_is_zero(&seen.device.private_key));
    cr_expect_eq(seen.device.fwmark, 0U);
    cr_expect_eq(seen.count, 0U);

    struct sys_wg_device_change change = {.set_private_key = true,
                                          .set_listen_port = true,
                                          .listen_port = 51820,
                                          .set_fwmark = true,
                                          .fwmark = 0xca6c0001};
    wgkey_generate_private(&change.private_key);
    CHECK(sys_wg_set(sys, "pic0", &change, NULL, 0, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect(wgkey_equal(&seen.device.private_key, &change.private_key));
    cr_expect_eq(seen.device.listen_port, 51820);
    cr_expect_eq(seen.device.fwmark, 0xca6c0001U);

    struct sys_wg_device_change nothing = {.listen_port = 1, .fwmark = 2};
    CHECK(sys_wg_set(sys, "pic0", &nothing, NULL, 0, &error), 0);
    CHECK(sys_wg_set(sys, "pic0", NULL, NULL, 0, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect(wgkey_equal(&seen.device.private_key, &change.private_key));
    cr_expect_eq(seen.device.listen_port, 51820);
    cr_expect_eq(seen.device.fwmark, 0xca6c0001U);
}

ON_BOTH_SIDES(wg, key_comes_back_clamped)
{
    SEEN_AUTO seen = {0};
    struct sys_wg_device_change change = {.set_private_key = true};
    memset(change.private_key.bytes, 0xff, WGKEY_LEN);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_wg_set(sys, "pic0", &change, NULL, 0, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.private_key.bytes[0], 0xf8);
    cr_expect_eq(seen.device.private_key.bytes[31], 0x7f);
    memset(change.private_key.bytes, 0, WGKEY_LEN);
    CHECK(sys_wg_set(sys, "pic0", &change, NULL, 0, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect(wgkey_is_zero(&seen.device.private_key), "a zero key takes it away");
}

ON_BOTH_SIDES(wg, no_peer_of_its_own)
{
    SEEN_AUTO seen = {0};
    struct prefix prefix = prefix_of("10.0.0.1/32");
    struct sys_wg_device_change change = {.set_private_key = true};
    struct sys_wg_peer_change peer = {
        .create = true, .allowed_add = &prefix, .allowed_add_count = 1};
    wgkey_generate_private(&change.private_key);
    wgkey_public(&change.private_key, &peer.public_key);
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_wg_set(sys, "pic0", &change, &peer, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 0U, "it is ignored");

    wgkey_generate_private(&change.private_key);
    CHECK(sys_wg_set(sys, "pic0", &change, &peer, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 1U, "of another key it is an ordinary peer");
}

/* ---- peers ----------------------------------------------------------------------------------- */

ON_BOTH_SIDES(wg, peer_fields)
{
    SEEN_AUTO seen = {0};
    struct prefix allowed[] = {prefix_of("10.10.0.2/32"), prefix_of("192.168.7.9/24"),
                               prefix_of("fd00::2/128")};
    struct sys_wg_peer_change peer = {.public_key = key_of(1),
                                      .create = true,
                                      .set_preshared_key = true,
                                      .set_endpoint = true,
                                      .endpoint = ip_of("203.0.113.7"),
                                      .endpoint_port = 51821,
                                      .set_keepalive = true,
                                      .keepalive = 25,
                                      .allowed_add = allowed,
                                      .allowed_add_count = ARRAY_SIZE(allowed)};
    wgkey_generate_psk(&peer.preshared_key);
    start_device(sys, "pic0", 51820);
    CHECK(sys_wg_set(sys, "pic0", NULL, &peer, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_assert_eq(seen.count, 1U);
    const struct sys_wg_peer *found = seen_find(&seen, 1);
    cr_assert(found);
    char text[512];
    cr_expect(wgkey_equal(&found->preshared_key, &peer.preshared_key));
    cr_expect(ip_equal(&found->endpoint, &peer.endpoint));
    cr_expect_eq(found->endpoint_port, 51821);
    cr_expect_eq(found->keepalive, 25);
    cr_expect_eq(found->last_handshake, 0);
    cr_expect_str_eq(seen_allowed(&seen, 1, text), "10.10.0.2/32 192.168.7.0/24 fd00::2/128",
                     "normalised: %s", text);

    struct sys_wg_peer_change nothing = {.public_key = key_of(1), .keepalive = 7};
    CHECK(sys_wg_set(sys, "pic0", NULL, &nothing, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    found = seen_find(&seen, 1);
    cr_expect(wgkey_equal(&found->preshared_key, &peer.preshared_key), "kept when not set");
    cr_expect_eq(found->keepalive, 25);
    cr_expect(ip_equal(&found->endpoint, &peer.endpoint));
    cr_expect_eq(found->allowed_count, 3U);
}

ON_BOTH_SIDES(wg, psk_and_keepalive_are_taken_away_explicitly)
{
    SEEN_AUTO seen = {0};
    struct sys_wg_peer_change peer = {.public_key = key_of(1),
                                      .create = true,
                                      .set_preshared_key = true,
                                      .preshared_key = key_of(77),
                                      .set_keepalive = true,
                                      .keepalive = 65535};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_wg_set(sys, "pic0", NULL, &peer, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen_find(&seen, 1)->keepalive, 65535);
    cr_expect(!wgkey_is_zero(&seen_find(&seen, 1)->preshared_key));
    struct sys_wg_peer_change off = {
        .public_key = key_of(1), .set_preshared_key = true, .set_keepalive = true};
    CHECK(sys_wg_set(sys, "pic0", NULL, &off, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen_find(&seen, 1)->keepalive, 0);
    cr_expect(wgkey_is_zero(&seen_find(&seen, 1)->preshared_key));
}

ON_BOTH_SIDES(wg, endpoints)
{
    static const char *const hosts[] = {"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "fe80::1"};
    SEEN_AUTO seen = {0};
    start_device(sys, "pic0", 51820);
    add_peer(sys, "pic0", 1, "10.0.0.1/32");
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen_find(&seen, 1)->endpoint.family, 0, "not known at first");
    for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
        struct sys_wg_peer_change change = {.public_key = key_of(1),
                                            .set_endpoint = true,
                                            .endpoint = ip_of(hosts[i]),
                                            .endpoint_port = (uint16_t)(65535 - i)};
        CHECK(sys_wg_set(sys, "pic0", NULL, &change, 1, &error), 0);
        seen_read(&seen, sys, "pic0");
        cr_expect(ip_equal(&seen_find(&seen, 1)->endpoint, &change.endpoint), "%s", hosts[i]);
        cr_expect_eq(seen_find(&seen, 1)->endpoint_port, 65535 - i, "%s", hosts[i]);
    }
}

ON_BOTH_SIDES(wg, update_only_and_remove_of_absent_peers)
{
    SEEN_AUTO seen = {0};
    struct prefix prefix = prefix_of("10.0.0.1/32");
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    add_peer(sys, "pic0", 1, "10.0.0.1/32");
    struct sys_wg_peer_change changes[] = {
        {.public_key = key_of(2),
         .set_keepalive = true,
         .keepalive = 5,
         .allowed_add = &prefix,
         .allowed_add_count = 1},
        {.public_key = key_of(3), .remove = true},
        {.public_key = key_of(1), .set_keepalive = true, .keepalive = 9},
    };
    CHECK(sys_wg_set(sys, "pic0", NULL, changes, ARRAY_SIZE(changes), &error), 0);
    seen_read(&seen, sys, "pic0");
    char text[512];
    cr_expect_eq(seen.count, 1U);
    cr_expect_eq(seen_find(&seen, 1)->keepalive, 9);
    cr_expect_str_eq(seen_allowed(&seen, 1, text), "10.0.0.1/32", "not taken by nobody");
    struct sys_wg_peer_change removal = {.public_key = key_of(1), .remove = true, .create = true};
    CHECK(sys_wg_set(sys, "pic0", NULL, &removal, 1, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 0U);
}

ON_BOTH_SIDES(wg, what_cannot_be_sent)
{
    struct prefix bad[] = {{.ip = {.family = AF_INET}, .len = 33},
                           {.ip = {.family = AF_INET6}, .len = 129},
                           {.len = 0}};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct sys_wg_peer_change adds = {.public_key = key_of(1),
                                          .create = true,
                                          .allowed_add = &bad[i],
                                          .allowed_add_count = 1};
        struct sys_wg_peer_change removes = {
            .public_key = key_of(1), .allowed_remove = &bad[i], .allowed_remove_count = 1};
        CHECK(sys_wg_set(sys, "pic0", NULL, &adds, 1, &error), -EINVAL);
        CHECK(sys_wg_set(sys, "pic0", NULL, &removes, 1, &error), -EINVAL);
    }
    struct sys_wg_peer_change endpoint = {
        .public_key = key_of(1), .create = true, .set_endpoint = true, .endpoint_port = 1};
    CHECK(sys_wg_set(sys, "pic0", NULL, &endpoint, 1, &error), -EINVAL);
    SEEN_AUTO seen = {0};
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 0U);
}

/* ---- ports ----------------------------------------------------------------------------------- */

ON_BOTH_SIDES(wg, port_in_use_keeps_the_old_one)
{
    SEEN_AUTO seen = {0};
    start_device(sys, "pic0", 51820);
    side->port_take(sys, 51999);
    struct sys_wg_device_change change = {
        .set_listen_port = true, .listen_port = 51999, .set_fwmark = true, .fwmark = 7};
    ERROR_AUTO taken = NULL;
    cr_assert_eq(sys_wg_set(sys, "pic0", &change, NULL, 0, &taken), -EADDRINUSE);
    cr_expect_eq(taken->class, ERROR_CONFLICT);
    cr_expect(strstr(taken->message, "51999"), "%s", taken->message);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.listen_port, 51820);
    cr_expect_eq(seen.device.fwmark, 0U, "nothing is changed");

    /* A second device finds out whether the first one still has its port. */
    CHECK(sys_wg_create(sys, "pl-x", &error), 0);
    change = (struct sys_wg_device_change){.set_listen_port = true, .listen_port = 51820};
    CHECK(sys_wg_set(sys, "pl-x", &change, NULL, 0, &error), -EADDRINUSE);
    change.listen_port = 51821;
    CHECK(sys_wg_set(sys, "pl-x", &change, NULL, 0, &error), 0);
    change.listen_port = 51822;
    CHECK(sys_wg_set(sys, "pic0", &change, NULL, 0, &error), 0);
    CHECK(sys_wg_set(sys, "pic0", &change, NULL, 0, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.listen_port, 51822);
    change.listen_port = 51820;
    CHECK(sys_wg_set(sys, "pl-x", &change, NULL, 0, &error), 0);
}

ON_BOTH_SIDES(wg, port_of_the_systems_choice)
{
    SEEN_AUTO seen = {0};
    struct sys_link_change up = {.set_up = true, .up = true};
    CHECK(sys_wg_create(sys, "pic0", &error), 0);
    CHECK(sys_link_set(sys, link_of(sys, "pic0").index, &up, &error), 0);
    EVENTUALLY((seen_read(&seen, sys, "pic0"), seen.device.listen_port != 0));
    start_device(sys, "pic0", 51820);
    struct sys_wg_device_change any = {.set_listen_port = true};
    CHECK(sys_wg_set(sys, "pic0", &any, NULL, 0, &error), 0);
    seen_read(&seen, sys, "pic0");
    cr_expect(seen.device.listen_port != 0 && seen.device.listen_port != 51820);
}

/* ---- a life ---------------------------------------------------------------------------------- */

ON_BOTH_SIDES(wg, create_adopts_what_runs)
{
    SEEN_AUTO seen = {0};
    start_device(sys, "pic0", 51820);
    add_peer(sys, "pic0", 1, "10.0.0.1/32");
    struct sys *second = side->reopen(sys);
    CHECK(sys_wg_create(second, "pic0", &error), 0);
    seen_read(&seen, second, "pic0");
    cr_expect_eq(seen.device.listen_port, 51820);
    cr_expect_eq(seen.count, 1U);
    add_peer(second, "pic0", 2, "10.0.0.2/32");
    side->reclose(second);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 2U, "both handles speak to the same device");
}

ON_BOTH_SIDES(wg, deleted_and_made_again)
{
    for (int round = 0; round < 3; round++) {
        SEEN_AUTO seen = {0};
        struct sys_wg_device device;
        start_device(sys, "pic0", 51820); /* at once: nobody holds the port any more */
        add_peer(sys, "pic0", 1, "10.0.0.1/32");
        seen_read(&seen, sys, "pic0");
        cr_expect_eq(seen.count, 1U);
        CHECK(sys_link_delete(sys, link_of(sys, "pic0").index, &error), 0);
        CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
        CHECK(sys_wg_set(sys, "pic0", NULL, NULL, 0, &error), SYS_ABSENT);
    }
}

ON_BOTH_SIDES(wg, deleted_by_others)
{
    SEEN_AUTO seen = {0};
    struct sys_wg_device device;
    start_device(sys, "pic0", 51820);
    seen_read(&seen, sys, "pic0");
    side->link_remove(sys, "pic0");
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    start_device(sys, "pic0", 51820);
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.device.listen_port, 51820);
}

ON_BOTH_SIDES(wg, server_killed)
{
    SEEN_AUTO seen = {0};
    struct sys_wg_device device;
    start_device(sys, "pic0", 51820);
    seen_read(&seen, sys, "pic0");
    side->link_kill(sys, "pic0");
    CHECK(sys_wg_get(sys, "pic0", &device, NULL, NULL, &error), SYS_ABSENT);
    CHECK(sys_wg_set(sys, "pic0", NULL, NULL, 0, &error), SYS_ABSENT);
    start_device(sys, "pic0", 51820);
    add_peer(sys, "pic0", 1, "10.0.0.1/32");
    seen_read(&seen, sys, "pic0");
    cr_expect_eq(seen.count, 1U);
}

ON_BOTH_SIDES(wg, something_else_of_that_name)
{
    ERROR_AUTO conflict = NULL;
    side->link_add(sys, "pic0");
    cr_assert_eq(sys_wg_create(sys, "pic0", &conflict), -EEXIST);
    cr_expect_eq(conflict->class, ERROR_CONFLICT);
    cr_expect_str_eq(link_of(sys, "pic0").kind, "bridge", "it is not touched");
}
