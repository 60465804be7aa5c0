#include "tests/harness/house.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/model/document.h"
#include "schema/base/mem.h"
#include "schema/types.h"

enum { NOW = 1800000000 };

struct house *house_new(struct sys *sys, const struct reconciler *reconciler)
{
    struct house *h = mem_alloc(sizeof(*h));
    h->sys = sys;
    h->reconciler = reconciler;
    h->observed = reconciler->observed_new();
    h->model = model_new(UINT64_MAX);
    h->host.forwarding4 = h->host.forwarding6 = h->host.ipv6 = true;
    return h;
}

static void forget_dirty(struct house *h)
{
    for (size_t i = 0; i < h->dirty_count; i++)
        free(h->dirty[i]);
    h->dirty_count = 0;
}

void house_free(struct house *h)
{
    const struct map_entry *entry;
    size_t at = 0;
    h->reconciler->observed_free(h->observed);
    model_free(h->model);
    manifest_free(h->manifest);
    host_clear(&h->host);
    while ((entry = map_next(&h->documents, &at)))
        free(entry->value);
    map_clear(&h->documents);
    forget_dirty(h);
    free(h->dirty);
    free(h);
}

/* ---- what is not in the manifests ---- */

static void add_networks(const char *text, struct prefix **list, size_t *count)
{
    MEM_AUTO char *copy = mem_strdup(text ? text : "");
    char *rest = copy, *word;
    while ((word = strsep(&rest, ", "))) {
        if (!*word)
            continue;
        *list = mem_resize(*list, (*count + 1) * sizeof(**list));
        cr_assert_eq(prefix_parse(word, &(*list)[(*count)++]), 0, "%s", word);
    }
}

void house_interface(struct house *h, const char *name, bool uplink, const char *lan,
                     const char *near)
{
    struct host_interface *at = &h->host.interfaces[h->host.interface_count++];
    *at = (struct host_interface){.uplink4 = uplink, .uplink6 = uplink, .lan = lan};
    memcpy(at->name, name, strlen(name) + 1);
    add_networks(lan, &h->host.lan, &h->host.lan_count);
    add_networks(near, &h->host.near, &h->host.near_count);
}

static bool remembers(void *context, const char *name, const struct wgkey *key, struct ip *ret)
{
    (void)context, (void)name, (void)key, (void)ret;
    return false;
}

static int secret_key(void *context, const char *file, struct wgkey *ret, struct error **reterr)
{
    (void)context, (void)ret;
    return error_make(reterr, ENOENT, "no file \"%s\"", file);
}

static int document(void *context, const char *link, struct sync_document *ret,
                    struct error **reterr)
{
    const struct house *h = context;
    const struct sync_document *found = map_get_text(&h->documents, link);
    (void)reterr;
    if (!found)
        return 1;
    *ret = *found;
    return 0;
}

static void mark(void *context, const char *key)
{
    struct house *h = context;
    h->dirty = mem_grow(h->dirty, h->dirty_count, &h->dirty_capacity, sizeof(*h->dirty));
    h->dirty[h->dirty_count++] = mem_strdup(key);
}

static struct model_inputs inputs(struct house *h)
{
    return (struct model_inputs){.now = NOW,
                                 .clock_trusted = true,
                                 .host = &h->host,
                                 .cell_id = "0123456789abcdef0123456789abcdef",
                                 .private_key = {{1}},
                                 .remembered = remembers,
                                 .secret_key = secret_key,
                                 .document = document,
                                 .context = h};
}

