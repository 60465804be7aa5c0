#include "controller/status/trace.h"

#include <string.h>

#include "controller/status/conditions.h"
#include "schema/base/mem.h"
#include "schema/types.h"

/* One packet on its way. */
struct trace {
    const struct view *view;
    const struct model *model;
    const struct model_peer *peer;
    const struct peer_spec *spec;
    const struct ip *to;
    json_t *steps;
    const char *verdict;
};

static void say(struct trace *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct trace *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    va_end(args);
    json_array_append_new(t->steps, json_string(text.text));
}

static void end(struct trace *t, bool passes)
{
    t->verdict = passes ? "passes" : "refused";
}

static bool names(const struct list *list, const char *name)
{
    if (list->any)
        return true;
    for (uint32_t i = 0; i < list->count; i++)
        if (strcmp(list_text(list, i), name) == 0)
            return true;
    return false;
}

/* ---- where it may be going ---- */

static void to_cell(struct trace *t)
{
    say(t, "it is the cell's own address: chain input answers ping and DNS");
    if (t->spec->host)
        say(t, "access.host: the ports of firewall.hostAccess are open to it");
    else
        say(t, "everything else is refused: access.host is false");
    end(t, true);
}

static void to_peer(struct trace *t, const struct model_peer *other)
{
    bool may = names(&t->spec->peers, other->resource->name);
    say(t, "rule 86, table %d: dev %s, where %s owns the address", TABLE_OURS,
        t->model->cell.spec->interface, other->resource->id);
    say(t, "chain from_peer: access.peers %s %s", may ? "allows" : "does not allow",
        other->resource->name);
    end(t, may);
}

static void to_link(struct trace *t, const struct model_link *link)
{
    bool may = names(&t->spec->links, link->resource->name);
    say(t, "rule 86, table %d: dev %s, the tunnel to %s", TABLE_OURS, link->interface,
        link->resource->id);
    say(t, "chain peer_to_link: access.links %s %s", may ? "allows" : "does not allow",
        link->resource->name);
    if (may)
        say(t, "the other cell decides what of it is shared with us");
    end(t, may);
}

static void to_lan(struct trace *t)
{
    bool may = t->spec->lan.any || t->spec->lan.count;
    say(t, "chain premark: the local network, mark 0x%08x: direct", (unsigned)MARK_DIRECT);
    say(t, "rule 87, table main: the local network's own interface");
    say(t, "chain peer_to_net: access.lan %s", may ? "allows it" : "is empty");
    end(t, may);
}

static void by_uplink(struct trace *t)
{
    say(t, "chain premark: mark 0x%08x: direct", (unsigned)MARK_DIRECT);
    say(t, "rule 87, table main: the uplink");
    say(t, "chain peer_to_net: internet: true allows it");
    say(t, "chain srcnat: leaves with the uplink's own address");
    end(t, true);
}

static void by_exit(struct trace *t)
{
    const struct model_link *link = t->peer->via;
    say(t, "chain premark: mark 0x%08x: exit %s", link->number << MARK_SHIFT, t->spec->route_via);
    say(t, "rule 88, table %u: dev %s", TABLE_BLOCKED + link->number, link->interface);
    say(t, "chain peer_to_link: mark and interface belong together");
    say(t, "%s sends it out with its own address", t->spec->route_via);
    end(t, true);
}

static void blocked(struct trace *t, enum model_block block)
{
    STRBUF_AUTO why = STRBUF_INIT;
    model_block_text(t->model, t->peer->via, t->spec->route_via, block, &why);
    say(t, "chain premark: mark 0x%08x: blocked, because %s", (unsigned)MARK_BLOCKED, why.text);
    say(t, "rule 89, table %d: no way out; refused in chain forward", TABLE_BLOCKED);
    end(t, false);
}

