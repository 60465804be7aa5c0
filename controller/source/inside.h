/*
 * What the two files of the source share: watch.c takes inotify's events, which only mark; source.c
 * reads what has settled.
 */
#pragma once

#include <sys/types.h>

#include "controller/source/source.h"
#include "controller/source/tree.h"
#include "schema/base/map.h"

struct watch {
    int wd;
    bool parent; /* of the manifest directory: only its own name counts */
    char path[]; /* relative; "" is the directory itself */
};

struct pending {
    int64_t due;   /* monotonic */
    int64_t since; /* of its first event */
    bool gone;
    char path[];
};

struct known {
    int64_t mtime, size;
    uint64_t inode;
    char path[];
};

struct source {
    char *directory;
    const struct clock *clock;
    int fd;
    struct map watches; /* by wd → struct watch */
    struct map pending; /* by path → struct pending */
    struct map known;   /* by path → struct known: what was read, as it was */
    int64_t rescan_due; /* 0: none */
    int64_t next_sweep, next_root;
    dev_t device;
    ino_t inode;
    bool loaded;
    char *problem;
    struct tree tree; /* of the last listing: what was ignored */
    int64_t newest;
    uint64_t overflows;
    bool unwatched; /* the last listing met the limit of watches */
};

/* How long a path is left alone after an event. */
#define SETTLE_WRITE MILLISECONDS(50)
#define SETTLE_GONE MILLISECONDS(300)
#define SETTLE_LONGEST SECONDS(1) /* a stream of events delays no reading longer */
#define OPEN_LONGEST SECONDS(10)  /* a writer that never closes is read after all */

int64_t source_now(const struct source *s);
/* The path is to be looked at after `wait`. */
void source_mark(struct source *s, const char *path, bool gone, int64_t wait);
void source_ask_rescan(struct source *s, int64_t due);

/* ---- watch.c ---- */

/* The directory's own name, so that a swap of it is seen. */
void watch_parent(struct source *s);
/* True when a directory was not watched before: what happened in it meanwhile is not known. */
bool watch_tree(struct source *s, const struct tree *tree);
