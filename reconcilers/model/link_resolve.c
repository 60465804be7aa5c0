#include "reconcilers/model/inside.h"

#include <string.h>

#include "reconcilers/model/prefix_list.h"
#include "schema/base/error.h"
#include "schema/base/hash.h"
#include "schema/base/mem.h"
#include "schema/types.h"

static void drop_document(struct model_link *link)
{
    if (link->document)
        document_clear(link->document);
    mem_freep(&link->document);
}

static void drop_secret(struct model_link *link)
{
    error_free(link->off_error);
    link->off_error = NULL;
    if (link->preshared_key)
        wgkey_wipe(link->preshared_key);
    mem_freep(&link->preshared_key);
}

void link_clear(struct model_link *link)
{
    drop_document(link);
    drop_secret(link);
    mem_freep(&link->document_problem);
    mem_freep(&link->prefixes);
    mem_freep(&link->allowed);
}

/* ---- what its manifest and this machine say ---- */

static bool read_secret(const struct update *u, struct model_link *link)
{
    drop_secret(link);
    if (!link->spec->preshared_key)
        return true;
    link->preshared_key = mem_alloc(sizeof(*link->preshared_key));
    if (u->inputs->secret_key(u->inputs->context, link->spec->preshared_key, link->preshared_key,
                              &link->off_error) == 0)
        return true;
    mem_freep(&link->preshared_key);
    return false;
}

static void find_endpoint(const struct update *u, struct model_link *link)
{
    const struct endpoint *endpoint = &link->spec->endpoint;
    link->endpoint = endpoint->ip;
    link->endpoint_port = endpoint->port;
    link->endpoint_unresolved =
        endpoint->host && !endpoint->ip.family &&
        !(u->inputs->resolved &&
          u->inputs->resolved(u->inputs->context, endpoint->host, &link->endpoint));
}

static void find_mtu(const struct update *u, struct model_link *link)
{
    uint32_t path = 0;
    if (link->endpoint.family && u->inputs->path_mtu)
        path = u->inputs->path_mtu(u->inputs->context, &link->endpoint);
    link->mtu = resolve_mtu(link->spec->mtu, path ? path : u->model->host.uplink_mtu);
}

static void take_prefixes(struct model_link *link)
{
    const struct link_spec *spec = link->spec;
    size_t count = 0;

    mem_freep(&link->prefixes);
    link->prefixes = mem_alloc((2 + spec->networks.count) * sizeof(*link->prefixes));
    link->prefixes[count++] = prefix_normalise(&spec->vpn);
    if (spec->vpn6.ip.family)
        link->prefixes[count++] = prefix_normalise(&spec->vpn6);
    for (uint32_t i = 0; i < spec->networks.count; i++)
        link->prefixes[count++] = prefix_normalise(&list_prefixes(&spec->networks)[i]);
    link->prefix_count = prefix_list_sort(link->prefixes, count);
}

static bool collides(const struct model *model, struct model_link *link)
{
    link->collision = (struct prefix){0};
    for (size_t i = 0; i < link->prefix_count; i++) {
        const struct prefix *network = host_collides(&model->host, &link->prefixes[i]);
        if (!network)
            continue;
        link->collision = *network;
        return true;
    }
    return false;
}

static enum model_link_off decide_off(const struct update *u, struct model_link *link)
{
    bool has_secret = read_secret(u, link), is_collision = collides(u->model, link);
    return !link->spec->enabled ? LINK_DISABLED
           : !has_secret        ? LINK_NO_SECRET
           : !link->listen_port ? LINK_NO_PORT
           : !link->number      ? LINK_NO_NUMBER
           : is_collision       ? LINK_COLLIDES
                                : LINK_ON;
}

/* ---- what the other cell says ---- */

static char *contradiction(const char *what, const char *theirs, const char *ours)
{
    return mem_printf("the other cell says %s: %s, the Link says %s; one of them has to change",
                      what, *theirs ? theirs : "none", *ours ? ours : "none");
}

static char *compare_prefix(const char *what, const struct prefix *theirs,
                            const struct prefix *written)
{
    char a[ADDR_TEXT_MAX] = "", b[ADDR_TEXT_MAX] = "";
    struct prefix ours = prefix_normalise(written);
    if (!ours.ip.family || prefix_compare(theirs, &ours) == 0)
        return NULL;
    return contradiction(what, theirs->ip.family ? prefix_format(theirs, a) : a,
                         prefix_format(&ours, b));
}

/* What the document and the Link disagree about, in words; NULL: nothing. A Link that leaves a
 * field out contradicts nothing. */
