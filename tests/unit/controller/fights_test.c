#include <criterion/criterion.h>

#include "controller/engine/fights.h"
#include "schema/base/clock.h"

enum { MOST = 10 }; /* repairs within ten seconds that are still no fight */

static bool rests(const struct fights *fights, int64_t now, int64_t *until)
{
    STRBUF_AUTO why = STRBUF_INIT;
    bool rest = fights_rest(fights, "rule 88", now, "nft[7]", until, &why);
    cr_expect_eq(rest, why.len > 0);
    if (rest)
        cr_expect(strstr(why.text, "nft[7]"), "%s", why.text);
    return rest;
}

static int64_t repair(struct fights *fights, unsigned times, int64_t now)
{
    for (unsigned i = 0; i < times; i++, now += MILLISECONDS(10))
        fights_repaired(fights, "rule 88", now);
    return now;
}

Test(fights, few_repairs_are_none)
{
    struct fights fights = {0};
    int64_t until, now = repair(&fights, MOST, SECONDS(100));
    cr_expect(!rests(&fights, now, &until));
    /* As many again, but later: the window is over. */
    now = repair(&fights, MOST, now + SECONDS(11));
    cr_expect(!rests(&fights, now, &until));
    fights_clear(&fights);
}

Test(fights, rests_longer_each_time_and_forgets)
{
    struct fights fights = {0};
    int64_t until, former = 0, now = SECONDS(100);
    for (unsigned round = 0; round < 8; round++) {
        now = repair(&fights, MOST + 1, now);
        cr_assert(rests(&fights, now, &until));
        cr_expect(until - now >= former - MILLISECONDS(200));
        cr_expect(until - now <= SECONDS(32));
        former = until - now;
        cr_expect(!rests(&fights, until, &until));
        now += former;
    }
    cr_expect(former > SECONDS(16));
    fights_tidy(&fights, now + SECONDS(20));
    cr_expect_eq(fights.by_object.count, 1);
    fights_tidy(&fights, now + SECONDS(200));
    cr_expect_eq(fights.by_object.count, 0);
    fights_clear(&fights);
}

Test(fights, others_are_not_concerned)
{
    struct fights fights = {0};
    STRBUF_AUTO why = STRBUF_INIT;
    int64_t until, now = repair(&fights, MOST + 1, SECONDS(100));
    cr_expect(rests(&fights, now, &until));
    cr_expect(!fights_rest(&fights, "rule 89", now, "", &until, &why));
    fights_clear(&fights);
}
