#include "reconcilers/model/document.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "schema/base/mem.h"

enum { DOCUMENT_NETWORKS_MAX = 256 };

static const char api_version[] = "pic.peersync/v1";

/* ---- values, one pair of functions a type ---- */

struct row {
    const char *section; /* the object that the field lies in; NULL: the document itself */
    const char *name;
    const struct row_type *type;
    bool required; /* else it may be absent or null: then it stays zero */
    size_t offset, size;
};

struct row_type {
    const char *name; /* for people */
    bool (*read)(const json_t *json, const struct row *row, struct sync_document *document);
    json_t *(*write)(const struct row *row, const struct sync_document *document);
};

static void *at(const struct row *row, struct sync_document *document)
{
    return (char *)document + row->offset;
}

static const void *at_const(const struct row *row, const struct sync_document *document)
{
    return (const char *)document + row->offset;
}

/* It is shown on terminals: nothing that steers one (C0, DEL, and C1 in UTF-8). */
static bool is_printable(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (*c < 0x20 || *c == 0x7f || (c[0] == 0xc2 && c[1] < 0xa0))
            return false;
    return true;
}

static bool read_text(const json_t *json, const struct row *row, struct sync_document *document)
{
    const char *text = json_string_value(json);
    if (!text || strlen(text) >= row->size || !is_printable(text))
        return false;
    memcpy(at(row, document), text, strlen(text) + 1);
    return true;
}

static json_t *write_text(const struct row *row, const struct sync_document *document)
{
    return json_string(at_const(row, document));
}

static bool read_bool(const json_t *json, const struct row *row, struct sync_document *document)
{
    *(bool *)at(row, document) = json_is_true(json);
    return json_is_boolean(json);
}

static json_t *write_bool(const struct row *row, const struct sync_document *document)
{
    return json_boolean(*(const bool *)at_const(row, document));
}

static bool read_number(const json_t *json, const struct row *row, struct sync_document *document)
{
    json_int_t value = json_integer_value(json);
    uint32_t small = (uint32_t)value;
    uint64_t large = (uint64_t)value;
    if (!json_is_integer(json) || value < 0 || (row->size == sizeof(small) && large > UINT32_MAX))
        return false;
    memcpy(at(row, document), row->size == sizeof(small) ? (void *)&small : (void *)&large,
           row->size);
    return true;
}

static json_t *write_number(const struct row *row, const struct sync_document *document)
{
    uint32_t small;
    uint64_t large;
    memcpy(row->size == sizeof(small) ? (void *)&small : (void *)&large, at_const(row, document),
           row->size);
    return json_integer((json_int_t)(row->size == sizeof(small) ? small : large));
}

static bool read_key(const json_t *json, const struct row *row, struct sync_document *document)
{
    const char *text = json_string_value(json);
    return text && wgkey_parse(text, at(row, document)) == 0;
}

static json_t *write_key(const struct row *row, const struct sync_document *document)
{
    char text[WGKEY_TEXT_LEN + 1];
    return json_string(wgkey_format(at_const(row, document), text));
}

static bool read_one_prefix(const json_t *json, struct prefix *ret)
{
    const char *text = json_string_value(json);
    if (!text || prefix_parse(text, ret) < 0)
        return false;
    *ret = prefix_normalise(ret);
    return true;
}

static json_t *write_one_prefix(const struct prefix *prefix)
{
    char text[ADDR_TEXT_MAX];
    return prefix->ip.family ? json_string(prefix_format(prefix, text)) : json_null();
}

static bool read_prefix4(const json_t *json, const struct row *row, struct sync_document *document)
{
    struct prefix *prefix = at(row, document);
    return read_one_prefix(json, prefix) && prefix->ip.family == AF_INET;
}

static bool read_prefix6(const json_t *json, const struct row *row, struct sync_document *document)
{
    struct prefix *prefix = at(row, document);
    return read_one_prefix(json, prefix) && prefix->ip.family == AF_INET6;
}

static json_t *write_prefix(const struct row *row, const struct sync_document *document)
{
    return write_one_prefix(at_const(row, document));
}

static bool read_networks(const json_t *json, const struct row *row, struct sync_document *document)
{
    size_t count = json_array_size(json);
    (void)row;
    if (!json_is_array(json) || count > DOCUMENT_NETWORKS_MAX)
        return false;
    document->networks = count ? mem_alloc(count * sizeof(*document->networks)) : NULL;
    document->network_count = count;
    for (size_t i = 0; i < count; i++)
        if (!read_one_prefix(json_array_get(json, i), &document->networks[i]))
            return false;
    return true;
}

static json_t *write_networks(const struct row *row, const struct sync_document *document)
{
    json_t *list = json_array();
    (void)row;
    for (size_t i = 0; i < document->network_count; i++)
        json_array_append_new(list, write_one_prefix(&document->networks[i]));
    return list;
}

