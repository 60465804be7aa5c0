#include <stdio.h>
#include <string.h>

#include "reconcilers/model/model.h"
#include "reconcilers/model/prefix_list.h"
#include "schema/types.h"

enum { VALID_FOR = 7 * 24 * 3600 }; /* seconds */

static void set_text(char *buf, size_t size, const char *text)
{
    snprintf(buf, size, "%s", text ? text : "");
}

static void set_endpoint(const struct endpoint *endpoint, uint16_t port,
                         struct sync_document *document)
{
    char address[ADDR_TEXT_MAX];
    if (!endpoint->host)
        return;
    if (endpoint->ip.family)
        set_text(document->endpoint, sizeof(document->endpoint),
                 ip_port_format(&endpoint->ip, port, address));
    else
        snprintf(document->endpoint, sizeof(document->endpoint), "%s:%u", endpoint->host, port);
}

static void set_exit(const struct model *model, const struct model_link *link,
                     struct sync_document *document)
{
    STRBUF_AUTO reason = STRBUF_INIT;
    bool ipv6 = false;

    document->exit.offered = link->spec->exit_offer;
    if (!document->exit.offered)
        return;
    document->exit.ready = model_relay_ready(model, &ipv6, &reason);
    document->exit.ipv6 = document->exit.ready && ipv6 && link->spec->vpn6.ip.family;
    set_text(document->exit.reason, sizeof(document->exit.reason), reason.text);
}

void document_make(const struct model *model, const struct model_link *link,
                   struct sync_document *ret)
{
    const struct cell_spec *cell = model->cell.spec;
    const struct list *networks = &link->spec->share_networks;

    *ret = (struct sync_document){
        .public_key = model->cell.public_key,
        .valid_for = VALID_FOR,
        .vpn = cell->vpn,
        .vpn6 = cell->vpn6,
        .dns = model->cell.address,
        .networks = prefix_list_copy(list_prefixes(networks), networks->count),
        .network_count = networks->count,
        .use_as_exit_relay = link->users > 0,
    };
    set_text(ret->cell, sizeof(ret->cell), model->cell.resource->name);
    set_text(ret->domain, sizeof(ret->domain), cell->domain);
    const struct endpoint *advertise = &link->spec->advertise;
    if (advertise->host)
        set_endpoint(advertise, advertise->port ? advertise->port : link->listen_port, ret);
    else
        set_endpoint(&cell->endpoint, link->listen_port, ret);
    set_exit(model, link, ret);
}
