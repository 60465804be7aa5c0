#include "schema/decode/decode.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/out.h"

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    json_t *status = NULL;

    (void)options, (void)words;
    out_line("picctl %s, manifests %s", PIC_VERSION, API_VERSION);
    int r = client_get(config, "/v1/status", &status, &error);
    const char *version = json_string_value(json_object_get(status, "version"));
    if (r == 0)
        out_line("picd %s", version ? version : "of an unknown version");
    else
        out_note("%s", r > 0 ? "picd does not run" : error->message);
    json_decref(status);
    return 0;
}

const struct command cmd_version = {
    .name = "version",
    .arguments = "",
    .help = "prints the versions of picctl and of the running picd",
    .run = run,
};
