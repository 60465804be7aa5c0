#include <string.h>

#include "schema/base/mem.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/given.h"
#include "tools/picctl/human.h"
#include "tools/picctl/out.h"
#include "tools/picctl/proposal.h"
#include "tools/picctl/wait.h"

struct options {
    struct words files;
    const char *timeout;
    bool dry_run, wait;
};

static const struct flag flags[] = {
    FLAG(options, files, "filename", 'f', TEXTS, "FILE",
         "a manifest, a directory of them, or - for standard input"),
    FLAG(options, dry_run, "dry-run", 0, SWITCH, NULL, "check and show everything, write nothing"),
    FLAG(options, wait, "wait", 0, SWITCH, NULL, "wait until all of it is ready"),
    FLAG(options, timeout, "timeout", 0, TEXT, "TIME", "how long, as 90s or 5m; 30s unless given"),
};

static int wait_for_all(const struct config *config, const struct proposal *proposal,
                        int64_t seconds)
{
    ERROR_AUTO error = NULL;
    for (size_t i = 0; i < proposal->count; i++)
        if (wait_ready(config, proposal->list[i].resource, &seconds, &error) < 0)
            return out_failed(error);
    return 0;
}

static int apply(const struct config *config, const struct options *o, const struct given *given,
                 int64_t seconds)
{
    ERROR_AUTO error = NULL;
    PROPOSAL_AUTO proposal = {0};
    STRBUF_AUTO told = STRBUF_INIT;

    int r = proposal_open(config, &proposal, &error);
    if (r == 0)
        r = proposal_add_given(&proposal, given, &error);
    if (r == 0)
        r = proposal_settle(&proposal, &error);
    if (r > 0)
        return out_refused("nothing was written: repair what is said above");
    if (r == 0 && !o->dry_run)
        r = proposal_write(&proposal, &error);
    if (r < 0)
        return out_failed(error);
    proposal_tell(&proposal, o->dry_run, &told);
    out_text(&told);
    if (o->wait && !o->dry_run)
        return wait_for_all(config, &proposal, seconds);
    if (!o->dry_run && draft_changed(&proposal.draft) && !client_answers(config))
        out_note("picd does not run: nothing is watching; what was written counts from its start");
    return 0;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    GIVEN_AUTO given = {0};
    int64_t seconds = 30;

    (void)words;
    if (!o->files.count)
        return out_misused(
            "-f is missing: it names what to apply, as in `picctl apply -f peer.yaml`");
    if (o->timeout && human_parse_duration(o->timeout, &seconds) < 0)
        return out_misused("--timeout \"%s\": expected a time such as 90s or 5m", o->timeout);
    if (given_read(config, &o->files, &given, &error) < 0)
        return out_failed(error);
    if (given_wrong(&given))
        return out_refused("nothing was written: repair what is said above");
    return apply(config, o, &given, seconds);
}

const struct command cmd_apply = {
    .name = "apply",
    .arguments = "-f FILE…",
    .help = "writes manifests into the manifest directory",
    .more = "Everything is checked together with what is there, then written: the document of a "
            "resource that is\n"
            "there is replaced as a whole, byte by byte, and nothing else in its file changes; a "
            "new resource gets\n"
            "a file of its own. A Peer without an address gets one, and it is written down. On any "
            "error nothing\n"
            "is written.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .run = run,
};
