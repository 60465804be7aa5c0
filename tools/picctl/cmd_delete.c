#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/suggest.h"
#include "tools/picctl/client.h"
#include "tools/picctl/command.h"
#include "tools/picctl/draft.h"
#include "tools/picctl/given.h"
#include "tools/picctl/out.h"
#include "tools/picctl/references.h"
#include "tools/picctl/target.h"

struct options {
    struct words files;
    bool force, dry_run;
};

static const struct flag flags[] = {
    FLAG(options, files, "filename", 'f', TEXTS, "FILE",
         "what stands in this manifest, or - for standard input"),
    FLAG(options, force, "force", 0, SWITCH, NULL, "also if others name what goes"),
    FLAG(options, dry_run, "dry-run", 0, SWITCH, NULL, "check and show everything, write nothing"),
};

/* The ids to delete, owned. */
struct ids {
    char **list;
    size_t count, capacity;
};

static void ids_add(struct ids *ids, const char *kind, const char *name)
{
    ids->list = mem_grow(ids->list, ids->count, &ids->capacity, sizeof(*ids->list));
    ids->list[ids->count++] = mem_printf("%s/%s", kind, name);
}

static void ids_clear(struct ids *ids)
{
    for (size_t i = 0; i < ids->count; i++)
        free(ids->list[i]);
    mem_freep(&ids->list);
}
#define IDS_AUTO __attribute__((cleanup(ids_clear))) struct ids

static void add_given(const struct given *given, struct ids *ids)
{
    for (size_t i = 0; i < given->count; i++)
        for (size_t k = 0; k < given->list[i].manifest->count; k++) {
            const struct resource *resource = given->list[i].manifest->entries[k].resource;
            ids_add(ids, resource->kind->name, resource->name);
        }
}

/* ---- what speaks against it ------------------------------------------------------------------ */

struct names {
    const struct kind *kind;
    const char **list;
    size_t count, capacity;
};

static void collect_name(const struct resource *resource, void *context)
{
    struct names *names = context;
    if (resource->kind != names->kind)
        return;
    names->list = mem_grow((void *)names->list, names->count, &names->capacity, sizeof(char *));
    names->list[names->count++] = resource->name;
}

static const char *next_name(const void *context, size_t i)
{
    const struct names *names = context;
    return i < names->count ? names->list[i] : NULL;
}

static int refuse_absent(const struct draft *draft, const char *id, struct error **reterr)
{
    size_t len = strcspn(id, "/");
    MEM_AUTO char *kind = mem_strndup(id, len);
    struct target target = {kind_find(kind), id + len + 1};
    struct names names = {.kind = target.kind};
    draft_each(draft, collect_name, &names);
    int r = target_absent(&target, suggest_nearest(target.name, next_name, &names), reterr);
    mem_freep(&names.list);
    return r;
}

static int check(const struct draft *draft, const struct ids *ids, bool force,
                 struct error **reterr)
{
    STRBUF_AUTO why = STRBUF_INIT;
    for (size_t i = 0; i < ids->count; i++)
        if (!draft_has(draft, ids->list[i]))
            return refuse_absent(draft, ids->list[i], reterr);
    if (!force && references_dangling(draft, (const char *const *)ids->list, ids->count, &why))
        return error_make(reterr, EBUSY,
                          "%s; change that first, or say --force (`picctl teardown` takes what is "
                          "live away and leaves the manifests)",
                          why.text);
    return 0;
}

/* picd decides by the same rule from the same files. */
static int say_held(const struct draft *draft, struct error **reterr)
{
    struct store *store = NULL;
    struct changes changes = {0};
    int r = draft_load(draft, &store, &changes, reterr);
    if (r < 0)
        return r;
    draft_enter(draft, store, &changes);
    size_t held = store_held(store);
    changes_clear(&changes);
    store_free(store);
    if (held)
        out_note(
            "the prune guard will hold %zu removal%s back until `picctl prune --confirm`: it is "
            "a large part of the cell (prune.guard), or the Cell itself",
            held, held == 1 ? "" : "s");
    return 0;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int delete_all(const struct config *config, const struct options *o, const struct ids *ids)
{
    ERROR_AUTO error = NULL;
    DRAFT_AUTO draft = {0};

    int r = draft_open(config, &draft, &error);
    if (r == 0)
        r = check(&draft, ids, o->force, &error);
    for (size_t i = 0; r == 0 && i < ids->count; i++)
        r = draft_remove(&draft, ids->list[i], &error);
    if (r == 0)
        r = draft_build(&draft, &error);
    if (r == 0)
        r = say_held(&draft, &error);
    if (r == 0 && !o->dry_run)
        r = draft_write(&draft, &error);
    if (r < 0)
        return out_failed(error);
    for (size_t i = 0; i < ids->count; i++)
        out_line("%s deleted from %s%s", ids->list[i], draft_path(&draft, ids->list[i]),
                 o->dry_run ? " (dry run)" : "");
    if (!o->dry_run && !client_answers(config))
        out_note("picd does not run: nothing is watching; what is live stays until it starts");
    return 0;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    const struct options *o = options;
    ERROR_AUTO error = NULL;
    TARGETS_AUTO targets = {0};
    GIVEN_AUTO given = {0};
    IDS_AUTO ids = {0};

    if (!words->count == !o->files.count)
        return out_misused("expected what to delete: KIND/NAME…, or -f FILE");
    if (targets_read_named(words, &targets, &error) < 0)
        return out_misused("%s", error->message);
    for (size_t i = 0; i < targets.count; i++)
        ids_add(&ids, targets.list[i].kind->name, targets.list[i].name);
    if (given_read(config, &o->files, &given, &error) < 0)
        return out_failed(error);
    if (o->files.count && given_wrong(&given))
        return out_refused("nothing was deleted: repair what is said above, or name the resources");
    add_given(&given, &ids);
    return delete_all(config, o, &ids);
}

const struct command cmd_delete = {
    .name = "delete",
    .arguments = "KIND/NAME… | -f FILE",
    .help = "takes resources out of the manifest directory",
    .more = "The document goes, and its file too when nothing but comments would be left in it. "
            "Nothing is written\n"
            "if another resource names what would go, unless --force is given.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .most = WORDS_ANY,
    .run = run,
};
