#include "schema/types.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/resource.h"

/* Every default of every row is one that a person could have written. */
Test(types, defaults_are_right)
{
    for (size_t k = 0; k < kind_count; k++) {
        for (size_t i = 0; i < kinds[k]->field_count; i++) {
            const struct field *field = &kinds[k]->fields[i];
            const struct type *type = type_of(field->type);
            struct arena arena;
            const char *why = NULL;
            arena_init(&arena, 256);
            void *value = arena_alloc(&arena, type->size);
            bool word =
                field->def && (!*field->def || (type->any && !strcmp(type->any, field->def)));
            if (field->def && !word)
                cr_expect_eq(type->parse(field, field->def, value, &arena, &why), 0, "%s: %s",
                             field->path, why);
            cr_expect(field->help && *field->help, "%s has help", field->path);
            cr_expect(!(field->presence == REQUIRED && field->def), "%s", field->path);
            arena_clear(&arena);
        }
    }
}

static const struct field number = {.path = "n", .low = 1280, .high = 9000};
static const struct field word = {.path = "w", .words = "auto|kernel|userspace"};
static const struct field vpn = {.path = "v", .low = 8, .high = 29};

static const struct {
    enum field_type type;
    const struct field *field;
    const char *text, *formatted; /* NULL: refused */
} values[] = {
    {FIELD_BOOL, &number, "true", "true"},
    {FIELD_BOOL, &number, "True", NULL},
    {FIELD_BOOL, &number, "yes", NULL},
    {FIELD_INT, &number, "1280", "1280"},
    {FIELD_INT, &number, "1279", NULL},
    {FIELD_INT, &number, "09000", NULL},
    {FIELD_INT, &number, "0x500", NULL},
    {FIELD_INT, &number, "-1", NULL},
    {FIELD_INT, &number, "99999999999999999999", NULL},
    {FIELD_AUTO_INT, &number, "auto", "auto"},
    {FIELD_PORT, &number, "0", NULL},
    {FIELD_PORT, &number, "65535", "65535"},
    {FIELD_PORT, &number, "65536", NULL},
    {FIELD_PERCENT, &number, "50%", "50%"},
    {FIELD_PERCENT, &number, "101%", NULL},
    {FIELD_PERCENT, &number, "50", NULL},
    {FIELD_ENUM, &word, "kernel", "kernel"},
    {FIELD_ENUM, &word, "kern", NULL},
    {FIELD_ENUM, &word, "auto|kernel", NULL},
    {FIELD_INTERFACE, &number, "pic0", "pic0"},
    {FIELD_INTERFACE, &number, "sixteencharacter", NULL},
    {FIELD_INTERFACE, &number, "a/b", NULL},
    {FIELD_INTERFACE, &number, "..", NULL},
    {FIELD_DOMAIN, &number, "alpha.cell", "alpha.cell"},
    {FIELD_DOMAIN, &number, "Alpha.cell", NULL},
    {FIELD_DOMAIN, &number, "a..b", NULL},
    {FIELD_DOMAIN, &number, "-a.b", NULL},
    {FIELD_DOMAIN, &number, "a.b.", NULL},
    {FIELD_ADDRESS4, &number, "10.10.0.34", "10.10.0.34"},
    {FIELD_ADDRESS4, &number, "010.10.0.34", NULL},
    {FIELD_ADDRESS4, &number, "10.10.0.34/32", NULL},
    {FIELD_ADDRESS4, &number, "fd00::1", NULL},
    {FIELD_ADDRESS6, &number, "fd00:0::1", "fd00::1"},
    {FIELD_PREFIX4, &vpn, "10.10.0.0/24", "10.10.0.0/24"},
    {FIELD_PREFIX4, &vpn, "10.10.0.0", NULL},
    {FIELD_PREFIX4, &vpn, "10.0.0.0/7", NULL},
    {FIELD_PREFIX4, &vpn, "192.0.2.0/24", NULL},
    {FIELD_PREFIXES, &number, "10.0.0.5", "10.0.0.5/32"},
    {FIELD_PREFIXES, &number, "fd00::5", "fd00::5/128"},
    {FIELD_PREFIXES, &number, "010.013.047.0/24", NULL},
    {FIELD_ENDPOINT, &number, "host.example:51820", "host.example:51820"},
    {FIELD_ENDPOINT, &number, "host.example", "host.example"},
    {FIELD_ENDPOINT, &number, "198.51.100.7", "198.51.100.7"},
    {FIELD_ENDPOINT, &number, "[2001:db8::1]:51820", "[2001:db8::1]:51820"},
    {FIELD_ENDPOINT, &number, "2001:db8::1", "2001:db8::1"},
    {FIELD_ENDPOINT, &number, "host:0", NULL},
    {FIELD_ENDPOINT, &number, "host:70000", NULL},
    {FIELD_ENDPOINT, &number, "198.51.100.300", NULL},
    {FIELD_RANGE, &number, "51821-51899", "51821-51899"},
    {FIELD_RANGE, &number, "2-1", NULL},
    {FIELD_TIME, &number, "2027-01-31T18:00:00Z", "2027-01-31T18:00:00Z"},
    {FIELD_TIME, &number, "2027-02-30T18:00:00Z", NULL},
    {FIELD_PORTS, &number, "22/tcp", "22/tcp"},
    {FIELD_PORTS, &number, "22", NULL},
    {FIELD_LISTENS, &number, "loopback:3000", "loopback:3000"},
    {FIELD_LISTENS, &number, "[::1]:3000", "[::1]:3000"},
    {FIELD_LISTENS, &number, "anywhere:3000", NULL},
    {FIELD_SECRET, &number, "phone.psk", "phone.psk"},
    {FIELD_SECRET, &number, "../x", NULL},
    {FIELD_SECRET, &number, "/etc/shadow", NULL},
    {FIELD_NAMES, &number, "calendar", "calendar"},
    {FIELD_NAMES, &number, "Calendar", NULL},
    {FIELD_KEY, &number, "iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ=",
     "iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ="},
    {FIELD_KEY, &number, "iZMxOm5s3Sv/Rcqsl2uqwzjQQpA1yes8AilUiJBGXQQ", NULL},
    {FIELD_KEY, &number, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL},
};

Test(types, values)
{
    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct field field = *values[i].field;
        field.type = values[i].type;
        const struct type *type = type_of(field.type);
        struct arena arena;
        struct strbuf text = STRBUF_INIT;
        const char *why = NULL;
        arena_init(&arena, 256);
        void *value = arena_alloc(&arena, type->size);
        int result = type->parse(&field, values[i].text, value, &arena, &why);
        if (result >= 0)
            type->format(&field, value, &text);
        cr_expect_eq(result >= 0, values[i].formatted != NULL, "%s: %s", type->name,
                     values[i].text);
        if (values[i].formatted && result >= 0)
            cr_expect_str_eq(text.text, values[i].formatted);
        if (result < 0)
            cr_expect(why && *why, "%s: says what would be right", values[i].text);
        strbuf_clear(&text);
        arena_clear(&arena);
    }
}
