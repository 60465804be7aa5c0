#include "controller/engine/preview.h"
#include "schema/base/mem.h"
#include "tools/picctl/command.h"
#include "tools/picctl/given.h"
#include "tools/picctl/out.h"
#include "tools/picctl/proposal.h"

/* The exit status is made of these; what is above them is an error. */
enum { DIFF_PENDING = 1, DIFF_DRIFT = 2, DIFF_FAILED = 4 };

struct options {
    struct words files;
};

static const struct flag flags[] = {
    FLAG(options, files, "filename", 'f', TEXTS, "FILE",
         "as if these manifests were applied; - for standard input"),
};

static int show(struct sys *sys, const struct config *config, struct store *store,
                const struct changes *changes, struct error **reterr)
{
    PLAN_AUTO plan = {0};
    STRBUF_AUTO text = STRBUF_INIT;
    int r = preview_plan(sys, config, store, changes, &plan, reterr);
    if (r < 0)
        return r;
    plan_print(&plan, &text);
    out_text(&text);
    return (plan_has_pending(&plan) ? DIFF_PENDING : 0) + (plan_has_drift(&plan) ? DIFF_DRIFT : 0);
}

/* What is wrong in the manifests is not in the plan: the last good versions are. */
static void say_errors(const struct store *store)
{
    DIAGS_AUTO diags = DIAGS_INIT;
    store_diags(store, &diags);
    if (diags.errors)
        out_note(
            "%zu error%s in the manifests, which the plan leaves out; `picctl validate` lists %s",
            diags.errors, diags.errors == 1 ? "" : "s", diags.errors == 1 ? "it" : "them");
}

static int compare(const struct config *config, const struct draft *draft, struct error **reterr)
{
    struct sys *sys = NULL;
    struct store *store = NULL;
    struct changes changes = {0};
    int r = draft_preview(draft, &store, &changes, reterr);
    if (r == 0)
        say_errors(store);
    if (r == 0)
        r = sys_open(&sys, reterr);
    if (r == 0)
        r = show(sys, config, store, &changes, reterr);
    changes_clear(&changes);
    store_free(store);
    sys_close(sys);
    return r;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    GIVEN_AUTO given = {0};
    PROPOSAL_AUTO proposal = {0};

    (void)words;
    int r = given_read(config, &o->files, &given, &error);
    if (r == 0 && o->files.count && given_wrong(&given))
        return DIFF_FAILED;
    if (r == 0)
        r = proposal_open(config, &proposal, &error);
    if (r == 0)
        r = proposal_add_given(&proposal, &given, &error);
    if (r == 0 && proposal.count) {
        r = proposal_settle(&proposal, &error);
        if (r > 0)
            return DIFF_FAILED;
    }
    if (r == 0)
        r = compare(config, &proposal.draft, &error);
    if (r >= 0)
        return r;
    out_failed(error);
    return DIFF_FAILED;
}

const struct command cmd_diff = {
    .name = "diff",
    .arguments = "[-f FILE…]",
    .help = "shows what would be done to the live system",
    .more =
        "A plan, made like picd makes it and not carried out: + makes, ~ changes, - takes away.\n"
        "Exit status: 0 nothing to do, 1 changes are pending, 2 the live system has drifted, 3 "
        "both,\n"
        "4 and above an error.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .run = run,
};