static void to_internet(struct trace *t)
{
    bool v6 = t->to->family == AF_INET6;
    switch (v6 ? t->peer->way6 : t->peer->way) {
    case WAY_NONE:
        say(t, "chain peer_to_net: internet: false");
        end(t, false);
        return;
    case WAY_DIRECT:
        by_uplink(t);
        return;
    case WAY_EXIT:
        by_exit(t);
        return;
    case WAY_BLOCKED:
        blocked(t, v6 ? t->peer->block6 : t->peer->block);
        return;
    }
}

/* ---- which of them it is ---- */

static bool among(const struct prefix *list, size_t count, const struct ip *ip)
{
    for (size_t i = 0; i < count; i++)
        if (prefix_contains(&list[i], ip))
            return true;
    return false;
}

static const struct model_link *link_to(const struct model *model, const struct ip *ip)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&model->links, &at))) {
        const struct model_link *link = entry->value;
        if (link->off == LINK_ON && among(link->prefixes, link->prefix_count, ip))
            return link;
    }
    return NULL;
}

/* The peer behind which the address lies: the longest prefix wins, as on the device. */
static const struct model_peer *peer_of(const struct model *model, const struct ip *ip)
{
    struct prefix p = {*ip, 0};
    for (unsigned len = ip_bits(ip) + 1; len-- > 0;) {
        p.len = (uint8_t)len;
        struct prefix normal = prefix_normalise(&p);
        const struct model_peer *owner = model_owner(model, &normal);
        if (owner)
            return owner;
    }
    return NULL;
}

static void decide(struct trace *t)
{
    const struct model_cell *cell = &t->model->cell;
    const struct model_peer *other = peer_of(t->model, t->to);
    const struct model_link *link = link_to(t->model, t->to);
    bool in_vpn = prefix_contains(&cell->spec->vpn, t->to) ||
                  (cell->spec->vpn6.ip.family && prefix_contains(&cell->spec->vpn6, t->to));

    if (ip_equal(t->to, &cell->address) || ip_equal(t->to, &cell->address6)) {
        to_cell(t);
    } else if (other) {
        to_peer(t, other);
    } else if (in_vpn) {
        say(t, "no peer has this address");
        end(t, false);
    } else if (link) {
        to_link(t, link);
    } else if (among(t->model->host.lan, t->model->host.lan_count, t->to)) {
        to_lan(t);
    } else {
        to_internet(t);
    }
}

/* What is meant to be and is not (yet). */
static json_t *doubts(const struct trace *t)
{
    json_t *list = json_array();
    char *message = NULL;
    const char *obstacle = conditions_peer_obstacle(t->view, t->peer, &message);
    if (obstacle)
        json_array_append_new(
            list, json_string(message ? message : "its last change is not carried out yet"));
    mem_freep(&message);
    if (!engine_is_converged(t->view->engine))
        json_array_append_new(list, json_string("picd has not converged: see picctl status"));
    return list;
}

json_t *trace_json(const struct view *view, const struct model_peer *peer,
                   const struct ip *destination)
{
    struct trace t = {.view = view,
                      .model = view->model,
                      .peer = peer,
                      .spec = peer->resource->spec,
                      .to = destination,
                      .steps = json_array(),
                      .verdict = "impossible"};
    char to[ADDR_TEXT_MAX];
    const struct ip *from = destination->family == AF_INET6 ? &peer->address6 : &peer->address;
    STRBUF_AUTO leaves = STRBUF_INIT;

    if (peer->off != PEER_ON)
        model_off_reason(view->model, peer, &leaves);
    if (peer->off != PEER_ON)
        say(&t, "the peer is off: %s", leaves.text);
    else if (!from->family)
        say(&t, "the peer has no IPv6 address: write network.vpn6 into the Cell");
    else
        decide(&t);
    strbuf_clear(&leaves);
    model_way_text(view->model, peer, &leaves);
    return json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "peer", peer->resource->name, "to",
                     ip_format(destination, to), "verdict", t.verdict, "leaves", leaves.text,
                     "steps", t.steps, "doubts", doubts(&t));
}
