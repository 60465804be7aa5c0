#include "schema/base/mem.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/out.h"

struct options {
    bool confirm;
};

static const struct flag flags[] = {
    FLAG(options, confirm, "confirm", 0, SWITCH, NULL, "remove what is held"),
};

/* Without --confirm: how much is held, and what to say. */
static int tell(const struct config *config, struct error **reterr)
{
    json_t *status = NULL;
    int r = client_get(config, "/v1/status", &status, reterr);
    if (r != 0)
        return r;
    long long held = (long long)json_integer_value(json_object_get(status, "held"));
    json_decref(status);
    if (held)
        out_line("%lld removal%s held back; `picctl prune --confirm` lets %s go", held,
                 held == 1 ? " is" : "s are", held == 1 ? "it" : "them");
    else
        out_line("nothing is held back");
    return 0;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    MEM_AUTO char *message = NULL;

    (void)words;
    int r = o->confirm ? client_control(config, "prune", &message, &error) : tell(config, &error);
    if (r > 0)
        r = client_missing(config, &error);
    if (r < 0)
        return out_failed(error);
    if (message)
        out_line("%s", message);
    return 0;
}

const struct command cmd_prune = {
    .name = "prune",
    .arguments = "",
    .help = "removes what the prune guard holds back",
    .more = "When one change of the manifests would remove a large part of the cell, picd keeps "
            "what would go\n"
            "until this verb confirms it (prune.guard of the Cell says how much is too much).",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .run = run,
};
