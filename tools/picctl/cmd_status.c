#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"
#include "schema/kinds/cell.h"
#include "schema/kinds/peer.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/human.h"
#include "tools/picctl/item.h"
#include "tools/picctl/out.h"
#include "tools/picctl/view.h"

enum { LABEL_WIDTH = 10, HANDSHAKE_RECENT = 180 /* seconds; as picd counts it */, DRIFT_SHOWN = 5 };

struct screen {
    json_t *status, *plan;
    struct view cells, peers;
    struct strbuf *out;
    bool wrong;
};

static void line(const struct screen *s, const char *label, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void line(const struct screen *s, const char *label, const char *format, ...)
{
    STRBUF_AUTO text = STRBUF_INIT;
    va_list args;
    va_start(args, format);
    strbuf_vprintf(&text, format, args);
    va_end(args);
    for (char *c = text.text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    strbuf_printf(s->out, "%-*s %s\n", LABEL_WIDTH, label, text.text);
}

static const char *text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* ---- the cell -------------------------------------------------------------------------------- */

static void tell_picd(const struct screen *s)
{
    const json_t *source = json_object_get(s->status, "source");
    const char *version = text_at(s->status, "version"), *mode = text_at(source, "mode");
    line(s, "picd", "%s, %s, watching by %s", version ? version : "?",
         json_is_true(json_object_get(s->status, "ready")) ? "converged" : "not converged yet",
         mode ? mode : "?");
}

static void tell_cell(const struct screen *s)
{
    const json_t *cell = json_array_get(s->cells.items, 0);
    if (!cell) {
        line(s, "cell", "none");
        return;
    }
    const char *domain = item_spec(cell, "domain"), *vpn = item_spec(cell, "network.vpn");
    const char *vpn6 = item_spec(cell, "network.vpn6");
    line(s, "cell", "%s (%s), %s%s%s", item_name(cell), domain ? domain : "?", vpn ? vpn : "?",
         vpn6 ? ", " : "", vpn6 ? vpn6 : "");
    const char *interface = item_status_text(cell, "interface");
    if (interface)
        line(s, "interface", "%s, %s, mtu %lld", interface,
             json_is_true(item_status(cell, "up")) ? "up" : "down",
             (long long)json_integer_value(item_status(cell, "mtu")));
}

static bool is_recent(const json_t *peer, int64_t now)
{
    const char *when = item_status_text(peer, "lastHandshake");
    int64_t then;
    return when && clock_parse_rfc3339(when, &then) == 0 && now - then <= HANDSHAKE_RECENT;
}

static void tell_peers(const struct screen *s)
{
    size_t count = json_array_size(s->peers.items), on = 0, recent = 0;
    int64_t now = human_now();
    for (size_t i = 0; i < count; i++) {
        const json_t *peer = json_array_get(s->peers.items, i);
        on += json_is_true(item_status(peer, "onDevice"));
        recent += is_recent(peer, now);
    }
    line(s, "peers", "%zu in the manifests, %zu on the device, %zu connected in the last 3 minutes",
         count, on, recent);
}

static void tell_ports(const struct screen *s)
{
    const json_t *cell = json_array_get(s->cells.items, 0), *port;
    STRBUF_AUTO text = STRBUF_INIT;
    for (size_t i = 0; (port = json_array_get(item_status(cell, "portsToForward"), i)); i++)
        strbuf_printf(&text, "%s%s", i ? ", " : "", json_string_value(port));
    if (text.len)
        line(s, "forward", "%s, from the router to this machine", text.text);
    if (cell && !item_spec(cell, "wireguard.endpoint"))
        line(s, "endpoint", "none: wireguard.endpoint of the Cell says where devices find it");
}

/* ---- what is to be done ---------------------------------------------------------------------- */

static void tell_plan(const struct screen *s)
{
    const json_t *steps = json_object_get(s->plan, "steps"), *step;
    size_t pending = 0, drift = 0;
    for (size_t i = 0; (step = json_array_get(steps, i)); i++) {
        const char *cause = text_at(step, "cause");
        bool drifted = cause && strcmp(cause, "drift") == 0;
        drift += drifted;
        pending += !drifted;
    }
    if (!pending && !drift)
        line(s, "plan", "nothing to do");
    else
        line(s, "plan", "%zu pending, %zu drifted; `picctl diff` lists them", pending, drift);
}

static void tell_held(const struct screen *s)
{
    long long held = (long long)json_integer_value(json_object_get(s->status, "held"));
    if (held)
        line(s, "held", "%lld removal%s; `picctl prune --confirm` lets %s go", held,
             held == 1 ? "" : "s", held == 1 ? "it" : "them");
}

/* The latest repairs of what somebody else changed; picd lists the newest first. */
static void tell_drift(const struct screen *s)
{
    const json_t *drift = json_object_get(s->status, "drift");
    size_t count = json_array_size(drift);
    int64_t now = human_now();
    for (size_t i = 0; i < count && i < DRIFT_SHOWN; i++) {
        const json_t *entry = json_array_get(drift, i);
        char since[HUMAN_MAX];
        const char *object = text_at(entry, "object"), *verb = text_at(entry, "verb");
        line(s, "repaired", "%s ago: %s %s", human_since(text_at(entry, "time"), now, since),
             verb ? verb : "", object ? object : "?");
    }
}

static void tell_ignored(const struct screen *s)
{
    const json_t *ignored = json_object_get(s->status, "ignored"), *text;
    for (size_t i = 0; (text = json_array_get(ignored, i)); i++)
        line(s, "ignored", "%s", json_string_value(text));
}

/* ---- what is wrong --------------------------------------------------------------------------- */

static void tell_problems(struct screen *s)
{
    const json_t *problems = json_object_get(s->status, "problems"), *problem;
    for (size_t i = 0; (problem = json_array_get(problems, i)); i++) {
        const char *what = text_at(problem, "what"), *where = text_at(problem, "where");
        line(s, "wrong", "%s%s%s%s", what ? what : "?", where ? " (" : "", where ? where : "",
             where ? ")" : "");
        s->wrong = true;
    }
}

static void tell_warnings(const struct screen *s)
{
    const json_t *diags = json_object_get(s->status, "diags"), *d;
    for (size_t i = 0; (d = json_array_get(diags, i)); i++) {
        const char *severity = text_at(d, "severity"), *subject = text_at(d, "subject");
        const char *message = text_at(d, "message"), *file = text_at(d, "file");
        if (severity && strcmp(severity, "warning") == 0)
            line(s, "warning", "%s%s%s (%s:%lld)", subject ? subject : "", subject ? ": " : "",
                 message ? message : "?", file ? file : "?",
                 (long long)json_integer_value(json_object_get(d, "line")));
    }
}

/* ---- the screen ------------------------------------------------------------------------------ */

/* Returns CLIENT_NO_DAEMON when the manifests are all that there is to show. */
static int load(const struct config *config, struct screen *s, struct error **reterr)
{
    struct target cell = {&kind_cell, NULL}, peer = {&kind_peer, NULL};
    struct targets cells = {.list = &cell, .count = 1}, peers = {.list = &peer, .count = 1};
    int watched = client_get(config, "/v1/status", &s->status, reterr), r = watched;
    if (r == 0)
        r = client_get(config, "/v1/plan", &s->plan, reterr);
    if (r >= 0)
        r = view_load(config, &cells, &s->cells, reterr);
    if (r == 0)
        r = view_load(config, &peers, &s->peers, reterr);
    return r == 0 ? watched : r;
}

static void tell(struct screen *s)
{
    s->wrong = !json_is_true(json_object_get(s->status, "ready"));
    tell_picd(s);
    tell_cell(s);
    tell_peers(s);
    tell_ports(s);
    tell_plan(s);
    tell_held(s);
    tell_drift(s);
    tell_ignored(s);
    tell_warnings(s);
    tell_problems(s);
}

static void tell_unwatched(struct screen *s)
{
    s->wrong = true;
    line(s, "picd", "does not run: nothing is watching; `systemctl start picd` starts it");
    tell_cell(s);
    line(s, "peers", "%zu in the manifests", json_array_size(s->peers.items));
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    STRBUF_AUTO out = STRBUF_INIT;
    struct screen screen = {.out = &out};

    (void)options, (void)words;
    int r = load(config, &screen, &error);
    if (r == 0)
        tell(&screen);
    else if (r == CLIENT_NO_DAEMON)
        tell_unwatched(&screen);
    out_text(&out);
    json_decref(screen.status);
    json_decref(screen.plan);
    view_clear(&screen.cells);
    view_clear(&screen.peers);
    if (r < 0)
        return out_failed(error);
    return screen.wrong ? STATUS_FAILED : 0;
}

const struct command cmd_status = {
    .name = "status",
    .arguments = "",
    .help = "shows the whole cell on one screen",
    .more = "The exit status is 1 when something is wrong, or when picd does not run.",
    .run = run,
};
