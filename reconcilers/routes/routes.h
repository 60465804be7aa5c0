/*
 * Policy routing: rules that say which table answers for which packets, what stands in our tables,
 * and the settings of the kernel without which neither works.
 *
 * Ours are the tables 870000…870061 and 870100, whatever is in them, and everywhere else the rules
 * and routes of our protocol number. Other people's are read, told about, never touched.
 *
 * Settings are not taken back when they are not needed any more, but for `src_valid_mark`: whoever
 * else forwards on this machine needs `ip_forward` too, and nobody can know.
 */
#pragma once

#include "reconcilers/reconciler.h"

extern const struct reconciler reconciler_routes;

/* ---- objects (object.c) ---- */

enum {
    RULE_OURS = 86,     /* destinations that are ours, for everybody, before anyone's default */
    RULE_DIRECT = 87,   /* decided: by this cell's uplink */
    RULE_EXIT = 88,     /* decided: through a link, one rule each */
    RULE_BLOCKED = 89,  /* blocked, and any mark whose rule was lost */
    RULE_UNMARKED = 90, /* out of a tunnel without a mark: our nftables are gone */
};

/* Of the `unreachable` routes that stand behind the others, so that a link that is down never lets
 * its traffic out by the uplink. */
#define ROUTES_METRIC_LAST UINT32_C(4278198272)
enum {
    ROUTES_METRIC6 = 1024, /* what IPv6 makes of "none" */
    SETTING_NAME_MAX = 64, /* "net/ipv6/conf/<interface>/force_forwarding" */
};

#define SETTING_FORWARD4 "net/ipv4/ip_forward"
#define SETTING_FORWARD6 "net/ipv6/conf/all/forwarding"

struct routes_setting {
    char name[SETTING_NAME_MAX]; /* as for sys_sysctl_get() */
    long value;
};

enum routes_sort { ROUTES_RULE, ROUTES_ROUTE, ROUTES_SETTING };

struct routes_object {
    enum routes_sort sort;
    union {
        struct sys_rule rule;
        struct sys_route route;
        struct routes_setting setting;
    };
};

bool routes_is_our_table(uint32_t table);
/* A rule of ours, also one that should not be there. */
bool routes_is_our_rule(const struct sys_rule *rule);
bool routes_same_rule(const struct sys_rule *a, const struct sys_rule *b);
/* Of what a table has one only (IPv6: usually): family, table, destination, metric. */
int routes_compare_place(const struct sys_route *a, const struct sys_route *b);
/* Where in a list sorted so the first one of the route's place is, or would be. */
size_t routes_place_of(const struct sys_routes *routes, const struct sys_route *route);
bool routes_same_route(const struct sys_route *a, const struct sys_route *b);

/* The order in which objects are made, and, backwards, taken away: every part of it is safe. */
int routes_compare_turn(const struct routes_object *a, const struct routes_object *b);

/* "rule 88 fwmark 0x01000000/0x3f000000 lookup 870001 (ipv4)" */
void routes_object_text(const struct routes_object *object, struct strbuf *out);
void routes_rule_text(const struct sys_rule *rule, struct strbuf *out);

/* "net/<family>/conf/<scope>/<setting>" */
void routes_setting_name(char buf[static SETTING_NAME_MAX], const char *family, const char *scope,
                         const char *setting);

/* ---- owners (owner.c) ---- */

/* To which key a step about an object belongs, and why it is taken. */
struct routes_owner {
    const char *key, *cause;
};

struct routes_owner routes_cell_owner(const struct model *model);
struct routes_owner routes_link_owner(const struct model *model, const struct model_link *link,
                                      struct arena *arena);
struct routes_owner routes_peer_owner(const struct model *model, const struct model_peer *peer,
                                      struct arena *arena);

/* Finds out whose the objects were that nobody wants. */
struct routes_strays {
    const struct model *model;
    struct arena *arena;
    struct map by_prefix; /* → struct routes_owner that had it; made when the first one is asked */
};

