#include "reconcilers/model/inside.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* ---- who is routed via whom ---- */

/* The peers whose manifest names a link, whether there is one of that name or not. */
struct routed {
    struct map peers; /* by name → struct model_peer */
    char link[];
};

void exits_enter(struct model *model, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    if (!spec->route_via)
        return;
    struct routed *routed = map_get_text(&model->routed, spec->route_via);
    if (!routed) {
        size_t size = strlen(spec->route_via) + 1;
        routed = mem_alloc(sizeof(*routed) + size);
        memcpy(routed->link, spec->route_via, size);
        map_put_text(&model->routed, routed->link, routed);
    }
    map_put_text(&routed->peers, peer->resource->name, peer);
}

static void routed_free(struct routed *routed)
{
    map_clear(&routed->peers);
    mem_freep(&routed);
}

void exits_leave(struct model *model, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    if (peer->counted)
        peer->counted->users--;
    peer->counted = NULL;
    peer->via = NULL;
    struct routed *routed = spec->route_via ? map_get_text(&model->routed, spec->route_via) : NULL;
    if (!routed)
        return;
    map_remove_text(&routed->peers, peer->resource->name);
    if (routed->peers.count)
        return;
    map_remove_text(&model->routed, routed->link);
    routed_free(routed);
}

void exits_free(struct model *model)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&model->routed, &at)))
        routed_free(entry->value);
    map_clear(&model->routed);
}

/* ---- a peer's way ---- */

struct way {
    enum model_way way, way6;
    enum model_block block, block6;
    const struct model_link *via;
};

static struct way decide(const struct model_peer *peer, const struct model_link *via)
{
    const struct peer_spec *spec = peer->resource->spec;
    if (!spec->internet)
        return (struct way){.way = WAY_NONE, .way6 = WAY_NONE};
    if (!spec->route_via)
        return (struct way){.way = WAY_DIRECT,
                            .way6 = peer->address6.family ? WAY_DIRECT : WAY_NONE};
    struct way way = {.way = WAY_EXIT, .way6 = WAY_NONE, .via = via};
    way.block = via ? via->block : BLOCK_NO_LINK;
    if (way.block != BLOCK_NONE)
        way.way = WAY_BLOCKED;
    if (!peer->address6.family)
        return way;
    way.block6 = way.block != BLOCK_NONE || via->exit6 ? way.block : BLOCK_NO_IPV6;
    way.way6 = way.block6 == BLOCK_NONE ? WAY_EXIT : WAY_BLOCKED;
    return way;
}

static void count(struct model_peer *peer, struct model_link *link)
{
    if (peer->counted == link)
        return;
    if (peer->counted)
        peer->counted->users--;
    if (link)
        link->users++;
    peer->counted = link;
}

static bool is_confined(const struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    return peer->way != WAY_DIRECT || !spec->services.any || !spec->peers.any || !spec->links.any ||
           !spec->lan.any;
}

bool exits_decide(struct model *model, struct model_peer *peer)
{
    const struct peer_spec *spec = peer->resource->spec;
    struct model_link *via = spec->route_via ? map_get_text(&model->links, spec->route_via) : NULL;
    struct way way = decide(peer, via);
    bool same = peer->way == way.way && peer->way6 == way.way6 && peer->block == way.block &&
                peer->block6 == way.block6 && peer->via == way.via;

    peer->way = way.way;
    peer->way6 = way.way6;
    peer->block = way.block;
    peer->block6 = way.block6;
    peer->via = way.via;
    peer->confined = is_confined(peer);
    count(peer, peer->off == PEER_ON ? via : NULL);
    return !same;
}

void exits_decide_all(const struct update *u, const char *link)
{
    const struct routed *routed = map_get_text(&u->model->routed, link);
    size_t at = 0;
    struct map_entry *entry;
    while (routed && (entry = map_next(&routed->peers, &at))) {
        struct model_peer *peer = entry->value;
        if (exits_decide(u->model, peer))
            model_peer_changed(u, peer);
    }
}

/* ---- a link as an exit, and its other cell as our user ---- */

/* A clock that cannot be believed lets nothing run out. */
static bool is_in_time(const struct update *u, const struct sync_document *document)
{
    int64_t end = document->received + document->valid_for;
    resolve_note_time(u, end);
    return !u->inputs->clock_trusted || u->inputs->now < end;
}

static enum model_block decide_block(const struct model_link *link, bool in_time)
{
    if (link->off != LINK_ON)
        return BLOCK_LINK_OFF;
    if (!link->document)
        return BLOCK_NO_DOCUMENT;
    if (!link->document->exit.offered)
        return BLOCK_NOT_OFFERED;
    if (!in_time)
        return BLOCK_EXPIRED;
    return link->document->exit.ready ? BLOCK_NONE : BLOCK_NOT_READY;
}

void exits_judge(const struct update *u, struct model_link *link)
{
    const struct sync_document *document = link->document;
    bool in_time = document && is_in_time(u, document);

    link->block = decide_block(link, in_time);
    link->exit6 = document && document->exit.ipv6;
    link->relays =
        link->spec->exit_offer && link->off == LINK_ON && in_time && document->use_as_exit_relay;
}
