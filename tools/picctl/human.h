/*
 * Numbers and times as people read them.
 */
#pragma once

#include <stdint.h>

enum { HUMAN_MAX = 48 };

/* "812 B", "1.2 MiB", "37 GiB". */
const char *human_bytes(uint64_t bytes, char buf[static HUMAN_MAX]);

/* How long before `now` (realtime seconds) an RFC 3339 time was: "12s", "3d"; "-" for NULL or what
 * is no time, "0s" for the future. */
const char *human_since(const char *when, int64_t now, char buf[static HUMAN_MAX]);

/* "90s", "5m", "2h", "1d", or a number of seconds. Returns 0 or -EINVAL. */
int human_parse_duration(const char *text, int64_t *ret_seconds);

/* Realtime, seconds. */
int64_t human_now(void);
