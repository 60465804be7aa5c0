/*
 * Chains of others that drop what we let through: samples of the traffic that we are here for are
 * tried on them.
 */
#include "reconcilers/firewall/firewall.h"

#include <netinet/in.h>

#include "reconcilers/firewall/foreign.h"
#include "schema/base/hash.h"
#include "schema/base/mem.h"

/* Of each family one that is on the internet, whatever else is near. */
static const char *const internet[] = {"9.9.9.9", "2620:fe::9"};

struct samples {
    const struct model *model;
    struct arena arena;
    struct foreign_packet *list;
    size_t count, capacity;
};

static struct foreign_packet *add(struct samples *s, enum nft_hook hook, const char *in,
                                  const char *harm)
{
    s->list = mem_grow(s->list, s->count, &s->capacity, sizeof(*s->list));
    struct foreign_packet *packet = &s->list[s->count++];
    *packet = (struct foreign_packet){.hook = hook, .in = in, .harm = harm};
    return packet;
}

/* To the internet by every uplink of either family. */
static void add_outward(struct samples *s, const char *in, const char *harm)
{
    const struct host *host = &s->model->host;
    for (size_t i = 0; i < host->interface_count; i++) {
        const struct host_interface *at = &host->interfaces[i];
        for (size_t ipv6 = 0; ipv6 < ARRAY_SIZE(internet); ipv6++) {
            if (!(ipv6 ? at->uplink6 : at->uplink4))
                continue;
            struct foreign_packet *packet = add(s, NFT_HOOK_FORWARD, in, harm);
            packet->out = at->name;
            packet->mark = MARK_ACCEPTED | MARK_DIRECT;
            ip_parse(internet[ipv6], &packet->destination);
        }
    }
}

/* WireGuard's packets to us, by every uplink: the address is any of ours. */
static void add_inward(struct samples *s, uint16_t port, const char *harm)
{
    const struct host *host = &s->model->host;
    for (size_t i = 0; i < host->interface_count; i++) {
        const struct host_interface *at = &host->interfaces[i];
        if (!at->uplink4 && !at->uplink6)
            continue;
        struct foreign_packet *packet = add(s, NFT_HOOK_INPUT, at->name, harm);
        packet->destination.family = at->uplink4 ? AF_INET : AF_INET6;
        packet->protocol = IPPROTO_UDP;
        packet->port = port;
    }
}

static void add_link(struct samples *s, const struct model_link *link)
{
    const struct model_cell *cell = &s->model->cell;
    const char *name = link->resource->name;
    struct foreign_packet *packet;

    packet = add(s, NFT_HOOK_FORWARD, cell->spec->interface,
                 arena_printf(&s->arena, "peers cannot reach the cell of link %s", name));
    packet->out = link->interface;
    packet->mark = MARK_ACCEPTED | MARK_DIRECT;
    packet->destination = link_address(link->spec);
    packet = add(s, NFT_HOOK_INPUT, link->interface,
                 arena_printf(&s->arena, "the cell of link %s cannot tell us anything", name));
    packet->source = link_address(link->spec);
    packet->destination = cell->address;
    packet->protocol = IPPROTO_TCP;
    packet->port = cell->spec->peer_sync_port;
    add_inward(s, link->listen_port,
               arena_printf(&s->arena, "the cell of link %s cannot reach us", name));
    if (link->relays)
        add_outward(s, link->interface,
                    arena_printf(&s->arena, "link %s cannot use us as its exit", name));
}

static void make_samples(struct samples *s)
{
    const struct cell_spec *cell = s->model->cell.spec;
    size_t count;

    arena_init(&s->arena, 1024);
    if (!s->model->cell.resource)
        return;
    add_outward(s, cell->interface, "peers cannot reach the internet");
    add_inward(s, cell->listen_port, "WireGuard cannot be reached");
    MEM_AUTO const struct model_link **links = model_links(s->model, &count);
    for (size_t i = 0; i < count; i++)
        if (fw_has_tunnel(links[i]))
            add_link(s, links[i]);
}

static void samples_clear(struct samples *s)
{
    mem_freep(&s->list);
    arena_clear(&s->arena);
}

uint64_t fw_problems_samples(const struct model *model)
{
    struct samples s = {.model = model};
    uint64_t hash = 0;

    make_samples(&s);
    for (size_t i = 0; i < s.count; i++) {
        const struct foreign_packet *packet = &s.list[i];
        hash = hash_text(packet->in, hash);
        hash = hash_text(packet->out ? packet->out : "", hash);
        hash = hash_text(packet->harm, hash);
        hash = hash_bytes(&packet->destination, sizeof(packet->destination), hash);
        hash = hash_bytes(&packet->port, sizeof(packet->port), hash);
    }
    samples_clear(&s);
    return hash;
}

static void found(const struct foreign_finding *finding, void *context)
{
    struct strbuf *problems = context;
    foreign_say(finding, problems);
    strbuf_putc(problems, '\n');
}

void fw_problems_look(const struct nft_ruleset *all, const struct model *model, struct strbuf *ret)
{
    struct samples s = {.model = model};
    make_samples(&s);
    foreign_find(all, s.list, s.count, found, ret);
    samples_clear(&s);
}
