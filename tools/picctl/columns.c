#include "tools/picctl/columns.h"

#include <string.h>

#include "schema/base/mem.h"
#include "tools/picctl/human.h"
#include "tools/picctl/item.h"

struct row {
    const json_t *item;
    int64_t now;
    bool prefix;
};

struct column {
    const char *title;
    /* Appends the cell's text; nothing: "-". */
    enum tint (*put)(const struct row *row, struct strbuf *out);
    bool wide; /* only with -o wide */
};

static enum tint put_text(const char *text, struct strbuf *out)
{
    if (text)
        strbuf_puts(out, text);
    return TINT_PLAIN;
}

static enum tint put_since(const char *when, const struct row *row, struct strbuf *out)
{
    char buf[HUMAN_MAX];
    return put_text(human_since(when, row->now, buf), out);
}

/* ---- every kind ------------------------------------------------------------------------------ */

static enum tint put_name(const struct row *row, struct strbuf *out)
{
    if (row->prefix)
        strbuf_printf(out, "%s/", json_string_value(json_object_get(row->item, "kind")));
    return put_text(item_name(row->item), out);
}

static enum tint put_ready(const struct row *row, struct strbuf *out)
{
    const json_t *ready = item_condition(row->item, "Ready");
    const char *status = condition_text(ready, "status");
    const char *reason = condition_text(ready, "reason");
    put_text(status, out);
    if (!status || strcmp(status, "True") == 0)
        return status ? TINT_GOOD : TINT_PLAIN;
    if (reason)
        strbuf_printf(out, " (%s)", reason);
    return strcmp(status, "False") == 0 ? TINT_BAD : TINT_DOUBT;
}

static enum tint put_ready_since(const struct row *row, struct strbuf *out)
{
    const json_t *ready = item_condition(row->item, "Ready");
    return put_since(condition_text(ready, "lastTransitionTime"), row, out);
}

static enum tint put_source(const struct row *row, struct strbuf *out)
{
    return put_text(item_status_text(row->item, "source"), out);
}

/* ---- Cell ------------------------------------------------------------------------------------ */

static enum tint put_domain(const struct row *row, struct strbuf *out)
{
    return put_text(item_spec(row->item, "domain"), out);
}

static enum tint put_vpn(const struct row *row, struct strbuf *out)
{
    return put_text(item_spec(row->item, "network.vpn"), out);
}

static enum tint put_vpn6(const struct row *row, struct strbuf *out)
{
    return put_text(item_spec(row->item, "network.vpn6"), out);
}

static enum tint put_interface(const struct row *row, struct strbuf *out)
{
    const char *live = item_status_text(row->item, "interface");
    return put_text(live ? live : item_spec(row->item, "wireguard.interface"), out);
}

static enum tint put_cell_endpoint(const struct row *row, struct strbuf *out)
{
    return put_text(item_spec(row->item, "wireguard.endpoint"), out);
}

/* ---- Peer ------------------------------------------------------------------------------------ */

static enum tint put_live_or_spec(const struct row *row, const char *key, struct strbuf *out)
{
    const char *live = item_status_text(row->item, key);
    return put_text(live ? live : item_spec(row->item, key), out);
}

static enum tint put_address(const struct row *row, struct strbuf *out)
{
    return put_live_or_spec(row, "address", out);
}

static enum tint put_address6(const struct row *row, struct strbuf *out)
{
    return put_live_or_spec(row, "address6", out);
}

static bool on_device(const struct row *row)
{
    return json_is_true(item_status(row->item, "onDevice"));
}

static enum tint put_handshake(const struct row *row, struct strbuf *out)
{
    const char *when = item_status_text(row->item, "lastHandshake");
    if (!when)
        return put_text(on_device(row) ? "never" : NULL, out);
    return put_since(when, row, out);
}

static enum tint put_bytes(const struct row *row, const char *key, struct strbuf *out)
{
    char buf[HUMAN_MAX];
    if (on_device(row))
        human_bytes((uint64_t)json_integer_value(item_status(row->item, key)), buf);
    return put_text(on_device(row) ? buf : NULL, out);
}

static enum tint put_received(const struct row *row, struct strbuf *out)
{
    return put_bytes(row, "rxBytes", out);
}

static enum tint put_sent(const struct row *row, struct strbuf *out)
{
    return put_bytes(row, "txBytes", out);
}

static enum tint put_leaves(const struct row *row, struct strbuf *out)
{
    const char *leaves = item_status_text(row->item, "leaves");
    put_text(leaves, out);
    return leaves && strncmp(leaves, "blocked", 7) == 0 ? TINT_BAD : TINT_PLAIN;
}

static enum tint put_peer_endpoint(const struct row *row, struct strbuf *out)
{
    return put_text(item_status_text(row->item, "endpoint"), out);
}

/* ---- Link ------------------------------------------------------------------------------------ */

