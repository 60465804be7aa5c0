#include "schema/base/clock.h"

#include <criterion/criterion.h>
#include <errno.h>

#include "schema/base/mem.h"

Test(clock, rfc3339)
{
    static const struct {
        const char *text, *utc; /* utc NULL: refused */
    } rows[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
        {"2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"},
        {"2024-02-29t23:59:59z", "2024-02-29T23:59:59Z"},
        {"2024-03-01T00:30:00+01:00", "2024-02-29T23:30:00Z"},
        {"2023-12-31T23:30:00-00:45", "2024-01-01T00:15:00Z"},
        {"2024-01-01T00:00:00.999999999Z", "2024-01-01T00:00:00Z"},
        {"1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"},
        {"9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"},
        {"2038-01-19T03:14:08Z", "2038-01-19T03:14:08Z"},
        {"2023-02-29T00:00:00Z", NULL},
        {"2024-00-01T00:00:00Z", NULL},
        {"2024-13-01T00:00:00Z", NULL},
        {"2024-04-31T00:00:00Z", NULL},
        {"2024-01-00T00:00:00Z", NULL},
        {"2024-01-01T24:00:00Z", NULL},
        {"2024-01-01T00:60:00Z", NULL},
        {"2024-01-01T00:00:61Z", NULL},
        {"2024-01-01T00:00:00", NULL},
        {"2024-01-01 00:00:00Z", NULL},
        {"2024-01-01T00:00:00.Z", NULL},
        {"2024-01-01T00:00:00Z ", NULL},
        {"2024-01-01T00:00:00+24:00", NULL},
        {"2024-01-01T00:00:00+0100", NULL},
        {"2024-01-01T00:00:00+01:00x", NULL},
        {"2024-1-1T00:00:00Z", NULL},
        {"2024-01-01", NULL},
        {"+024-01-01T00:00:00Z", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t seconds = 7;
        char buf[CLOCK_RFC3339_MAX];
        int r = clock_parse_rfc3339(rows[i].text, &seconds);
        if (rows[i].utc) {
            cr_expect_eq(r, 0, "\"%s\" is refused", rows[i].text);
            cr_expect_str_eq(clock_format_rfc3339(seconds, buf), rows[i].utc, "\"%s\": %s",
                             rows[i].text, buf);
        } else {
            cr_expect(r == -EINVAL && seconds == 7, "\"%s\" was taken", rows[i].text);
        }
    }
    int64_t seconds;
    cr_assert_eq(clock_parse_rfc3339("2001-09-09T01:46:40Z", &seconds), 0);
    cr_expect_eq(seconds, 1000000000);
}

Test(clock, age)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {-5, "0s"},   {0, "0s"},          {119, "119s"},     {120, "2m"},           {7199, "119m"},
        {7200, "2h"}, {47 * 3600, "47h"}, {48 * 3600, "2d"}, {400 * 86400, "400d"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char buf[CLOCK_RFC3339_MAX];
        cr_expect_str_eq(clock_format_age(rows[i].seconds, buf), rows[i].text, "row %zu: %s", i,
                         buf);
    }
}

Test(clock, system)
{
    int64_t before = clock_system.monotonic(clock_system.context);
    int64_t after = clock_system.monotonic(clock_system.context);
    int64_t year_2020 = SECONDS(1577836800), year_2100 = SECONDS(4102444800);
    int64_t now = clock_system.realtime(clock_system.context);
    cr_expect(before > 0 && after >= before && after - before < SECONDS(5));
    cr_expect(now > year_2020 && now < year_2100);
}
