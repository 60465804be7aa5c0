#include "controller/engine/preview.h"
#include "controller/store/load.h"
#include "schema/base/mem.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/directory.h"
#include "tools/picctl/out.h"

struct options {
    bool yes;
};

static const struct flag flags[] = {
    FLAG(options, yes, "yes", 'y', SWITCH, NULL, "do not ask"),
};

/* Without picd it is carried out here, by the same steps. */
static int tear_down(const struct config *config, struct error **reterr)
{
    struct sys *sys = NULL;
    struct store *store = NULL;
    struct changes changes = {0};
    PLAN_AUTO plan = {0};
    STRBUF_AUTO text = STRBUF_INIT;

    int r = directory_exists(config, reterr);
    if (r == 0)
        r = load_tree(config->manifests, config->state, config->cell, NULL, 0, &store, &changes,
                      reterr);
    if (r == 0)
        r = sys_open(&sys, reterr);
    if (r == 0)
        r = preview_teardown(sys, config, store, &changes, &plan, reterr);
    if (r == 0) {
        plan_print(&plan, &text);
        out_text(&text);
        out_line(plan.count ? "everything live of this cell is gone; manifests and secrets stay"
                            : "there was nothing live of this cell");
    }
    changes_clear(&changes);
    store_free(store);
    sys_close(sys);
    return r;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    MEM_AUTO char *message = NULL;

    (void)words;
    if (!o->yes &&
        !out_asked("take away everything live of this cell: its interface and all tunnels?"))
        return out_refused("nothing was taken away: answer yes on a terminal, or say --yes");
    int r = client_control(config, "teardown", &message, &error);
    if (r == CLIENT_NO_DAEMON)
        r = tear_down(config, &error);
    if (r < 0)
        return out_failed(error);
    if (message)
        out_line("%s", message);
    return 0;
}

const struct command cmd_teardown = {
    .name = "teardown",
    .arguments = "",
    .help = "takes everything live of this cell away, and nothing else",
    .more = "Only what carries the cell's mark goes. Manifests and secrets stay: picd, started "
            "again, brings\n"
            "everything back.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .run = run,
};
