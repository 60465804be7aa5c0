/* When a link's endpoint is sent to the device, and when a roaming peer keeps its own. */
#include <criterion/criterion.h>

#include "reconcilers/wireguard/wireguard.h"
#include "schema/base/mem.h"

enum { NOW = 1800000000 };

static struct wg_endpoint endpoint(const char *address)
{
    struct wg_endpoint e = {.port = address ? 51821 : 0};
    cr_assert(!address || ip_parse(address, &e.ip) == 0);
    return e;
}

static const struct {
    const char *name;
    const char *wanted, *told, *seen; /* addresses; NULL: none */
    int age;                          /* of the last handshake, seconds; -1: there was none */
    bool due;
} rows[] = {
    {"nothing is known", NULL, NULL, NULL, -1, false},
    {"a name without an address leaves what there is", NULL, "192.0.2.1", "192.0.2.2", 900, false},
    {"the device has none", "192.0.2.1", NULL, NULL, -1, true},
    {"the device lost it", "192.0.2.1", "192.0.2.1", NULL, 10, true},
    {"as wanted", "192.0.2.1", "192.0.2.1", "192.0.2.1", -1, false},
    {"as wanted, whatever was told", "192.0.2.1", NULL, "192.0.2.1", 900, false},
    {"roamed, and heard of", "192.0.2.1", "192.0.2.1", "192.0.2.2", 10, false},
    {"roamed, heard of within a session", "192.0.2.1", "192.0.2.1", "192.0.2.2", 180, false},
    {"roamed, and silent since", "192.0.2.1", "192.0.2.1", "192.0.2.2", 181, true},
    {"never heard of there", "192.0.2.1", "192.0.2.1", "192.0.2.2", -1, true},
    {"the manifest changed", "192.0.2.3", "192.0.2.1", "192.0.2.2", 10, true},
    {"found after a start, and not known to be carried out", "192.0.2.1", NULL, "192.0.2.2", 10,
     true},
    {"the clock went back", "192.0.2.1", "192.0.2.1", "192.0.2.2", -900, false},
};

Test(endpoint, rule)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct wg_endpoint wanted = endpoint(rows[i].wanted), told = endpoint(rows[i].told);
        struct wg_seen_peer seen = {.endpoint = endpoint(rows[i].seen)};
        seen.last_handshake = rows[i].age == -1 ? 0 : NOW - rows[i].age;
        cr_expect_eq(wg_endpoint_due(&wanted, &told, &seen, NOW), rows[i].due, "%s", rows[i].name);
    }
}

Test(endpoint, of_a_peer_that_is_not_there)
{
    struct wg_endpoint wanted = endpoint("192.0.2.1"), none = endpoint(NULL);
    cr_expect(wg_endpoint_due(&wanted, &none, NULL, NOW));
    cr_expect_not(wg_endpoint_due(&none, &none, NULL, NOW));
}
