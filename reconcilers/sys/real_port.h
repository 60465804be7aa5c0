/*
 * The UDP port of a userspace device. wireguard-go closes its old sockets before it opens the new
 * ones: on a port that is taken it ends with none, and stays deaf until it is told again.
 */
#pragma once

#include "reconcilers/sys/real.h"

/* Before the change: reads the port of now into *ret_old, drops the change when it is no change (a
 * device re-opens its sockets even then), and tests a new port. -EADDRINUSE: it is taken. */
int real_port_prepare(struct real *real, const char *name, struct sys_wg_device_change *change,
                      uint16_t *ret_old, struct error **reterr);

/* The error of a port that is taken. */
int real_port_taken(uint16_t port, struct error **reterr);
