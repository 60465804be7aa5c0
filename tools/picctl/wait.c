#include "tools/picctl/wait.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"
#include "schema/emit/emit.h"
#include "tools/picctl/client.h"
#include "tools/picctl/item.h"

enum { POLL_MS = 100 };

static int64_t now(void)
{
    return clock_system.monotonic(clock_system.context);
}

/* Does picd have this very version in force? */
static bool is_in_force(const json_t *item, const struct resource *resource)
{
    json_t *written = emit_json(resource, EMIT_WRITTEN);
    bool same = json_equal(json_object_get(item, "spec"), json_object_get(written, "spec"));
    json_decref(written);
    return same;
}

/* Returns 1 when it is ready; else *retwhy, which the caller frees, says what it waits for. */
static int look(const struct config *config, const struct resource *resource, char **retwhy,
                struct error **reterr)
{
    MEM_AUTO char *target =
        mem_printf("/v1/resources/%s/%s", resource->kind->plural, resource->name);
    json_t *item = NULL;
    int r = client_get(config, target, &item, reterr);
    if (r == CLIENT_NO_DAEMON)
        return client_missing(config, reterr);
    if (r < 0)
        return r;
    const json_t *ready = item_condition(item, "Ready");
    const char *status = condition_text(ready, "status");
    const char *message = condition_text(ready, "message");
    bool is_ready = r == 0 && is_in_force(item, resource) && status && strcmp(status, "True") == 0;
    if (!is_ready)
        *retwhy = mem_strdup(message && *message ? message : "picd has not carried it out yet");
    json_decref(item);
    return is_ready;
}

int wait_ready(const struct config *config, const struct resource *resource, int64_t *seconds,
               struct error **reterr)
{
    const struct timespec pause = {.tv_nsec = MILLISECONDS(POLL_MS)};
    int64_t until = now() + SECONDS(*seconds);
    for (;;) {
        MEM_AUTO char *why = NULL;
        int r = look(config, resource, &why, reterr);
        if (r == 1) {
            *seconds = (until - now()) / SECONDS(1);
            return 0;
        }
        if (r < 0)
            return r;
        if (now() >= until)
            return error_make(reterr, ETIMEDOUT,
                              "%s is written, but was not ready in time: %s; `picctl describe %s` "
                              "says more",
                              resource->id, why, resource->id);
        nanosleep(&pause, NULL);
    }
}
