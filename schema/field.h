/*
 * The table of fields. One row describes a field whole: where it stands in the manifest, its type,
 * bounds and default, which reconciler carries it out, what a change of it disturbs, and its help
 * text. The same row makes the struct member, so that a field cannot be in one place and not in
 * another:
 *
 *     #define THING_FIELDS(F) F(member, "path", TYPE, PRESENCE, default, low, high, … )
 *     struct thing_spec { THING_FIELDS(FIELD_MEMBER) };
 *     enum { THING_FIELDS_ENUM … };                        row index = bit index
 *     const struct field thing_fields[] = { THING_FIELDS(FIELD_ROW) };
 *
 * Rows are data; logic across fields is in the kind's check function.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/addr.h"
#include "schema/base/wgkey.h"

/* Values of list types: the items lie in the resource's arena. */
struct list {
    const void *items;
    uint32_t count;
    bool any; /* the word that stands for "all" or "you decide": ["*"], or `auto` */
};

struct port_proto {
    uint16_t port;
    uint8_t protocol; /* IPPROTO_TCP, IPPROTO_UDP */
};

struct port_range {
    uint16_t first, last;
};

/* Every field type: its name here, the C type of the member. types.c has one row for each. */
#define FIELD_TYPES(T)                                                                             \
    T(BOOL, bool)         /* true or false, nothing else */                                        \
    T(INT, uint32_t)      /* low…high */                                                         \
    T(AUTO_INT, uint32_t) /* 0 stands for auto */                                                  \
    T(PORT, uint16_t)                                                                              \
    T(PERCENT, uint32_t) /* 0–100 */                                                             \
    T(TEXT, const char *)                                                                          \
    T(NAME, const char *) /* the name of a resource */                                             \
    T(INTERFACE, const char *)                                                                     \
    T(DOMAIN, const char *) /* lower case, without the final dot */                                \
    T(PIN, const char *)    /* sha256:<64 hex digits> */                                           \
    T(ENUM, uint32_t)       /* index into the row's words, "a|b|c" */                              \
    T(KEY, struct wgkey)    /* a public WireGuard key */                                           \
    T(SECRET, const char *) /* {file: name}: the name */                                           \
    T(ADDRESS4, struct ip)                                                                         \
    T(ADDRESS6, struct ip)                                                                         \
    T(PREFIX4, struct prefix) /* normalised */                                                     \
    T(PREFIX6, struct prefix)                                                                      \
    T(ENDPOINT, struct endpoint) /* host:port, or host alone: port 0 */                            \
    T(RANGE, struct port_range)                                                                    \
    T(TIME, int64_t)         /* RFC 3339; seconds since 1970 */                                    \
    T(NAMES, struct list)    /* const char * each; any: ["*"] */                                   \
    T(PREFIXES, struct list) /* struct prefix each */                                              \
    T(AUTO_PREFIXES, struct list)                                                                  \
    T(PORTS, struct list)   /* struct port_proto each */                                           \
    T(LISTENS, struct list) /* const char * each: address:port, loopback:port, vpn:port */         \
    T(PINS, struct list)    /* const char * each, as PIN */

#define FIELD_TYPE_ENUM(name, ctype) FIELD_##name,
enum field_type { FIELD_TYPES(FIELD_TYPE_ENUM) FIELD_TYPE_COUNT };
#define FIELD_TYPE_CTYPE(name, ctype) typedef ctype field_ctype_##name;
FIELD_TYPES(FIELD_TYPE_CTYPE)

enum field_presence { OPTIONAL, REQUIRED };

/* What a change of a live field disturbs. */
enum disruption {
    DISRUPTION_NONE,     /* nothing that was there is interrupted */
    DISRUPTION_RELOAD,   /* the object takes the change while it runs */
    DISRUPTION_RESTART,  /* the object is interrupted for a moment */
    DISRUPTION_RECREATE, /* the object is made again: its users notice */
    DISRUPTION_COUNT
};
const char *disruption_name(enum disruption disruption);

/* Who carries a field out. What nobody here carries out yet is reported as NotEnforced, by name. */
enum enforcer {
    BY_PICD, /* picd itself, or picctl: nothing live follows from it */
    BY_WIREGUARD,
    BY_ROUTES,
    BY_FIREWALL,
    BY_CONTAINERS,
    BY_CONFIGS,
    BY_CERTIFICATES,
    BY_PEERSYNC,
    ENFORCER_COUNT
};
const char *enforcer_name(enum enforcer enforcer);

enum field_flags {
    FIELD_PLAIN = 0,
    /* A value other than the default confines its peer: while nobody enforces it, the peer must not
     * be on the device at all. */
    FIELD_CONFINES = 1,
    /* May be taken over from the live system when absent; `picctl apply` writes the chosen value.
     */
    FIELD_GIVEN = 2,
};

struct field {
    const char *path; /* below spec: "network.vpn" */
    enum field_type type;
    enum field_presence presence;
    const char *def;   /* default as text; NULL: none, or said by the kind's functions */
    const char *words; /* ENUM: "a|b|c" */
    int64_t low, high; /* bounds of numbers and of prefix lengths; 0, 0: those of the type */
    enum disruption disruption;
    enum enforcer enforcer;
    enum field_flags flags;
    size_t offset; /* of the member in the spec */
    const char *help;
};

#define FIELD_MEMBER(member, path, type, ...) field_ctype_##type member;

/* enum constants <KIND>_<member>: row index, and bit index in resource.present */
#define FIELD_INDEX(kind, member) kind##_##member

#define FIELD_ROW_OF(spec, member, path_, type_, presence_, def_, words_, low_, high_,             \
                     disruption_, enforcer_, flags_, help_)                                        \
    {.path = path_,                                                                                \
     .type = FIELD_##type_,                                                                        \
     .presence = presence_,                                                                        \
     .def = def_,                                                                                  \
     .words = words_,                                                                              \
     .low = low_,                                                                                  \
     .high = high_,                                                                                \
     .disruption = DISRUPTION_##disruption_,                                                       \
     .enforcer = BY_##enforcer_,                                                                   \
     .flags = flags_,                                                                              \
     .offset = offsetof(struct spec, member),                                                      \
     .help = help_},

enum { FIELDS_MAX = 64 }; /* presence is one 64-bit word */