static bool read_address(const json_t *json, const struct row *row, struct sync_document *document)
{
    const char *text = json_string_value(json);
    return text && ip_parse(text, at(row, document)) == 0;
}

static json_t *write_address(const struct row *row, const struct sync_document *document)
{
    char text[ADDR_TEXT_MAX];
    const struct ip *ip = at_const(row, document);
    return ip->family ? json_string(ip_format(ip, text)) : json_null();
}

static const struct row_type text = {"a short text", read_text, write_text};
static const struct row_type boolean = {"true or false", read_bool, write_bool};
static const struct row_type number = {"a number, 0 or more", read_number, write_number};
static const struct row_type key = {"a WireGuard key", read_key, write_key};
static const struct row_type prefix4 = {"an IPv4 prefix", read_prefix4, write_prefix};
static const struct row_type prefix6 = {"an IPv6 prefix", read_prefix6, write_prefix};
static const struct row_type networks = {"at most 256 prefixes", read_networks, write_networks};
static const struct row_type address = {"an address", read_address, write_address};

/* ---- the fields ---- */

#define AT(member)                                                                                 \
    offsetof(struct sync_document, member), sizeof(((struct sync_document *)NULL)->member)

static const struct row rows[] = {
    {NULL, "cell", &text, true, AT(cell)},
    {NULL, "domain", &text, true, AT(domain)},
    {NULL, "publicKey", &key, true, AT(public_key)},
    {NULL, "generation", &number, true, AT(generation)},
    {NULL, "bootId", &text, true, AT(boot_id)},
    {NULL, "validFor", &number, true, AT(valid_for)},
    {NULL, "vpn", &prefix4, true, AT(vpn)},
    {NULL, "vpn6", &prefix6, false, AT(vpn6)},
    {NULL, "networks", &networks, false, AT(networks)},
    {NULL, "dns", &address, false, AT(dns)},
    {NULL, "endpoint", &text, false, AT(endpoint)},
    {NULL, "observed", &text, false, AT(observed)},
    {"exit", "offered", &boolean, false, AT(exit.offered)},
    {"exit", "ready", &boolean, false, AT(exit.ready)},
    {"exit", "ipv6", &boolean, false, AT(exit.ipv6)},
    {"exit", "reason", &text, false, AT(exit.reason)},
    {NULL, "use_as_exit_relay", &boolean, false, AT(use_as_exit_relay)},
};

void document_clear(struct sync_document *document)
{
    mem_freep(&document->networks);
    *document = (struct sync_document){0};
}

static int read_row(const json_t *root, const struct row *row, struct sync_document *document,
                    struct error **reterr)
{
    const json_t *object = row->section ? json_object_get(root, row->section) : root;
    const json_t *value = json_object_get(object, row->name);
    const char *section = row->section ? row->section : "", *dot = row->section ? "." : "";

    if (object && !json_is_null(object) && !json_is_object(object))
        return error_make(reterr, EBADMSG, "\"%s\" is not an object", section);
    if ((!value || json_is_null(value)) && !row->required)
        return 0;
    if (value && row->type->read(value, row, document))
        return 0;
    return error_make(reterr, EBADMSG, "\"%s%s%s\" is not %s", section, dot, row->name,
                      row->type->name);
}

static int read_root(const json_t *root, struct sync_document *document, struct error **reterr)
{
    const char *version = json_string_value(json_object_get(root, "apiVersion"));
    if (!version || strcmp(version, api_version) != 0)
        return error_make(reterr, EBADMSG, "\"apiVersion\" is not \"%s\"", api_version);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int result = read_row(root, &rows[i], document, reterr);
        if (result < 0)
            return result;
    }
    return 0;
}

int document_parse(const char *data, size_t len, struct sync_document *ret, struct error **reterr)
{
    struct sync_document document = {0};
    json_error_t json_error;

    if (len > DOCUMENT_MAX)
        return error_make(reterr, EFBIG, "the document is larger than %d bytes", DOCUMENT_MAX);
    json_t *root = json_loadb(data, len, JSON_REJECT_DUPLICATES, &json_error);
    if (!root)
        return error_make(reterr, EBADMSG, "the document is not JSON, at line %d, column %d",
                          json_error.line, json_error.column);
    int result = read_root(root, &document, reterr);
    json_decref(root);
    if (result < 0) {
        document_clear(&document);
        return result;
    }
    *ret = document;
    return 0;
}

void document_print(const struct sync_document *document, struct strbuf *out)
{
    json_t *root = json_object();

    json_object_set_new(root, "apiVersion", json_string(api_version));
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct row *row = &rows[i];
        if (row->section && !json_object_get(root, row->section))
            json_object_set_new(root, row->section, json_object());
        json_object_set_new(row->section ? json_object_get(root, row->section) : root, row->name,
                            row->type->write(row, document));
    }
    MEM_AUTO char *printed = json_dumps(root, JSON_INDENT(2));
    json_decref(root);
    strbuf_puts(out, printed);
    strbuf_putc(out, '\n');
}
