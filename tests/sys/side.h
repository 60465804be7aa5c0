/*
 * The same tests on both sides of the boundary: on the fake one, and on the real kernel in a
 * network and mount namespace of the test's own, which ends with everything in it when the test
 * does, also when it fails or is killed.
 *
 *     ON_BOTH_SIDES(link, absent)
 *     {
 *         cr_assert_eq(sys_link_get(sys, "pic0", &link, &error), SYS_ABSENT);
 *     }
 */
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

#include "reconcilers/sys/sys.h"

/* Somebody else's hands, behind the back of the handle under test. */
struct side {
    struct sys *(*open)(void);
    void (*close)(struct sys *sys);
    struct sys *(*reopen)(struct sys *sys); /* a second handle on the same system */
    void (*reclose)(struct sys *second);
    void (*link_add)(struct sys *sys, const char *name); /* of another kind, down */
    void (*link_remove)(struct sys *sys, const char *name);
    void (*link_up)(struct sys *sys, const char *name, bool up);
    void (*link_kill)(struct sys *sys, const char *name); /* what serves it dies at once */
    void (*addr_add)(struct sys *sys, const char *name, const struct prefix *prefix);
    void (*addr_remove)(struct sys *sys, const char *name, const struct prefix *prefix);
    void (*port_take)(struct sys *sys, uint16_t port);
    void (*uplink)(struct sys *sys, uint32_t mtu); /* "uplink0" with a default route; 0: none */
    void (*uplink6)(struct sys *sys, bool on);     /* a default route of IPv6 there too */
    void (*route_add)(struct sys *sys, const struct sys_route *route);
    void (*route_remove)(struct sys *sys, const struct sys_route *route);
    /* `other`: it is also for packets from 10.99.0.0/16 or fd99::/32 only. */
    void (*rule_add)(struct sys *sys, const struct sys_rule *rule);
    void (*rule_remove)(struct sys *sys, const struct sys_rule *rule);
    void (*sysctl_set)(struct sys *sys, const char *name, long value);
};

extern const struct side side_fake, side_real;

/* A test whose side cannot be had is reported as skipped, with the reason. */
void run_on(const struct side *side, void (*body)(const struct side *side, struct sys *sys));

#define UNUSED __attribute__((unused))

#define ON_SIDE(suite, body, which)                                                                \
    Test(suite, body##_##which, .timeout = 60)                                                     \
    {                                                                                              \
        run_on(&side_##which, body);                                                               \
    }

#define ON_BOTH_SIDES(suite, body)                                                                 \
    static void body(const struct side *side, struct sys *sys);                                    \
    ON_SIDE(suite, body, fake)                                                                     \
    ON_SIDE(suite, body, real)                                                                     \
    static void body(UNUSED const struct side *side, UNUSED struct sys *sys)

#define ON_REAL_SIDE(suite, body)                                                                  \
    static void body(const struct side *side, struct sys *sys);                                    \
    ON_SIDE(suite, body, real)                                                                     \
    static void body(UNUSED const struct side *side, UNUSED struct sys *sys)

/* Asserts a call that must return `expected`, with its error in the message; frees the error. */
#define CHECK(call, expected)                                                                      \
    do {                                                                                           \
        ERROR_AUTO error = NULL;                                                                   \
        int result = (call);                                                                       \
        cr_assert_eq(result, (expected), "%s is %d, not %d: %s", #call, result, (int)(expected),   \
                     error ? error->message : "no error");                                         \
        cr_assert_eq(error != NULL, result < 0, "%s: an error goes with a negative result",        \
                     #call);                                                                       \
    } while (0)

/* What happens soon, but not at once: on the real side others need a moment. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        unsigned tries = 600;                                                                      \
        while (!(condition) && --tries)                                                            \
            usleep(5000);                                                                          \
        cr_assert(tries > 0, "never came true: %s", #condition);                                   \
    } while (0)

struct prefix prefix_of(const char *text);
struct ip ip_of(const char *text);
struct wgkey key_of(unsigned number); /* a public key, the same for the same number */
struct sys_link link_of(struct sys *sys, const char *name); /* must exist */

/* ---- what a device says ---------------------------------------------------------------------- */

struct seen {
    struct sys_wg_device device;
    struct sys_wg_peer *peers; /* sorted by key; their allowed IPs are sorted copies */
    size_t count, capacity;
};
#define SEEN_AUTO __attribute__((cleanup(seen_clear))) struct seen
void seen_read(struct seen *seen, struct sys *sys, const char *name); /* reads anew; must work */
void seen_clear(struct seen *seen);
const struct sys_wg_peer *seen_find(const struct seen *seen, unsigned key); /* NULL: not there */
/* "10.0.0.1/32 10.0.0.2/32", "" without; NULL when there is no such peer. Valid until the next
 * call. */
const char *seen_allowed(const struct seen *seen, unsigned key, char buf[static 512]);

/* A device with a key and the port, and up. */
void start_device(struct sys *sys, const char *name, uint16_t port);
/* Adds one peer with one allowed IP. */
void add_peer(struct sys *sys, const char *name, unsigned key, const char *allowed);
