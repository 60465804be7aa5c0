/*
 * Elements: what the sets should have against what they have. The differences are sorted by whom
 * they are about, so that there is one step for each peer, each link, and each set of the cell's.
 */
#include "reconcilers/firewall/firewall.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/firewall/whose.h"
#include "schema/base/mem.h"

struct difference {
    unsigned instance;
    bool add;
    const uint8_t *element;
    struct whose whose;
};

struct differences {
    struct fw_planner *p;
    struct whose_finder finder;
    struct difference *list;
    size_t count, capacity;
};

/* ---- differences ---- */

static void add_difference(struct differences *d, unsigned instance, bool add,
                           const uint8_t *element)
{
    struct whose whose =
        whose_element(&d->finder, instance, &d->p->desired->sets[instance], element);
    if (whose.leave)
        return;
    d->list = mem_grow(d->list, d->count, &d->capacity, sizeof(*d->list));
    d->list[d->count++] = (struct difference){instance, add, element, whose};
}

/* A part of a set. */
struct span {
    const struct nft_set *set; /* NULL: nothing */
    size_t from, to;
};

/* Both are sorted: they are read side by side. An element of a map with other data is taken away
 * and added. */
static void compare(struct differences *d, unsigned instance, struct span live, struct span want)
{
    size_t size = live.set   ? nft_set_element_size(live.set)
                  : want.set ? nft_set_element_size(want.set)
                             : 0;
    while (live.from < live.to || want.from < want.to) {
        const uint8_t *is = live.from < live.to ? nft_set_at(live.set, live.from) : NULL;
        const uint8_t *should = want.from < want.to ? nft_set_at(want.set, want.from) : NULL;
        int order = !is ? 1 : !should ? -1 : memcmp(is, should, size);
        if (order < 0)
            add_difference(d, instance, false, is);
        if (order > 0)
            add_difference(d, instance, true, should);
        live.from += order <= 0;
        want.from += order >= 0;
    }
}

static struct span whole(const struct nft_set *set)
{
    return (struct span){set, 0, set ? set->count : 0};
}

/* The first element that does not come before those that begin with the address. */
static size_t lower_bound(const struct nft_set *set, const uint8_t *address, size_t len)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(nft_set_at(set, middle), address, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The elements that begin with the address. */
static struct span beginning_with(const struct nft_set *set, const struct ip *ip)
{
    size_t len = ip_bits(ip) / 8;
    struct span span = {.set = set};
    if (!set)
        return span;
    span.from = span.to = lower_bound(set, ip->bytes, len);
    while (span.to < set->count && memcmp(nft_set_at(set, span.to), ip->bytes, len) == 0)
        span.to++;
    return span;
}

static void compare_set(struct differences *d, unsigned instance)
{
    const struct fw_desired *desired = d->p->desired;
    const struct nft_set *want = &desired->sets[instance], *live = fw_live(d->p, instance);
    uint8_t family = want->key[0] == NFT_TYPE_IPV6 ? AF_INET6 : AF_INET;

    if (desired->everything) {
        compare(d, instance, whole(live), whole(want));
        return;
    }
    for (size_t i = 0; i < desired->address_count; i++) {
        const struct ip *ip = &desired->addresses[i];
        if (ip->family == family)
            compare(d, instance, beginning_with(live, ip), beginning_with(want, ip));
    }
}

/* ---- steps ---- */

static int by_whose(const void *a, const void *b)
{
    const struct difference *x = a, *y = b;
    if (x->whose.kind != y->whose.kind)
        return x->whose.kind < y->whose.kind ? -1 : 1;
    int order = strcmp(x->whose.name, y->whose.name);
    if (order == 0 && x->instance != y->instance)
        order = x->instance < y->instance ? -1 : 1;
    return order ? order : x->add - y->add;
}

static bool same_whose(const struct difference *a, const struct difference *b)
{
    return a->whose.kind == b->whose.kind && strcmp(a->whose.name, b->whose.name) == 0;
}

/* The first difference that is no drift says because of whom. */
static const char *cause_of(const struct difference *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].whose.cause, CAUSE_DRIFT) != 0)
            return list[i].whose.cause;
    return CAUSE_DRIFT;
}

static const char *key_of(const struct whose *whose, char buf[static MODEL_KEY_MAX])
{
    if (whose->id && whose->key)
        return model_peer_key(whose->key, buf);
    if (whose->id && whose->interface)
        return model_link_key(whose->interface, buf);
    return MODEL_KEY_CELL;
}

