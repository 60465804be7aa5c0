#include "tools/picctl/human.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"

const char *human_bytes(uint64_t bytes, char buf[static HUMAN_MAX])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    /* 1023.96 KiB would be printed as 1024.0 KiB. */
    while (value >= 1023.95 && unit + 1 < ARRAY_SIZE(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(buf, HUMAN_MAX, "%.*f %s", unit && value < 99.95 ? 1 : 0, value, units[unit]);
    return buf;
}

const char *human_since(const char *when, int64_t now, char buf[static HUMAN_MAX])
{
    int64_t then;
    _Static_assert((int)HUMAN_MAX >= (int)CLOCK_RFC3339_MAX, "an age fits");
    if (when && clock_parse_rfc3339(when, &then) == 0)
        return clock_format_age(now - then, buf);
    snprintf(buf, HUMAN_MAX, "-");
    return buf;
}

int human_parse_duration(const char *text, int64_t *ret_seconds)
{
    static const struct {
        const char *letter;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}};
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 6)
        return -EINVAL;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (strcmp(text + digits, units[i].letter) != 0)
            continue;
        *ret_seconds = strtoll(text, NULL, 10) * units[i].seconds;
        return 0;
    }
    return -EINVAL;
}

int64_t human_now(void)
{
    return clock_system.realtime(clock_system.context) / SECONDS(1);
}
