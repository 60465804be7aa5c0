#include "controller/state/allocations.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"

enum { ALLOCATIONS_FILE_MAX = 16 << 20 };

struct allocation {
    struct wgkey key;
    struct ip address;
    char name[RESOURCE_NAME_MAX + 1]; /* "": known by key only */
};

void allocations_init(struct allocations *a)
{
    *a = (struct allocations){0};
}

void allocations_clear(struct allocations *a)
{
    size_t at = 0;
    struct map_entry *entry;
    /* Every allocation has a key; some have a name besides. */
    while ((entry = map_next(&a->by_key, &at)))
        mem_freep(&entry->value);
    map_clear(&a->by_key);
    map_clear(&a->by_name);
    *a = (struct allocations){0};
}

static void forget(struct allocations *a, struct allocation *allocation)
{
    if (map_get_text(&a->by_name, allocation->name) == allocation)
        map_remove_text(&a->by_name, allocation->name);
    if (map_get(&a->by_key, &allocation->key, WGKEY_LEN) == allocation)
        map_remove(&a->by_key, &allocation->key, WGKEY_LEN);
    mem_freep(&allocation);
}

static void enter(struct allocations *a, const char *name, const struct wgkey *key,
                  const struct ip *address)
{
    struct allocation *former = map_get(&a->by_key, key, WGKEY_LEN);
    if (former)
        forget(a, former);
    former = *name ? map_get_text(&a->by_name, name) : NULL;
    if (former)
        forget(a, former);
    struct allocation *next = mem_alloc(sizeof(*next));
    next->key = *key;
    next->address = *address;
    snprintf(next->name, sizeof(next->name), "%s", name);
    map_put(&a->by_key, &next->key, WGKEY_LEN, next);
    if (*name)
        map_put_text(&a->by_name, next->name, next);
}

bool allocations_find(const struct allocations *a, const char *name, const struct wgkey *key,
                      struct ip *ret)
{
    const struct allocation *found = map_get_text(&a->by_name, name);
    if (!found)
        found = map_get(&a->by_key, key, WGKEY_LEN);
    if (found)
        *ret = found->address;
    return found;
}

void allocations_remember(struct allocations *a, const char *name, const struct wgkey *key,
                          const struct ip *address)
{
    const struct allocation *found = map_get_text(&a->by_name, name);
    if (found && wgkey_equal(&found->key, key) && ip_equal(&found->address, address))
        return;
    enter(a, name, key, address);
    a->dirty = true;
}

void allocations_hint(struct allocations *a, const struct wgkey *key, const struct ip *address)
{
    if (!map_get(&a->by_key, key, WGKEY_LEN))
        enter(a, "", key, address);
}

void allocations_set_public_key(struct allocations *a, const struct wgkey *key)
{
    if (a->has_public_key && wgkey_equal(&a->public_key, key))
        return;
    a->has_public_key = true;
    a->public_key = *key;
    a->dirty = true;
}

/* Disabled peers keep theirs: only who has no manifest any more is forgotten. */
static void drop_departed(struct allocations *a, const struct model *model)
{
    for (;;) {
        struct allocation *gone = NULL;
        size_t at = 0;
        struct map_entry *entry;
        while (!gone && (entry = map_next(&a->by_key, &at))) {
            struct allocation *allocation = entry->value;
            const struct model_peer *peer = model_peer_by_name(model, allocation->name);
            if (!peer || !peer->address_given)
                gone = allocation;
        }
        if (!gone)
            return;
        a->dirty |= *gone->name != '\0';
        forget(a, gone);
    }
}

void allocations_follow(struct allocations *a, const struct model *model)
{
    size_t at = 0;
    const struct map_entry *entry;
    while ((entry = map_next(&model->peers, &at))) {
        const struct model_peer *peer = entry->value;
        if (peer->address_given && peer->address.family)
            allocations_remember(a, peer->resource->name, &peer->public_key, &peer->address);
    }
    drop_departed(a, model);
}

/* ---- the file ---- */

static void take_peer(struct allocations *a, const char *name, const json_t *value)
{
    const char *key_text = json_string_value(json_object_get(value, "publicKey"));
    const char *address_text = json_string_value(json_object_get(value, "address"));
    struct wgkey key;
    struct ip address;
    if (key_text && address_text && resource_name_valid(name) && wgkey_parse(key_text, &key) == 0 &&
        ip_parse(address_text, &address) == 0 && address.family == AF_INET)
        enter(a, name, &key, &address);
}

static bool take_json(struct allocations *a, const json_t *root)
{
    const char *key;
    json_t *value;
    if (!json_is_object(root))
        return false;
    const char *own = json_string_value(json_object_get(root, "publicKey"));
    a->has_public_key = own && wgkey_parse(own, &a->public_key) == 0;
    json_object_foreach(json_object_get(root, "peers"), key, value) take_peer(a, key, value);
    return true;
}

void allocations_load(struct allocations *a, const char *state, char **retproblem)
{
    MEM_AUTO char *path = io_join(state, "allocations.json");
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;

    *retproblem = NULL;
    if (io_read(path, ALLOCATIONS_FILE_MAX, &text, &error) < 0) {
        if (error->errnum != ENOENT)
            *retproblem = mem_strdup(error->message);
        return;
    }
    json_t *root = json_loadb(text.text, text.len, 0, NULL);
    if (!take_json(a, root)) {
        MEM_AUTO char *aside = mem_printf("%s.corrupt", path);
        rename(path, aside);
        *retproblem =
            mem_printf("\"%s\" was not readable and is set aside; addresses come from the "
                       "live device and from names",
                       path);
    }
    json_decref(root);
}

static json_t *to_json(const struct allocations *a)
{
    json_t *root = json_object(), *peers = json_object();
    char key[WGKEY_TEXT_LEN + 1], address[ADDR_TEXT_MAX];
    size_t at = 0;
    const struct map_entry *entry;

    if (a->has_public_key)
        json_object_set_new(root, "publicKey", json_string(wgkey_format(&a->public_key, key)));
    while ((entry = map_next(&a->by_name, &at))) {
        const struct allocation *allocation = entry->value;
        json_object_set_new(peers, allocation->name,
                            json_pack("{s:s, s:s}", "publicKey",
                                      wgkey_format(&allocation->key, key), "address",
                                      ip_format(&allocation->address, address)));
    }
    json_object_set_new(root, "peers", peers);
    return root;
}

int allocations_save(struct allocations *a, const char *state, struct error **reterr)
{
    MEM_AUTO char *path = io_join(state, "allocations.json");
    json_t *root = to_json(a);
    MEM_AUTO char *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(root);
    struct io_write_options options = {.mode = 0600};
    int result = io_write_atomic(path, text, strlen(text), &options, reterr);
    if (result == 0)
        a->dirty = false;
    return result;
}