static char *contradicts(const struct link_spec *spec, const struct sync_document *document)
{
    char theirs[WGKEY_TEXT_LEN + 1], ours[WGKEY_TEXT_LEN + 1];
    if (!wgkey_equal(&document->public_key, &spec->public_key))
        return contradiction("publicKey", wgkey_format(&document->public_key, theirs),
                             wgkey_format(&spec->public_key, ours));
    if (strcmp(document->domain, spec->domain) != 0)
        return contradiction("domain", document->domain, spec->domain);
    char *problem = compare_prefix("vpn", &document->vpn, &spec->vpn);
    return problem ? problem : compare_prefix("vpn6", &document->vpn6, &spec->vpn6);
}

static void read_document(const struct update *u, struct model_link *link)
{
    struct sync_document next = {0};
    ERROR_AUTO error = NULL;
    int result = 1;

    mem_freep(&link->document_problem);
    if (u->inputs->document)
        result = u->inputs->document(u->inputs->context, link->resource->name, &next, &error);
    if (result < 0) { /* the last one that could be read stays */
        link->document_problem = mem_strdup(error->message);
    } else {
        drop_document(link);
        if (result == 0) {
            link->document = mem_alloc(sizeof(next));
            *link->document = next;
        }
    }
    char *problem = link->document ? contradicts(link->spec, link->document) : NULL;
    if (!problem)
        return;
    mem_freep(&link->document_problem);
    link->document_problem = problem;
    drop_document(link);
}

/* ---- allowed IPs ---- */

static const struct prefix everything[] = {
    {.ip = {.family = AF_INET}},
    {.ip = {.family = AF_INET6}},
};

/* How many of the default routes the other cell may send from, and we send to it: IPv4, then IPv6.
 */
static size_t wanted_defaults(const struct model_link *link)
{
    if (!link->users || link->block != BLOCK_NONE)
        return 0;
    return link->exit6 ? 2 : 1;
}

static void set_allowed(struct model_link *link)
{
    size_t defaults = wanted_defaults(link);
    mem_freep(&link->allowed);
    link->allowed_count = link->prefix_count + defaults;
    link->allowed = mem_alloc(link->allowed_count * sizeof(*link->allowed));
    memcpy(link->allowed, link->prefixes, link->prefix_count * sizeof(*link->allowed));
    memcpy(link->allowed + link->prefix_count, everything, defaults * sizeof(*link->allowed));
}

static void changed(const struct update *u, struct model_link *link)
{
    set_allowed(link);
    link->applied &= link->due; /* by something else than its manifest: that is no drift */
    model_mark_link(u, link->interface);
}

void links_settle(const struct update *u)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&u->model->links, &at))) {
        struct model_link *link = entry->value;
        bool as_it_was = link->in_use == (link->users > 0) &&
                         link->allowed_count == link->prefix_count + wanted_defaults(link);
        if (!as_it_was)
            changed(u, link);
        link->in_use = link->users > 0;
        link->due = false;
    }
}

/* ---- all of it ---- */

static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
    return len ? hash_bytes(data, len, hash) : hash;
}

/* Of all that somebody's desired state may follow from. */
static uint64_t fingerprint(const struct model_link *link)
{
    uint64_t hash = link->resource->hash;
    hash = mix(hash, &link->number, sizeof(link->number));
    hash = mix(hash, &link->listen_port, sizeof(link->listen_port));
    hash = mix(hash, &link->off, sizeof(link->off));
    hash = mix(hash, &link->mtu, sizeof(link->mtu));
    hash = mix(hash, &link->endpoint, sizeof(link->endpoint));
    hash = mix(hash, &link->endpoint_port, sizeof(link->endpoint_port));
    hash = mix(hash, link->preshared_key, link->preshared_key ? sizeof(*link->preshared_key) : 0);
    hash = mix(hash, link->prefixes, link->prefix_count * sizeof(*link->prefixes));
    hash = mix(hash, &link->block, sizeof(link->block));
    hash = mix(hash, &link->exit6, sizeof(link->exit6));
    return mix(hash, &link->relays, sizeof(link->relays));
}

/* Tells those who follow: its key, and the peers that are routed via it. */
static void tell(const struct update *u, struct model_link *link, uint64_t before)
{
    if (!link->due && fingerprint(link) == before)
        return;
    changed(u, link);
    exits_decide_all(u, link->resource->name);
}

void link_resolve(const struct update *u, struct model_link *link)
{
    uint64_t before = fingerprint(link);

    take_prefixes(link);
    link->off = decide_off(u, link);
    find_endpoint(u, link);
    find_mtu(u, link);
    read_document(u, link);
    exits_judge(u, link);
    tell(u, link, before);
}

void link_look_at_time(const struct update *u, struct model_link *link)
{
    uint64_t before = fingerprint(link);
    exits_judge(u, link);
    tell(u, link, before);
}
