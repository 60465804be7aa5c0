#include "reconcilers/sys/sys.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reconcilers/sys/ops.h"
#include "schema/base/mem.h"

struct sys {
    const struct sys_ops *ops;
    void *side;
    struct sys_counters counters;

    unsigned long fault_in; /* calls until the fault, 0: none is set */
    int fault_errnum;
    enum sys_fault_kind fault_kind;

    void (*hook)(enum sys_call call, void *context);
    void *hook_context;
};

static const struct {
    const char *name;
    bool writes;
} calls[] = {
    [SYS_LINK_GET] = {"link_get", false},
    [SYS_LINK_LIST] = {"link_list", false},
    [SYS_LINK_SET] = {"link_set", true},
    [SYS_LINK_DELETE] = {"link_delete", true},
    [SYS_ADDR_LIST] = {"addr_list", false},
    [SYS_ADDR_ADD] = {"addr_add", true},
    [SYS_ADDR_DELETE] = {"addr_delete", true},
    [SYS_ROUTE_LIST] = {"route_list", false},
    [SYS_ROUTE_SET] = {"route_set", true},
    [SYS_ROUTE_DELETE] = {"route_delete", true},
    [SYS_RULE_LIST] = {"rule_list", false},
    [SYS_RULE_ADD] = {"rule_add", true},
    [SYS_RULE_DELETE] = {"rule_delete", true},
    [SYS_SYSCTL_GET] = {"sysctl_get", false},
    [SYS_SYSCTL_SET] = {"sysctl_set", true},
    [SYS_PATH_MTU] = {"path_mtu", false},
    [SYS_NFT_GENERATION] = {"nft_generation", false},
    [SYS_NFT_READ] = {"nft_read", false},
    [SYS_NFT_COMMIT] = {"nft_commit", true},
    [SYS_CONNTRACK_FORGET] = {"conntrack_forget", true},
    [SYS_WG_CREATE] = {"wg_create", true},
    [SYS_WG_GET] = {"wg_get", false},
    [SYS_WG_SET] = {"wg_set", true},
};
_Static_assert(ARRAY_SIZE(calls) == SYS_CALL_COUNT, "every call has a row");

const char *sys_call_name(enum sys_call call)
{
    return calls[call].name;
}

bool sys_call_writes(enum sys_call call)
{
    return calls[call].writes;
}

struct sys *sys_new(const struct sys_ops *ops, void *side)
{
    struct sys *sys = mem_alloc(sizeof(*sys));
    sys->ops = ops;
    sys->side = side;
    return sys;
}

void *sys_side(struct sys *sys)
{
    return sys->side;
}

void sys_close(struct sys *sys)
{
    if (!sys)
        return;
    sys->ops->close(sys->side);
    free(sys);
}

const struct sys_counters *sys_counters(const struct sys *sys)
{
    return &sys->counters;
}

void sys_fault(struct sys *sys, unsigned long n, int errnum, enum sys_fault_kind kind)
{
    assert(n == 0 || errnum > 0);
    sys->fault_in = n;
    sys->fault_errnum = errnum;
    sys->fault_kind = kind;
}

void sys_set_hook(struct sys *sys, void (*hook)(enum sys_call call, void *context), void *context)
{
    sys->hook = hook;
    sys->hook_context = context;
}

/* ---- the gate -------------------------------------------------------------------------------- */

/* One call on its way through the gate. */
struct pass {
    enum sys_call call;
    bool fault; /* it is the one that fails */
    bool made;  /* the side is asked to do it */
    bool half;  /* only the first half of its peers */
};

static struct pass gate_enter(struct sys *sys, enum sys_call call)
{
    sys->counters.calls[call]++;
    if (calls[call].writes)
        sys->counters.writes++;
    else
        sys->counters.reads++;
    if (sys->hook && calls[call].writes)
        sys->hook(call, sys->hook_context);

    struct pass pass = {.call = call, .made = true};
    if (sys->fault_in && --sys->fault_in == 0) {
        pass.fault = true;
        pass.half = sys->fault_kind == SYS_FAULT_SHORT && call == SYS_WG_SET;
        pass.made = sys->fault_kind == SYS_FAULT_AFTER || pass.half;
    }
    return pass;
}

/* What the side answered (0 when it was not asked) becomes what the caller gets. */
static int gate_leave(struct sys *sys, const struct pass *pass, int r, struct error **reterr)
{
    if (pass->fault) {
        if (r < 0) {
            error_free(*reterr);
            *reterr = NULL;
        }
        r = error_errno(reterr, sys->fault_errnum, "%s was made to fail", calls[pass->call].name);
    }
    if (r < 0)
        sys->counters.failures++;
    return r;
}

