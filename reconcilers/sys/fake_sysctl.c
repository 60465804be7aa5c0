#include "reconcilers/sys/fake_side.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "reconcilers/sys/fake.h"
#include "reconcilers/sys/ops.h"
#include "schema/base/mem.h"

#define ROUTER4 "net/ipv4/ip_forward"

/* When a value for all becomes that of every interface. */
enum spreading { NEVER, ON_CHANGE, ALWAYS };

static const struct {
    const char *family, *name;
    long first, min, max;
    enum spreading spreading;
    bool to_come; /* what spreads is for interfaces to come, too */
    bool strays;  /* a default is also for interfaces for which nobody chose a value */
    bool told;    /* by an event */
} settings[] = {
    [FAKE_FORWARDING] = {"ipv4", "forwarding", 0, INT_MIN, INT_MAX, ON_CHANGE, true, false, true},
    [FAKE_RP_FILTER] = {"ipv4", "rp_filter", 0, INT_MIN, INT_MAX, NEVER, false, true, true},
    [FAKE_SRC_VALID_MARK] = {"ipv4", "src_valid_mark", 0, INT_MIN, INT_MAX, NEVER, false, true,
                             false},
    [FAKE_FORWARDING6] = {"ipv6", "forwarding", 0, INT_MIN, INT_MAX, ALWAYS, true, false, true},
    [FAKE_DISABLE_IPV6] = {"ipv6", "disable_ipv6", 0, INT_MIN, INT_MAX, ALWAYS, true, false, false},
    [FAKE_ACCEPT_RA] = {"ipv6", "accept_ra", 1, INT_MIN, INT_MAX, NEVER, false, false, false},
    [FAKE_FORCE_FORWARDING] = {"ipv6", "force_forwarding", 0, 0, 1, ON_CHANGE, false, false, true},
};
_Static_assert(ARRAY_SIZE(settings) == FAKE_SETTING_COUNT, "every setting has a row");

void fake_conf_init(struct fake *fake)
{
    for (size_t i = 0; i < FAKE_SETTING_COUNT; i++)
        fake->conf_all.values[i] = fake->conf_default.values[i] = settings[i].first;
}

/* ---- which one ------------------------------------------------------------------------------- */

/* What a name means: a setting, for an interface, for all, or for those to come. */
struct meaning {
    size_t setting;
    struct fake_conf *conf;
    char interface[IFNAMSIZ]; /* "" when it is not one */
};

static struct fake_conf *conf_of(struct fake *fake, const char *scope, char interface[IFNAMSIZ])
{
    if (strcmp(scope, "all") == 0)
        return &fake->conf_all;
    if (strcmp(scope, "default") == 0)
        return &fake->conf_default;
    struct fake_link *link = fake_find(fake, scope);
    if (link)
        memcpy(interface, link->link.name, IFNAMSIZ);
    return link ? &link->conf : NULL;
}

static bool understand(struct fake *fake, const char *name, struct meaning *ret)
{
    char family[8], scope[IFNAMSIZ], setting[32];
    if (strcmp(name, ROUTER4) == 0)
        name = "net/ipv4/conf/all/forwarding";
    if (sscanf(name, "net/%7[^/]/conf/%15[^/]/%31[^/]", family, scope, setting) != 3)
        return false;
    *ret = (struct meaning){0};
    ret->conf = conf_of(fake, scope, ret->interface);
    for (; ret->setting < FAKE_SETTING_COUNT; ret->setting++)
        if (strcmp(settings[ret->setting].family, family) == 0 &&
            strcmp(settings[ret->setting].name, setting) == 0)
            return ret->conf && !fake->setting_missing[ret->setting];
    return false;
}

/* ---- what we may do -------------------------------------------------------------------------- */

int fake_sysctl_get(void *side, const char *name, long *ret, struct error **reterr)
{
    (void)reterr;
    struct meaning meaning;
    if (!understand(side, name, &meaning))
        return SYS_ABSENT;
    *ret = meaning.conf->values[meaning.setting];
    return 0;
}

/* What a value for all, or for those to come, does to the interfaces there are. */
static void spread(struct fake *fake, const struct meaning *meaning, bool changed)
{
    size_t at = meaning->setting;
    long value = meaning->conf->values[at];
    enum spreading spreading = settings[at].spreading;
    bool all = meaning->conf == &fake->conf_all &&
               (spreading == ALWAYS || (spreading == ON_CHANGE && changed));
    bool stray = meaning->conf == &fake->conf_default && settings[at].strays;
    if (all && settings[at].to_come)
        fake->conf_default.values[at] = value;
    for (size_t i = 0; i < fake->count; i++) {
        struct fake_conf *conf = &fake->links[i]->conf;
        if (all || (stray && !conf->chosen[at]))
            conf->values[at] = value;
    }
}

int fake_sysctl_set(void *side, const char *name, long value, struct error **reterr)
{
    struct meaning meaning;
    if (!understand(side, name, &meaning))
        return SYS_ABSENT;
    size_t at = meaning.setting;
    if (value < settings[at].min || value > settings[at].max)
        return error_errno(reterr, EINVAL, "cannot set \"%s\" to %ld", name, value);
    bool changed = meaning.conf->values[at] != value;
    meaning.conf->values[at] = value;
    meaning.conf->chosen[at] = true;
    spread(side, &meaning, changed);
    return 0;
}

/* ---- somebody else's hands ------------------------------------------------------------------- */

void sys_fake_sysctl_set(struct sys *sys, const char *name, long value)
{
    struct meaning meaning;
    ERROR_AUTO error = NULL;
    int r = fake_sysctl_set(sys_side(sys), name, value, &error);
    assert(r == 0);
    if (r != 0 || !understand(sys_side(sys), name, &meaning) || !settings[meaning.setting].told)
        return;
    struct sys_event event = {.type = SYS_EVENT_NETCONF};
    memcpy(event.interface, meaning.interface, sizeof(event.interface));
    fake_happen(sys_side(sys), &event);
}

void sys_fake_sysctl_lacks(struct sys *sys, const char *setting)
{
    struct fake *fake = sys_side(sys);
    bool known = false;
    for (size_t i = 0; i < FAKE_SETTING_COUNT; i++) {
        if (strcmp(settings[i].name, setting) == 0)
            known = fake->setting_missing[i] = true;
    }
    assert(known);
    (void)known;
}