struct routes_owner routes_stray_owner(struct routes_strays *strays,
                                       const struct routes_object *object);
void routes_strays_clear(struct routes_strays *strays);

/* ---- desired (desired.c) ---- */

struct routes_want {
    struct routes_object object; /* a rule or a route */
    struct routes_owner owner;
};

struct routes_interface {
    const char *name;
    const struct model_link *link; /* NULL: the peers' interface, or one of the machine's */
    bool ours;
    bool uplink6;
};

struct routes_desired {
    const struct model *model;
    bool nothing_due; /* no Cell, or on hold: leave everything as it is */
    bool wanted;      /* false: everything of ours has to go */
    bool everything;  /* false: look at nothing but subnets of `peers` */
    bool ipv6;
    struct routes_want *wants; /* in no order; of two routes in one place, one counts */
    size_t want_count;
    struct wgkey *peers;
    size_t peer_count;
    struct routes_interface *interfaces; /* whose settings count */
    size_t interface_count;
};

const void *routes_desired(const struct model *model, const struct keys *keys, struct arena *arena);
/* Does the cell have IPv6, on a machine that has it? */
bool routes_has_ipv6(const struct model *model);
/* Is there a tunnel of this link, or one that is left as it is? */
bool routes_link_lives(const struct model_link *link);
/* Does the link have a rule and a table of its own, for peers that leave through it? */
bool routes_is_exit(const struct model_link *link);
/* The peers' interface, those of links, those of the machine. */
struct routes_interface *routes_interfaces(const struct model *model, struct arena *arena,
                                           size_t *retcount);

/* ---- observed (observe.c) ---- */

struct routes_observed {
    bool looked;          /* at least once: before that nothing is known */
    char (*up)[IFNAMSIZ]; /* our own interfaces that are there and up */
    size_t up_count, up_capacity;
    struct sys_rules rules;   /* everybody's, in the kernel's order */
    struct sys_routes routes; /* of our tables, and our own elsewhere; by routes_compare_place() */
    uint64_t tables;          /* bit n: there was something in the table of exit n */
    struct routes_setting *settings; /* those that exist, by name */
    size_t setting_count, setting_capacity;
    bool default4;                /* `main` has a default route of IPv4 */
    char (*advertised)[IFNAMSIZ]; /* where one of IPv6 came by router advertisement */
    size_t advertised_count, advertised_capacity;
};

void *routes_observed_new(void);
void routes_observed_free(void *observed);
int routes_observe(struct sys *sys, const struct model *model, void *observed,
                   struct error **reterr);
void routes_learn(void *observed, const struct plan *plan, size_t from, size_t to);
/* The setting's value; false: there is no such setting. */
bool routes_setting_value(const struct routes_observed *observed, const char *name, long *ret);

/* Is the interface there, ours, up, and has it the family? Then there can be routes by it. */
bool routes_carries(const struct routes_observed *observed, const char *interface, uint8_t family);

/* ---- plan and apply ---- */

/* A setting that is not as it should be (settings.c). */
struct routes_due {
    struct routes_setting setting;
    long before;
    struct routes_owner owner;
    const struct routes_setting *first; /* have to be made before it, or it must not be made */
    size_t first_count;
};

struct routes_dues {
    struct routes_due *list; /* lies in the arena, in no order */
    size_t count, capacity;
    struct arena *arena;
};

void routes_settings_due(const struct routes_desired *desired,
                         const struct routes_observed *observed, struct routes_dues *ret);

/* All that apply() and learn() need of a step. */
struct routes_action {
    bool remove;
    struct routes_object object;
    const struct routes_setting *first; /* as in struct routes_due; lies in the plan */
    size_t first_count;
};

void routes_plan(const void *desired, const void *observed, struct plan *plan);
int routes_apply(struct sys *sys, const struct plan *plan, size_t from, size_t to,
                 struct error **reterr);
void routes_status(const struct model *model, const void *observed, const struct resource *resource,
                   json_t *status);