/* Names reach paths and messages of fixed size: what is no name of an interface stops here. */
static int check_name(const char *name, struct error **reterr)
{
    size_t len = strlen(name);
    if (len == 0 || len >= IFNAMSIZ || strpbrk(name, "/: \t\n") || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return error_make(reterr, EINVAL, "\"%s\" cannot be the name of an interface", name);
    return 0;
}

static bool prefixes_valid(const struct prefix *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t family = list[i].ip.family;
        if ((family != AF_INET && family != AF_INET6) || list[i].len > ip_bits(&list[i].ip))
            return false;
    }
    return true;
}

static int check_peers(const struct sys_wg_peer_change *peers, size_t count, struct error **reterr)
{
    for (size_t i = 0; i < count; i++) {
        const struct sys_wg_peer_change *peer = &peers[i];
        bool valid = prefixes_valid(peer->allowed_add, peer->allowed_add_count) &&
                     prefixes_valid(peer->allowed_remove, peer->allowed_remove_count) &&
                     (!peer->set_endpoint || peer->endpoint.family == AF_INET ||
                      peer->endpoint.family == AF_INET6);
        char key[WGKEY_TEXT_LEN + 1];
        if (!valid)
            return error_make(reterr, EINVAL,
                              "peer \"%s\" has a prefix or an endpoint without address",
                              wgkey_format(&peer->public_key, key));
    }
    return 0;
}

/* ---- links, addresses, routes ---------------------------------------------------------------- */

int sys_link_get(struct sys *sys, const char *name, struct sys_link *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_LINK_GET);
    struct sys_link link = {0};
    int r = check_name(name, reterr);
    if (r == 0 && pass.made)
        r = sys->ops->link_get(sys->side, name, &link, reterr);
    r = gate_leave(sys, &pass, r, reterr);
    if (r == 0)
        *ret = link;
    return r;
}

int sys_link_set(struct sys *sys, int index, const struct sys_link_change *change,
                 struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_LINK_SET);
    int r = pass.made ? sys->ops->link_set(sys->side, index, change, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

int sys_link_delete(struct sys *sys, int index, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_LINK_DELETE);
    int r = pass.made ? sys->ops->link_delete(sys->side, index, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

void sys_links_clear(struct sys_links *links)
{
    free(links->list);
    *links = (struct sys_links){0};
}

int sys_link_list(struct sys *sys, struct sys_links *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_LINK_LIST);
    ret->count = 0;
    int r = pass.made ? sys->ops->link_list(sys->side, ret, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r != 0)
        ret->count = 0;
    return r;
}

void sys_addrs_clear(struct sys_addrs *addrs)
{
    free(addrs->list);
    *addrs = (struct sys_addrs){0};
}

int sys_addr_list(struct sys *sys, int ifindex, struct sys_addrs *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_ADDR_LIST);
    ret->count = 0;
    int r = pass.made ? sys->ops->addr_list(sys->side, ifindex, ret, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r != 0)
        ret->count = 0;
    return r;
}

