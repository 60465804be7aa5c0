/*
 * Time, injected: tests turn the hands. Intervals are measured by `monotonic` only; `realtime`
 * serves for dates that people wrote and for display.
 */
#pragma once

#include <stdint.h>

struct clock {
    int64_t (*monotonic)(void *context); /* nanoseconds, CLOCK_BOOTTIME: goes on in suspend */
    int64_t (*realtime)(void *context);  /* nanoseconds since 1970 */
    void *context;
};

extern const struct clock clock_system;

enum { CLOCK_RFC3339_MAX = 32 };
int clock_parse_rfc3339(const char *text, int64_t *ret_seconds); /* 0 or -EINVAL */
const char *clock_format_rfc3339(int64_t seconds, char buf[static CLOCK_RFC3339_MAX]);
/* "3s", "2m", "5h", "12d": an age as people read it. */
const char *clock_format_age(int64_t seconds, char buf[static CLOCK_RFC3339_MAX]);

#define SECONDS(n) (1000000000 * (int64_t)(n))
#define MILLISECONDS(n) (1000000 * (int64_t)(n))
