/*
 * What the kernel tells by itself about links, addresses, routes, rules, sysctls and nftables. A
 * lost message costs time, never correctness: it means "look at everything".
 */
#pragma once

#include <stdint.h>

#include "reconcilers/sys/netlink.h"
#include "reconcilers/sys/sys.h"

struct events;

/* Returns 0, or a negative errno value. A kernel without nftables tells about the rest. */
int events_open(struct events **ret);
void events_close(struct events *events); /* takes NULL */
int events_fd(const struct events *events);

/*
 * Reads what is there, up to a bound that keeps the caller responsive (the descriptor stays
 * readable then); equal ones in a row are told once. `nl` is the socket of our own requests: it
 * looks names up, and changes made by it are left out, as are commits by the socket of nftables
 * with port `nft_port` (0: there is none).
 */
void events_read(struct events *events, struct netlink *nl, uint32_t nft_port,
                 void (*happened)(const struct sys_event *event, void *context), void *context);