int sys_addr_add(struct sys *sys, int ifindex, const struct prefix *prefix, bool prefix_route,
                 struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_ADDR_ADD);
    int r = pass.made ? sys->ops->addr_add(sys->side, ifindex, prefix, prefix_route, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

int sys_addr_delete(struct sys *sys, int ifindex, const struct prefix *prefix,
                    struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_ADDR_DELETE);
    int r = pass.made ? sys->ops->addr_delete(sys->side, ifindex, prefix, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

void sys_routes_clear(struct sys_routes *routes)
{
    free(routes->list);
    *routes = (struct sys_routes){0};
}

int sys_route_list(struct sys *sys, uint32_t table, uint8_t protocol, struct sys_routes *ret,
                   struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_ROUTE_LIST);
    ret->count = 0;
    int r = pass.made ? sys->ops->route_list(sys->side, table, protocol, ret, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r != 0)
        ret->count = 0;
    return r;
}

int sys_route_set(struct sys *sys, const struct sys_route *route, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_ROUTE_SET);
    int r = pass.made ? sys->ops->route_set(sys->side, route, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

int sys_route_delete(struct sys *sys, const struct sys_route *route, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_ROUTE_DELETE);
    int r = pass.made ? sys->ops->route_delete(sys->side, route, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

void sys_rules_clear(struct sys_rules *rules)
{
    free(rules->list);
    *rules = (struct sys_rules){0};
}

int sys_rule_list(struct sys *sys, struct sys_rules *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_RULE_LIST);
    ret->count = 0;
    int r = pass.made ? sys->ops->rule_list(sys->side, ret, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r != 0)
        ret->count = 0;
    return r;
}

int sys_rule_add(struct sys *sys, const struct sys_rule *rule, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_RULE_ADD);
    int r = pass.made ? sys->ops->rule_add(sys->side, rule, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

int sys_rule_delete(struct sys *sys, const struct sys_rule *rule, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_RULE_DELETE);
    int r = pass.made ? sys->ops->rule_delete(sys->side, rule, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

int sys_path_mtu(struct sys *sys, const struct ip *destination, struct sys_path *ret,
                 struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_PATH_MTU);
    struct sys_path path = {0};
    int r = pass.made ? sys->ops->path_mtu(sys->side, destination, &path, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r == 0)
        *ret = path;
    return r;
}

/* ---- WireGuard ------------------------------------------------------------------------------- */

int sys_wg_create(struct sys *sys, const char *name, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_WG_CREATE);
    int r = check_name(name, reterr);
    if (r == 0 && pass.made)
        r = sys->ops->wg_create(sys->side, name, reterr);
    return gate_leave(sys, &pass, r, reterr);
}

static void no_peer(const struct sys_wg_peer *peer, void *context)
{
    (void)peer;
    (void)context;
}

int sys_wg_get(struct sys *sys, const char *name, struct sys_wg_device *ret,
               void (*peer)(const struct sys_wg_peer *peer, void *context), void *context,
               struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_WG_GET);
    struct sys_wg_device device = {0};
    int r = check_name(name, reterr);
    if (r == 0 && pass.made)
        r = sys->ops->wg_get(sys->side, name, &device, peer ? peer : no_peer, context, reterr);
    r = gate_leave(sys, &pass, r, reterr);
    if (r == 0)
        *ret = device;
    wgkey_wipe(&device.private_key);
    return r;
}

int sys_wg_set(struct sys *sys, const char *name, const struct sys_wg_device_change *device,
               const struct sys_wg_peer_change *peers, size_t count, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_WG_SET);
    int r = check_name(name, reterr);
    if (r == 0)
        r = check_peers(peers, count, reterr);
    if (r == 0 && pass.made)
        r = sys->ops->wg_set(sys->side, name, device, peers, pass.half ? count / 2 : count, reterr);
    return gate_leave(sys, &pass, r, reterr);
}

/* ---- sysctls, nftables, conntrack ------------------------------------------------------------ */

static int check_sysctl(const char *name, struct error **reterr)
{
    if (strncmp(name, "net/", 4) != 0 || strstr(name, "/../") || strstr(name, "//"))
        return error_make(reterr, EINVAL, "\"%s\" is no setting of the network", name);
    return 0;
}

int sys_sysctl_get(struct sys *sys, const char *name, long *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_SYSCTL_GET);
    long value = 0;
    int r = check_sysctl(name, reterr);
    if (r == 0 && pass.made)
        r = sys->ops->sysctl_get(sys->side, name, &value, reterr);
    r = gate_leave(sys, &pass, r, reterr);
    if (r == 0)
        *ret = value;
    return r;
}

int sys_sysctl_set(struct sys *sys, const char *name, long value, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_SYSCTL_SET);
    int r = check_sysctl(name, reterr);
    if (r == 0 && pass.made)
        r = sys->ops->sysctl_set(sys->side, name, value, reterr);
    return gate_leave(sys, &pass, r, reterr);
}

int sys_nft_generation(struct sys *sys, uint32_t *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_NFT_GENERATION);
    uint32_t generation = 0;
    int r = pass.made ? sys->ops->nft_generation(sys->side, &generation, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r == 0)
        *ret = generation;
    return r;
}

int sys_nft_read(struct sys *sys, const char *table, struct nft_ruleset *ret, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_NFT_READ);
    nft_ruleset_clear(ret);
    int r = pass.made ? sys->ops->nft_read(sys->side, table, ret, reterr) : 0;
    r = gate_leave(sys, &pass, r, reterr);
    if (r != 0)
        nft_ruleset_clear(ret);
    return r;
}

int sys_nft_commit(struct sys *sys, const struct nft_change *changes, size_t count,
                   struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_NFT_COMMIT);
    int r = pass.made ? sys->ops->nft_commit(sys->side, changes, count, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

int sys_conntrack_forget(struct sys *sys, const struct ip *source, struct error **reterr)
{
    struct pass pass = gate_enter(sys, SYS_CONNTRACK_FORGET);
    int r = pass.made ? sys->ops->conntrack_forget(sys->side, source, reterr) : 0;
    return gate_leave(sys, &pass, r, reterr);
}

/* ---- events ---------------------------------------------------------------------------------- */

int sys_events_fd(struct sys *sys)
{
    return sys->ops->events_fd(sys->side);
}

void sys_events_read(struct sys *sys,
                     void (*happened)(const struct sys_event *event, void *context), void *context)
{
    sys->ops->events_read(sys->side, happened, context);
}
