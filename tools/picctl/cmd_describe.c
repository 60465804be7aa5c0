#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "tools/picctl/command.h"
#include "tools/picctl/human.h"
#include "tools/picctl/item.h"
#include "tools/picctl/out.h"
#include "tools/picctl/view.h"

enum { LABEL_WIDTH = 16, INDENT = 2 };

struct description {
    const json_t *item;
    int64_t now;
    struct strbuf *out;
};

/* ---- lines ----------------------------------------------------------------------------------- */

static void head(const struct description *d, const char *title)
{
    strbuf_printf(d->out, "\n%s\n", title);
}

/* Control characters come from outside and would be obeyed by a terminal. */
static void put_clean(const char *text, struct strbuf *out)
{
    for (; *text; text++)
        strbuf_putc(out, (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text);
}

static void line(const struct description *d, const char *label, const char *text)
{
    strbuf_printf(d->out, "%*s%-*s ", INDENT, "", LABEL_WIDTH, label);
    put_clean(text, d->out);
    strbuf_putc(d->out, '\n');
}

static const char *status(const struct description *d, const char *key)
{
    return item_status_text(d->item, key);
}

/* ---- what is live, in words ------------------------------------------------------------------ */

static void tell_addresses(const struct description *d)
{
    const char *address = status(d, "address"), *address6 = status(d, "address6");
    if (!address)
        return;
    MEM_AUTO char *both =
        mem_printf("%s%s%s", address, address6 ? ", " : "", address6 ? address6 : "");
    line(d, "address", both);
}

static void tell_device(const struct description *d)
{
    const json_t *on = item_status(d->item, "onDevice");
    if (on)
        line(d, "on the device", json_is_true(on) ? "yes" : "no");
}

static void tell_handshake(const struct description *d)
{
    char since[HUMAN_MAX];
    const char *when = status(d, "lastHandshake"), *endpoint = status(d, "endpoint");
    if (!when && !json_is_true(item_status(d->item, "onDevice")))
        return;
    if (!when) {
        line(d, "last handshake", "never: the device has not connected yet");
        return;
    }
    human_since(when, d->now, since);
    MEM_AUTO char *text =
        mem_printf("%s ago%s%s", since, endpoint ? ", from " : "", endpoint ? endpoint : "");
    line(d, "last handshake", text);
}

static void tell_traffic(const struct description *d)
{
    char rx[HUMAN_MAX], tx[HUMAN_MAX];
    const json_t *received = item_status(d->item, "rxBytes");
    if (!received)
        return;
    human_bytes((uint64_t)json_integer_value(received), rx);
    human_bytes((uint64_t)json_integer_value(item_status(d->item, "txBytes")), tx);
    MEM_AUTO char *text = mem_printf("%s received from it, %s sent to it", rx, tx);
    line(d, "traffic", text);
}

static void tell_interface(const struct description *d)
{
    const char *interface = status(d, "interface");
    const json_t *mtu = item_status(d->item, "mtu");
    if (!interface)
        return;
    MEM_AUTO char *text =
        mem_printf("%s, %s", interface, json_is_true(item_status(d->item, "up")) ? "up" : "down");
    line(d, "interface", text);
    if (mtu) {
        MEM_AUTO char *number = mem_printf("%lld", (long long)json_integer_value(mtu));
        line(d, "mtu", number);
    }
}

static void tell_ports(const struct description *d)
{
    const json_t *ports = item_status(d->item, "portsToForward"), *port;
    STRBUF_AUTO text = STRBUF_INIT;
    for (size_t i = 0; (port = json_array_get(ports, i)); i++)
        strbuf_printf(&text, "%s%s", i ? ", " : "", json_string_value(port));
    if (text.len)
        line(d, "forward", text.text);
}

/* Keys of the status that are told as they are, in this order, by the label of the second column.
 */
static const char *const plain[][2] = {
    {"publicKey", "public key"},         {"leaves", "leaves"},
    {"exitStatus", "its exit"},          {"relayStatus", "exit for it"},
    {"endpointSource", "endpoint from"}, {"exitMark", "mark"},
    {"clientConfigHash", "config hash"},
};

static void tell_plain(const struct description *d)
{
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (status(d, plain[i][0]))
            line(d, plain[i][1], status(d, plain[i][0]));
    const json_t *peers = item_status(d->item, "peersOnDevice");
    if (peers) {
        MEM_AUTO char *number = mem_printf("%lld", (long long)json_integer_value(peers));
        line(d, "peers on it", number);
    }
}

/* ---- the resource ---------------------------------------------------------------------------- */

static void tell_map(const struct description *d, const char *title, const json_t *map)
{
    const char *key;
    json_t *value;
    if (json_object_size(map) == 0)
        return;
    head(d, title);
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
        line(d, key, json_is_string(value) ? json_string_value(value) : "");
}

static void tell_head(const struct description *d)
{
    const json_t *metadata = json_object_get(d->item, "metadata");
    const json_t *generation = json_object_get(metadata, "generation");

    strbuf_printf(d->out, "%s %s\n", json_string_value(json_object_get(d->item, "kind")),
                  item_name(d->item));
    if (status(d, "source"))
        line(d, "manifest", status(d, "source"));
    if (generation) {
        MEM_AUTO char *number = mem_printf("%lld", (long long)json_integer_value(generation));
        line(d, "generation", number);
    }
    tell_map(d, "labels", json_object_get(metadata, "labels"));
    tell_map(d, "annotations", json_object_get(metadata, "annotations"));
}

static void tell_spec(const struct description *d)
{
    const json_t *spec = json_object_get(d->item, "spec");
    head(d, "what the manifest says");
    if (json_object_size(spec))
        emit_yaml_value(spec, INDENT, d->out);
}

static void tell_live(const struct description *d)
{
    static void (*const tells[])(const struct description *) = {
        tell_addresses, tell_device, tell_handshake, tell_traffic,
        tell_interface, tell_plain,  tell_ports,
    };
    STRBUF_AUTO text = STRBUF_INIT;
    struct description below = *d;
    below.out = &text;
    for (size_t i = 0; i < ARRAY_SIZE(tells); i++)
        tells[i](&below);
    if (!text.len)
        return;
    head(d, "what is live");
    strbuf_add(d->out, text.text, text.len);
}

static void tell_condition(const struct description *d, const json_t *condition)
{
    char since[HUMAN_MAX];
    const char *type = condition_text(condition, "type"), *is = condition_text(condition, "status");
    const char *reason = condition_text(condition, "reason");
    const char *message = condition_text(condition, "message");
    const char *when = condition_text(condition, "lastTransitionTime");

    human_since(when, d->now, since);
    MEM_AUTO char *text =
        mem_printf("%s%s%s%s%s%s", is ? is : "?", when ? " for " : "", when ? since : "",
                   reason ? ", " : "", reason ? reason : "", message && *message ? ":" : "");
    line(d, type ? type : "?", text);
    if (message && *message)
        line(d, "", message);
}

static void tell_conditions(const struct description *d)
{
    const json_t *conditions = item_status(d->item, "conditions"), *condition;
    if (json_array_size(conditions) == 0)
        return;
    head(d, "conditions");
    for (size_t i = 0; (condition = json_array_get(conditions, i)); i++)
        tell_condition(d, condition);
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    TARGETS_AUTO targets = {0};
    VIEW_AUTO view = {0};
    STRBUF_AUTO out = STRBUF_INIT;

    (void)options;
    if (targets_read(words, &targets, &error) < 0)
        return out_misused("%s", error->message);
    if (view_load(config, &targets, &view, &error) < 0)
        return out_failed(error);
    view_say(&view);
    for (size_t i = 0; i < json_array_size(view.items); i++) {
        struct description d = {json_array_get(view.items, i), human_now(), &out};
        strbuf_puts(&out, i ? "\n\n" : "");
        tell_head(&d);
        tell_spec(&d);
        tell_live(&d);
        tell_conditions(&d);
    }
    out_text(&out);
    return 0;
}

const struct command cmd_describe = {
    .name = "describe",
    .arguments = "KIND/NAME… | KIND [NAME…] | all",
    .help = "says everything about resources, in words",
    .least = 1,
    .most = WORDS_ANY,
    .run = run,
};
