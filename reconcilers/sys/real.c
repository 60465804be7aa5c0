#include "reconcilers/sys/real.h"

#include <stdlib.h>

#include "reconcilers/sys/ops.h"
#include "schema/base/mem.h"

static void real_close(void *side)
{
    struct real *real = side;
    wg_conns_clear(&real->conns);
    events_close(real->events);
    nfnl_free(real->nfnl);
    netlink_close(real->netlink);
    free(real);
}

static int real_events_fd(void *side)
{
    struct real *real = side;
    if (!real->events && events_open(&real->events) < 0)
        return -1;
    return events_fd(real->events);
}

static void real_events_read(void *side,
                             void (*happened)(const struct sys_event *event, void *context),
                             void *context)
{
    struct real *real = side;
    if (real->events)
        events_read(real->events, real->netlink, real_nft_port(real), happened, context);
}

static const struct sys_ops real_ops = {
    .close = real_close,
    .link_get = real_link_get,
    .link_list = real_link_list,
    .link_set = real_link_set,
    .link_delete = real_link_delete,
    .addr_list = real_addr_list,
    .addr_add = real_addr_add,
    .addr_delete = real_addr_delete,
    .route_list = real_route_list,
    .route_set = real_route_set,
    .route_delete = real_route_delete,
    .rule_list = real_rule_list,
    .rule_add = real_rule_add,
    .rule_delete = real_rule_delete,
    .sysctl_get = real_sysctl_get,
    .sysctl_set = real_sysctl_set,
    .nft_generation = real_nft_generation,
    .nft_read = real_nft_read,
    .nft_commit = real_nft_commit,
    .conntrack_forget = real_conntrack_forget,
    .path_mtu = real_path_mtu,
    .wg_create = real_wg_create,
    .wg_get = real_wg_get,
    .wg_set = real_wg_set,
    .events_fd = real_events_fd,
    .events_read = real_events_read,
};

int sys_open(struct sys **ret, struct error **reterr)
{
    struct real *real = mem_alloc(sizeof(*real));
    int r = netlink_open(&real->netlink);
    if (r < 0) {
        free(real);
        return error_errno(reterr, -r, "cannot open a netlink socket");
    }
    real->nfnl = nfnl_new();
    *ret = sys_new(&real_ops, real);
    return 0;
}
