/*
 * picd itself: source, store, model, engine and endpoint on one libevent loop. Everything that
 * arrives only marks; the work is done in one place, daemon_turn() in daemon.c.
 */
#pragma once

#include <stdbool.h>

#include "controller/loop/log.h"
#include "controller/state/config.h"

/*
 * Runs until SIGTERM or SIGINT, leaving everything live. `once`: until everything has converged or
 * has failed; prints the carried-out plan on stdout. Returns the exit code: 0, or 1 with the reason
 * logged.
 */
int daemon_run(const struct config *config, struct log *log, bool once);
