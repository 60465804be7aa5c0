/*
 * For tests of the real side alone.
 */
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include "schema/base/strbuf.h"
#include "tests/sys/side.h"

/* A program, by its name; must succeed. */
void run(const char *const *argv);
/* The same, with what it prints. */
void output_of(const char *const *argv, struct strbuf *ret);

/* A fresh network and mount namespace with an empty /run, guarded: whatever wireguard-go
 * runs in it is killed when this process ends. side_real's open and close do this. */
void enter_namespace(void);
void leave_namespace(void);
/* The guard alone, for one more network namespace that the test has entered: it acts when the
 * returned descriptor has been closed everywhere. */
int guard_namespace(void);

/* The wireguard-go processes of this network namespace in ascending order; 0: no more. */
pid_t next_server(pid_t after);
