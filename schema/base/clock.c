#include "schema/base/clock.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "schema/base/mem.h"

static int64_t read_clock(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return SECONDS(now.tv_sec) + now.tv_nsec;
}

static int64_t system_monotonic(void *context)
{
    (void)context;
    return read_clock(CLOCK_BOOTTIME);
}

static int64_t system_realtime(void *context)
{
    (void)context;
    return read_clock(CLOCK_REALTIME);
}

const struct clock clock_system = {system_monotonic, system_realtime, NULL};

/* Matches text against a pattern where '0' is any digit and others are themselves, case aside; the
 * digits of each run become one number. Returns the rest of text, or NULL. */
static const char *scan(const char *text, const char *pattern, int *ret_numbers)
{
    int *number = NULL;
    for (; *pattern; pattern++, text++) {
        if (*pattern != '0') {
            if (toupper((unsigned char)*text) != *pattern)
                return NULL;
            number = NULL;
            continue;
        }
        if (*text < '0' || *text > '9')
            return NULL;
        if (!number) {
            number = ret_numbers++;
            *number = 0;
        }
        *number = *number * 10 + (*text - '0');
    }
    return text;
}

static const char *skip_fraction(const char *text)
{
    if (*text != '.')
        return text;
    size_t digits = strspn(text + 1, "0123456789");
    return digits ? text + 1 + digits : NULL;
}

/* "Z", "+hh:mm" or "-hh:mm", and nothing after it. */
static int parse_offset(const char *text, int64_t *ret_seconds)
{
    if ((*text == 'Z' || *text == 'z') && !text[1]) {
        *ret_seconds = 0;
        return 0;
    }
    int n[2];
    const char *rest = *text == '+' || *text == '-' ? scan(text + 1, "00:00", n) : NULL;
    if (!rest || *rest || n[0] > 23 || n[1] > 59)
        return -EINVAL;
    *ret_seconds = (*text == '-' ? -60 : 60) * (n[0] * 60 + n[1]);
    return 0;
}

int clock_parse_rfc3339(const char *text, int64_t *ret_seconds)
{
    int n[6];
    int64_t offset;
    const char *rest = scan(text, "0000-00-00T00:00:00", n);
    if (rest)
        rest = skip_fraction(rest);
    if (!rest || parse_offset(rest, &offset) < 0)
        return -EINVAL;
    struct tm tm = {
        .tm_year = n[0] - 1900,
        .tm_mon = n[1] - 1,
        .tm_mday = n[2],
        .tm_hour = n[3],
        .tm_min = n[4],
        .tm_sec = n[5],
    };
    struct tm given = tm;
    /* Moves what is out of range to a date that is not: 31 April to another month. */
    time_t seconds = timegm(&tm);
    if (tm.tm_mon != given.tm_mon || tm.tm_hour != given.tm_hour || tm.tm_min != given.tm_min ||
        tm.tm_sec != given.tm_sec)
        return -EINVAL;
    *ret_seconds = (int64_t)seconds - offset;
    return 0;
}

const char *clock_format_rfc3339(int64_t seconds, char buf[static CLOCK_RFC3339_MAX])
{
    time_t time = (time_t)seconds;
    struct tm tm;
    if (!gmtime_r(&time, &tm) || !strftime(buf, CLOCK_RFC3339_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm))
        buf[0] = '\0';
    return buf;
}

const char *clock_format_age(int64_t seconds, char buf[static CLOCK_RFC3339_MAX])
{
    static const struct {
        int64_t seconds;
        char letter;
    } units[] = {{24 * 3600, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    if (seconds < 0)
        seconds = 0;
    /* The largest unit of which there are two: "90m" says more than "1h". */
    size_t i = 0;
    while (i + 1 < ARRAY_SIZE(units) && seconds < 2 * units[i].seconds)
        i++;
    snprintf(buf, CLOCK_RFC3339_MAX, "%lld%c", (long long)(seconds / units[i].seconds),
             units[i].letter);
    return buf;
}