static enum tint put_link_vpn(const struct row *row, struct strbuf *out)
{
    return put_text(item_spec(row->item, "vpn"), out);
}

static enum tint put_link_interface(const struct row *row, struct strbuf *out)
{
    return put_text(item_status_text(row->item, "interface"), out);
}

static enum tint put_listen_port(const struct row *row, struct strbuf *out)
{
    const json_t *port = item_status(row->item, "listenPort");
    if (port)
        strbuf_printf(out, "%lld/udp", (long long)json_integer_value(port));
    return TINT_PLAIN;
}

/* Where the tunnel ends now, else where it is written to end. */
static enum tint put_link_endpoint(const struct row *row, struct strbuf *out)
{
    return put_live_or_spec(row, "endpoint", out);
}

static enum tint put_exit(const struct row *row, struct strbuf *out)
{
    const json_t *active = item_condition(row->item, "ExitActive");
    const char *is = condition_text(active, "status");
    put_text(item_status_text(row->item, "exitStatus"), out);
    return is && strcmp(is, "False") == 0 ? TINT_BAD : TINT_PLAIN;
}

static enum tint put_relay(const struct row *row, struct strbuf *out)
{
    return put_text(item_status_text(row->item, "relayStatus"), out);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static const struct column cell_columns[] = {
    {"NAME", put_name, false},
    {"DOMAIN", put_domain, false},
    {"VPN", put_vpn, false},
    {"VPN6", put_vpn6, true},
    {"INTERFACE", put_interface, false},
    {"ENDPOINT", put_cell_endpoint, true},
    {"READY", put_ready, false},
    {"SINCE", put_ready_since, false},
    {"SOURCE", put_source, true},
};

static const struct column peer_columns[] = {
    {"NAME", put_name, false},
    {"ADDRESS", put_address, false},
    {"ADDRESS6", put_address6, true},
    {"READY", put_ready, false},
    {"SINCE", put_ready_since, false},
    {"HANDSHAKE", put_handshake, false},
    {"RX", put_received, false},
    {"TX", put_sent, false},
    {"ENDPOINT", put_peer_endpoint, true},
    {"SOURCE", put_source, true},
    {"LEAVES", put_leaves, false},
};

static const struct column link_columns[] = {
    {"NAME", put_name, false},
    {"VPN", put_link_vpn, false},
    {"READY", put_ready, false},
    {"SINCE", put_ready_since, false},
    {"HANDSHAKE", put_handshake, false},
    {"RX", put_received, false},
    {"TX", put_sent, false},
    {"INTERFACE", put_link_interface, true},
    {"LISTEN", put_listen_port, true},
    {"ENDPOINT", put_link_endpoint, true},
    {"SOURCE", put_source, true},
    {"RELAY", put_relay, true},
    {"EXIT", put_exit, false},
};

static const struct column other_columns[] = {
    {"NAME", put_name, false},
    {"READY", put_ready, false},
    {"SINCE", put_ready_since, false},
    {"SOURCE", put_source, true},
};

static const struct columns_of {
    const char *kind;
    const struct column *list;
    size_t count;
} tables[] = {
    {"Cell", cell_columns, ARRAY_SIZE(cell_columns)},
    {"Peer", peer_columns, ARRAY_SIZE(peer_columns)},
    {"Link", link_columns, ARRAY_SIZE(link_columns)},
    {NULL, other_columns, ARRAY_SIZE(other_columns)}, /* last: every other kind */
};

static const struct columns_of *find_columns(const struct kind *kind)
{
    const struct columns_of *of = tables;
    while (of->kind && !(kind && strcmp(of->kind, kind->name) == 0))
        of++;
    return of;
}

static void add_header(struct table *table, const struct columns_of *of, bool wide)
{
    size_t shown = 0;
    for (size_t c = 0; c < of->count; c++)
        shown += wide || !of->list[c].wide;
    table_init(table, shown);
    for (size_t c = 0; c < of->count; c++)
        if (wide || !of->list[c].wide)
            table_add(table, of->list[c].title, TINT_PLAIN);
}

static void add_row(struct table *table, const struct columns_of *of, bool wide,
                    const struct row *row, struct strbuf *text)
{
    for (size_t c = 0; c < of->count; c++) {
        if (of->list[c].wide && !wide)
            continue;
        strbuf_reset(text);
        enum tint tint = of->list[c].put(row, text);
        table_add(table, text->text, tint);
    }
}

void columns_print(const json_t *const *items, size_t count, const struct columns_options *options,
                   struct strbuf *out)
{
    const struct columns_of *of = find_columns(item_kind(items[0]));
    struct row row = {.now = human_now(), .prefix = options->prefix};
    STRBUF_AUTO text = STRBUF_INIT;
    TABLE_AUTO table;

    add_header(&table, of, options->wide);
    for (size_t i = 0; i < count; i++) {
        row.item = items[i];
        add_row(&table, of, options->wide, &row, &text);
    }
    table_print(&table, options->header, options->colour, out);
}
