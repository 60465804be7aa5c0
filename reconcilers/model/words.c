#include "reconcilers/model/model.h"

#include "schema/base/clock.h"

#include "schema/base/error.h"
#include "schema/base/strbuf.h"
#include <string.h>

void model_off_reason(const struct model *model, const struct model_peer *peer, struct strbuf *out)
{
    char when[CLOCK_RFC3339_MAX];
    const struct peer_spec *spec = peer->resource->spec;
    uint64_t rows;

    switch (peer->off) {
    case PEER_ON:
    case PEER_OFF_COUNT:
        return;
    case PEER_DISABLED:
        strbuf_puts(out, "disabled in its manifest");
        return;
    case PEER_EXPIRED:
        strbuf_printf(out, "expired on %s", clock_format_rfc3339(spec->expires, when));
        return;
    case PEER_UNCONFINED:
        strbuf_puts(out, "not on the device: nothing here enforces its restriction yet:");
        rows = model_not_enforced(model, peer->resource);
        for (size_t i = 0; i < peer->resource->kind->field_count; i++)
            if ((rows >> i & 1) && (peer->resource->kind->fields[i].flags & FIELD_CONFINES))
                strbuf_printf(out, " %s", peer->resource->kind->fields[i].path);
        return;
    case PEER_NO_SECRET:
        strbuf_printf(out, "left as it is: presharedKey: %s",
                      peer->off_error ? peer->off_error->message : "cannot be read");
        return;
    case PEER_NO_ADDRESS:
        strbuf_puts(out, "not on the device: network.vpn has no free address; make it larger");
        return;
    }
}

void model_link_off_text(const struct model *model, const struct model_link *link,
                         struct strbuf *out)
{
    char network[ADDR_TEXT_MAX];

    (void)model;
    switch (link->off) {
    case LINK_ON:
    case LINK_OFF_COUNT:
        return;
    case LINK_DISABLED:
        strbuf_puts(out, "disabled in its manifest");
        return;
    case LINK_NO_SECRET:
        strbuf_printf(out, "left as it is: presharedKey: %s",
                      link->off_error ? link->off_error->message : "cannot be read");
        return;
    case LINK_NO_PORT:
        strbuf_puts(out, "no tunnel: wireguard.linkPorts has no free port; make it larger");
        return;
    case LINK_NO_NUMBER:
        strbuf_printf(out, "no tunnel: there are more than %d links", LINKS_MAX);
        return;
    case LINK_COLLIDES:
        strbuf_printf(out,
                      "no tunnel: a prefix of the other cell is, or lies in, %s, a network of this "
                      "machine; one of the two has to change",
                      prefix_format(&link->collision, network));
        return;
    }
}

/* ---- exits ---- */

static void say_link_off(const struct model *model, const struct model_link *link, const char *name,
                         struct strbuf *out)
{
    strbuf_printf(out, "the Link \"%s\" is off: ", name);
    model_link_off_text(model, link, out);
}

static void say_no_document(const struct model_link *link, const char *name, struct strbuf *out)
{
    if (link->document_problem)
        strbuf_printf(out, "what %s says cannot be used: %s", name, link->document_problem);
    else
        strbuf_printf(out, "%s has not answered yet", name);
}

static void say_expired(const struct sync_document *document, const char *name, struct strbuf *out)
{
    char when[CLOCK_RFC3339_MAX];
    strbuf_printf(out, "the offer of %s ran out on %s and was not renewed", name,
                  clock_format_rfc3339(document->received + document->valid_for, when));
}

void model_block_text(const struct model *model, const struct model_link *link, const char *name,
                      enum model_block block, struct strbuf *out)
{
    switch (block) {
    case BLOCK_NONE:
    case BLOCK_COUNT:
        return;
    case BLOCK_NO_LINK:
        strbuf_printf(out, "no Link \"%s\" is defined", name);
        return;
    case BLOCK_LINK_OFF:
        say_link_off(model, link, name, out);
        return;
    case BLOCK_NO_DOCUMENT:
        say_no_document(link, name, out);
        return;
    case BLOCK_NOT_OFFERED:
        strbuf_printf(out, "%s does not offer an exit", name);
        return;
    case BLOCK_EXPIRED:
        say_expired(link->document, name, out);
        return;
    case BLOCK_NOT_READY:
        strbuf_printf(out, "%s reports: %s", name,
                      *link->document->exit.reason ? link->document->exit.reason : "not ready");
        return;
    case BLOCK_NO_IPV6:
        strbuf_printf(out, "%s has no IPv6", name);
        return;
    }
}

void model_way_text(const struct model *model, const struct model_peer *peer, struct strbuf *out)
{
    const struct peer_spec *spec = peer->resource->spec;

    switch (peer->way) {
    case WAY_NONE:
        strbuf_puts(out, "none");
        return;
    case WAY_DIRECT:
        strbuf_puts(out, "direct");
        return;
    case WAY_EXIT:
        strbuf_printf(out, "via %s", spec->route_via);
        if (peer->way6 != WAY_BLOCKED)
            return;
        strbuf_puts(out, "; IPv6 blocked: ");
        model_block_text(model, peer->via, spec->route_via, peer->block6, out);
        return;
    case WAY_BLOCKED:
        strbuf_puts(out, "blocked: ");
        model_block_text(model, peer->via, spec->route_via, peer->block, out);
        return;
    }
}

bool model_relay_ready(const struct model *model, bool *retipv6, struct strbuf *reason)
{
    const struct host *host = &model->host;
    bool uplink = host_has_uplink(host, false);

    *retipv6 = host->ipv6 && host->forwarding6 && host_has_uplink(host, true) && model->cell.spec &&
               model->cell.spec->vpn6.ip.family;
    if (!uplink)
        strbuf_puts(reason, "there is no default route");
    else if (!host->forwarding4)
        strbuf_puts(reason, "net.ipv4.ip_forward is 0");
    return uplink && host->forwarding4;
}
