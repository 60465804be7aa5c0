/*
 * What the kernel tells by itself about links and addresses. A lost message costs time, never
 * correctness: it means "look at everything".
 */
#pragma once

#include <stdint.h>

#include "reconcilers/sys/netlink.h"

struct events;

/* Returns 0, or a negative errno value. */
int events_open(struct events **ret);
void events_close(struct events *events); /* takes NULL */
int events_fd(const struct events *events);

/* Reads what is there, up to a bound that keeps the caller responsive (the descriptor stays
 * readable then). `nl` is the socket of our own requests: it looks names up, and changes made by it
 * are left out. */
void events_read(struct events *events, struct netlink *nl,
                 void (*changed)(const char *interface, void *context), void *context);
