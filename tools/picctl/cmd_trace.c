#include <errno.h>

#include "schema/base/mem.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/out.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "-";
}

static void print_list(const json_t *list, const char *lead)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item) out_line("  %s%s", lead, json_string_value(item));
}

static int show(const json_t *trace)
{
    out_line("%s -> %s: %s", text_of(trace, "peer"), text_of(trace, "to"),
             text_of(trace, "verdict"));
    print_list(json_object_get(trace, "steps"), "");
    out_line("  its internet traffic leaves: %s", text_of(trace, "leaves"));
    print_list(json_object_get(trace, "doubts"), "but: ");
    return 0;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    json_t *trace = NULL;

    (void)options;
    MEM_AUTO char *target = mem_printf("/v1/trace?peer=%s&to=%s", words->list[0], words->list[1]);
    int r = client_get(config, target, &trace, &error);
    if (r == CLIENT_NO_DAEMON)
        r = client_missing(config, &error);
    else if (r == CLIENT_NOT_FOUND)
        r = error_make(&error, ENOENT, "no Peer \"%s\" is in force; `picctl get peers` lists them",
                       words->list[0]);
    if (r < 0)
        return out_failed(error);
    show(trace);
    json_decref(trace);
    return 0;
}

const struct command cmd_trace = {
    .name = "trace",
    .arguments = "PEER ADDRESS",
    .help = "tells which way a packet of a peer takes, and what would refuse it",
    .least = 2,
    .most = 2,
    .run = run,
};