static const char *object_of(struct fw_planner *p, const struct whose *whose)
{
    static const struct {
        const char *known, *unknown, *where;
    } words[] = {
        [FW_OF_CELL] = {"set", "set", ""},
        [FW_OF_LINK] = {"link", "interface", " in the firewall"},
        [FW_OF_PEER] = {"peer", "address", " in the firewall"},
    };
    return arena_printf(&p->scratch, "%s %s%s",
                        whose->id ? words[whose->kind].known : words[whose->kind].unknown,
                        whose->name, words[whose->kind].where);
}

static void list_elements(const struct nft_set *set, struct strbuf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        strbuf_puts(out, i ? ", " : "");
        fw_element_text(set, nft_set_at(set, i), out);
    }
}

/* The differences about one of them in one set. */
static void change_set(struct fw_planner *p, const struct difference *list, size_t count)
{
    struct nft_set sets[2]; /* taken away, added */
    STRBUF_AUTO before = STRBUF_INIT;
    STRBUF_AUTO after = STRBUF_INIT;

    for (size_t i = 0; i < ARRAY_SIZE(sets); i++) {
        sets[i] = p->desired->sets[list->instance];
        sets[i].elements = NULL;
        sets[i].count = sets[i].capacity = 0;
    }
    for (size_t i = 0; i < count; i++)
        fw_put_element(&sets[list[i].add], list[i].element, &p->scratch);
    for (int add = 0; add < 2; add++)
        if (sets[add].count)
            fw_change_set(p, add ? NFT_ELEMENTS_ADD : NFT_ELEMENTS_DELETE, &sets[add]);
    list_elements(&sets[0], &before);
    list_elements(&sets[1], &after);
    plan_note(p->plan, sets[0].name, before.len ? before.text : NULL,
              after.len ? after.text : NULL);
}

static enum verb verb_of(const struct difference *list, size_t count)
{
    size_t added = 0;
    for (size_t i = 0; i < count; i++)
        added += list[i].add;
    return added == count ? VERB_CREATE : added ? VERB_UPDATE : VERB_DELETE;
}

static void add_step(struct fw_planner *p, const struct difference *list, size_t count)
{
    char key[MODEL_KEY_MAX];
    fw_step_of(p, verb_of(list, count), key_of(&list->whose, key), cause_of(list, count),
               object_of(p, &list->whose));
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && list[to].instance == list[from].instance;)
            to++;
        change_set(p, list + from, to - from);
    }
}

/* ---- flows ---- */

/* Did the source leave by an exit, or should it have? */
static bool was_routed(const struct fw_planner *p, bool ipv6, const uint8_t *source)
{
    for (unsigned set = FW_BLOCKED; set < FW_SET_COUNT; set++) {
        unsigned instance = fw_instance(set, ipv6, false);
        const struct nft_set *live = p->observed->sets[instance];
        struct nft_set definition;
        size_t at;
        fw_define(instance, &definition);
        if (live && fw_same_definition(live, &definition) && nft_set_find(live, source, &at))
            return true;
    }
    return false;
}

/*
 * A peer that left by an exit and leaves directly now: its connections were not translated when
 * they began, and would not be now either. Forgotten, they begin anew.
 */
static void find_flow(struct fw_planner *p, const struct difference *d)
{
    bool ipv6 = fw_is_ipv6(d->instance);
    if (!d->add || d->instance != fw_instance(FW_PEER_INTERNET, ipv6, false) || !d->whose.key ||
        !was_routed(p, ipv6, d->element))
        return;
    struct fw_flow *flow = arena_alloc(&p->scratch, sizeof(*flow));
    flow->source.family = ipv6 ? AF_INET6 : AF_INET;
    memcpy(flow->source.bytes, d->element, ip_bits(&flow->source) / 8);
    flow->key = d->whose.key;
    flow->cause = d->whose.cause;
    flow->next = p->flows;
    p->flows = flow;
}

void fw_plan_elements(struct fw_planner *p)
{
    struct differences d = {
        .p = p,
        .finder = {.model = p->model, .cell_cause = p->cause, .arena = &p->scratch},
    };

    for (unsigned i = 0; i < FW_INSTANCES; i++)
        if (*p->desired->sets[i].name && (!p->remade || fw_owner_of(i) == FW_OF_PEER))
            compare_set(&d, i);
    if (d.count > 1)
        qsort(d.list, d.count, sizeof(*d.list), by_whose);
    for (size_t from = 0, to; from < d.count; from = to) {
        for (to = from + 1; to < d.count && same_whose(&d.list[from], &d.list[to]);)
            to++;
        add_step(p, d.list + from, to - from);
    }
    for (size_t i = d.count; i-- > 0;)
        find_flow(p, &d.list[i]);
    whose_clear(&d.finder);
    mem_freep(&d.list);
}
