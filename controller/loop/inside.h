/*
 * What the files of picd's loop share: daemon.c makes and ends it all, turn.c does what is due,
 * intake.c takes what arrives, which only marks.
 */
#pragma once

#include <event2/event.h>

#include "controller/api/api.h"
#include "controller/api/http_server.h"
#include "controller/loop/daemon.h"
#include "controller/loop/keeper.h"
#include "controller/loop/listen.h"
#include "controller/loop/resolve.h"

struct daemon {
    const struct config *config;
    struct log *log;
    bool once, stopping, told_manager;
    int exit_code;

    struct sys *sys;
    struct store *store;
    struct source *source;
    struct inputs inputs;
    struct model *model;
    struct engine *engine;
    struct journal *journal;
    struct keeper keeper;
    struct api api;
    struct http_server *server;
    struct listeners listeners;
    struct resolver resolver;

    struct event_base *base;
    struct event *turn, *inotify, *kernel, *watchdog;
    struct event *signals[3];
    uint64_t failed_runs;
    int64_t next_seek; /* monotonic */
    int64_t next_host; /* monotonic: the machine's surroundings are not read before */
    int64_t next_links;
    size_t told; /* steps since the last convergence */
};

/* ---- turn.c ---- */

/* The engine's hooks; context is the daemon. */
struct engine_hooks turn_hooks(struct daemon *d);
/* The timer's callback: everything that is due, once. */
void turn_run(evutil_socket_t fd, short what, void *daemon);
/* A key's desired state may be another; for the model's dirty(). */
void turn_mark(void *daemon, const char *key);
/* The next turn comes at this monotonic time; 0: at once. */
void turn_arm(struct daemon *d, int64_t when);
/* Brings what was put into the store into force. */
void turn_commit(struct daemon *d);
/* Files, secrets, uplink and live system: everything is looked at again. */
void turn_look_at_all(struct daemon *d);
void turn_stop(struct daemon *d, int exit_code);

/* ---- links.c ---- */

/* Finds and refreshes the addresses of links whose endpoint is a name; returns when to come again.
 */
int64_t links_turn(struct daemon *d);
/* The resolver's callback: a name has another address. */
void links_resolved(void *daemon, const char *name);

/* ---- intake.c ---- */

/* Events of inotify, the kernel, signals and the watchdog. */
void intake_add(struct daemon *d);
/* The source may have got its descriptor only now. */
void intake_follow_inotify(struct daemon *d);
void intake_clear(struct daemon *d);
struct api_control intake_control(struct daemon *d);
