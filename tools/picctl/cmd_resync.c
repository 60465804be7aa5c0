#include "schema/base/mem.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/out.h"

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    MEM_AUTO char *message = NULL;

    (void)options, (void)words;
    int r = client_control(config, "resync", &message, &error);
    if (r == CLIENT_NO_DAEMON)
        r = client_missing(config, &error);
    if (r < 0)
        return out_failed(error);
    out_line("%s", message);
    return 0;
}

const struct command cmd_resync = {
    .name = "resync",
    .arguments = "",
    .help = "makes picd look at all manifests and the whole system now",
    .run = run,
};
