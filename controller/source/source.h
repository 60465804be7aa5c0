/*
 * The manifest directory, watched: which files changed, and have settled.
 *
 * inotify only marks; reading happens in source_turn(). A lost or overflowed notification costs
 * time, never correctness: it means "look again". A directory that is missing or cannot be read
 * changes nothing.
 *
 *   a rename into the tree       is complete by nature: read at once
 *   a file written in place      read when it has been closed and nothing happened for a moment
 *   a file that went             believed after a longer moment: editors move files away and back
 *   a directory, a swapped link, an overflow, no events to be had: the whole tree is listed again
 */
#pragma once

#include "controller/store/store.h"
#include "schema/base/clock.h"
#include "schema/base/error.h"

struct source;

struct source *source_new(const char *directory, const struct clock *clock);
void source_free(struct source *source);

/* Becomes readable when something happened; -1: no events are to be had, the tree is listed
 * instead, until a later turn has a descriptor after all. */
int source_fd(const struct source *source);
/* Drains the descriptor: marks only. */
void source_read(struct source *source);
/* Everything is to be looked at again. */
void source_rescan(struct source *source);

/* Reads what has settled into the store. Returns true when the store has to be committed. *retnext:
 * the monotonic time of the next turn. */
bool source_turn(struct source *source, struct store *store, int64_t *retnext);

/* The whole tree has been read at least once. */
bool source_is_loaded(const struct source *source);
/* Why the directory cannot be read, in words; NULL: it can. */
const char *source_problem(const struct source *source);
/* "events" or "polling". */
const char *source_mode(const struct source *source);
/* Files that are not read, "path: why"; valid until the next turn. */
char *const *source_ignored(const struct source *source, size_t *retcount);
/* The latest modification time of all manifests, seconds since 1970. */
int64_t source_newest(const struct source *source);
uint64_t source_overflows(const struct source *source);
