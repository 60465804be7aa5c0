/*
 * Starting wireguard-go so that it outlives us.
 */
#pragma once

#include <sys/types.h>

/* The program in the usual directories, or NULL. */
const char *wg_spawn_program(void);

/*
 * Runs it on a TUN and on a bound socket (which starts to listen), in a session of its own, with a
 * clean environment and no other descriptor. Returns 0 once it runs, with its number in *ret, or a
 * negative errno value. Its parent is init; the descriptors stay open here.
 */
int wg_spawn(const char *program, const char *name, int tun, int socket, pid_t *ret);