void house_hears(struct house *h, const char *link, bool offers, bool ipv6, bool asks)
{
    const struct model_link *model_link = model_link_by_name(h->model, link);
    cr_assert(model_link, "%s", link);
    struct sync_document *said = map_get_text(&h->documents, link);
    bool first = !said;
    if (first)
        said = mem_alloc(sizeof(*said));
    *said = (struct sync_document){.public_key = model_link->spec->public_key,
                                   .valid_for = 3600,
                                   .vpn = model_link->spec->vpn,
                                   .vpn6 = model_link->spec->vpn6,
                                   .exit = {.offered = offers, .ready = offers, .ipv6 = ipv6},
                                   .use_as_exit_relay = asks,
                                   .received = NOW};
    memcpy(said->domain, model_link->spec->domain, strlen(model_link->spec->domain) + 1);
    memcpy(said->cell, link, strlen(link) + 1);
    if (first)
        map_put_text(&h->documents, said->cell, said);
    struct model_inputs in = inputs(h);
    model_refresh_link(h->model, link, &in, mark, h);
}

/* ---- manifests ---- */

static const struct resource *find(const struct manifest *manifest, const char *id)
{
    for (size_t i = 0; manifest && i < manifest->count; i++)
        if (manifest->entries[i].resource && strcmp(manifest->entries[i].id, id) == 0)
            return manifest->entries[i].resource;
    return NULL;
}

static void add_changes(struct changes *changes, const struct manifest *from,
                        const struct manifest *to)
{
    for (size_t i = 0; to && i < to->count; i++) {
        const struct resource *after = to->entries[i].resource;
        cr_assert(after, "%s", to->diags.count ? to->diags.list[0].message : "");
        const struct resource *before = find(from, after->id);
        if (!before || before->hash != after->hash)
            changes_add(changes, before, after, false);
    }
    for (size_t i = 0; from && i < from->count; i++)
        if (!find(to, from->entries[i].id))
            changes_add(changes, from->entries[i].resource, NULL, false);
    changes_sort(changes);
}

void house_put(struct house *h, const char *manifests)
{
    struct manifest *next = manifest_parse("test.yaml", manifests, strlen(manifests));
    struct model_inputs in = inputs(h);
    struct changes changes = {0};

    add_changes(&changes, h->manifest, next);
    model_update(h->model, &changes, &in, mark, h);
    changes_clear(&changes);
    manifest_free(h->manifest);
    h->manifest = next;
}

/* ---- running ---- */

static void look(struct house *h)
{
    ERROR_AUTO error = NULL;
    cr_assert_geq(h->reconciler->observe(h->sys, h->model, h->observed, &error), 0, "%s",
                  error ? error->message : "");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void house_plan(struct house *h, bool everything, struct plan *ret)
{
    struct arena arena;
    struct keys keys = {(const char *const *)h->dirty, h->dirty_count};

    plan_init(ret);
    if (everything)
        keys = (struct keys){0};
    else if (h->dirty_count)
        qsort(h->dirty, h->dirty_count, sizeof(*h->dirty), by_text);
    if (everything)
        look(h);
    arena_init(&arena, 4096);
    if (everything || h->dirty_count)
        h->reconciler->plan(h->reconciler->desired(h->model, &keys, &arena), h->observed, ret);
    arena_clear(&arena);
}

/* As the engine does it: what is acknowledged is learnt, and the system is read again after a step
 * of the cell's. */
static void carry_out(struct house *h, const struct plan *plan, const char *text)
{
    ERROR_AUTO error = NULL;
    bool of_cell = false;
    cr_assert_geq(h->reconciler->apply(h->sys, plan, 0, plan->count, &error), 0, "%s\n%s",
                  error ? error->message : "", text);
    h->reconciler->learn(h->observed, plan, 0, plan->count);
    for (size_t i = 0; i < plan->count; i++)
        of_cell |= strcmp(plan->steps[i].key, MODEL_KEY_CELL) == 0;
    if (of_cell)
        look(h);
}

char *house_run(struct house *h, bool everything)
{
    struct strbuf text = STRBUF_INIT;
    PLAN_AUTO plan;

    house_plan(h, everything, &plan);
    plan_print(&plan, &text);
    if (plan.count)
        carry_out(h, &plan, text.text);
    for (size_t i = 0; i < h->dirty_count; i++)
        model_applied(h->model, h->dirty[i]);
    forget_dirty(h);
    return strbuf_steal(&text);
}
