#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "controller/source/tree.h"
#include "controller/store/load.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/decode/decode.h"
#include "schema/emit/emit.h"
#include "schema/manifest.h"
#include "tools/picctl/command.h"
#include "tools/picctl/directory.h"
#include "tools/picctl/out.h"
#include "tools/picctl/prefixes.h"

enum { HOST_NAME_SIZE = 256, LABEL_MAX = 63 };

struct options {
    const char *endpoint, *domain, *vpn, *vpn6;
};

static const struct flag flags[] = {
    FLAG(options, endpoint, "endpoint", 0, TEXT, "HOST",
         "host or host:port under which devices reach the cell from outside"),
    FLAG(options, domain, "domain", 0, TEXT, "NAME",
         "names of the cell live under it; NAME.cell unless given"),
    FLAG(options, vpn, "vpn", 0, TEXT, "PREFIX",
         "private IPv4 prefix of the VPN; a random 10.x.y.0/24 unless given"),
    FLAG(options, vpn6, "vpn6", 0, TEXT, "PREFIX",
         "the same for IPv6: a /64 in fd00::/8; random unless given"),
};

/* ---- the name -------------------------------------------------------------------------------- */

/* The host's name up to its first dot, with what a name cannot have turned into '-'. */
static char *name_of_host(void)
{
    char host[HOST_NAME_SIZE] = "";
    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    host[strcspn(host, ".")] = '\0';
    host[LABEL_MAX] = '\0';
    for (char *c = host; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)tolower((unsigned char)*c) : '-';
    size_t start = strspn(host, "-"), end = strlen(host);
    while (end > start && host[end - 1] == '-')
        end--;
    return end > start ? mem_strndup(host + start, end - start) : mem_strdup("cell");
}

/* ---- the prefixes ---------------------------------------------------------------------------- */

struct prefixes {
    char vpn[ADDR_TEXT_MAX], vpn6[ADDR_TEXT_MAX];
};

/* A prefix that a person gave is theirs to answer for, but not on top of a network that this host
 * is in. */
static int check_given(const struct sys_routes *routes, const char *text, char *buf,
                       struct error **reterr)
{
    struct prefix prefix;
    char there[ADDR_TEXT_MAX];
    if (prefix_parse(text, &prefix) < 0)
        return error_make(reterr, EINVAL, "\"%s\" is no prefix such as 10.83.12.0/24", text);
    prefix = prefix_normalise(&prefix);
    const struct sys_route *route = prefixes_overlap(routes, &prefix);
    if (route)
        return error_make(reterr, EADDRINUSE,
                          "%s overlaps %s, which this host reaches by %s: choose another prefix",
                          text, prefix_format(&route->destination, there), route->interface);
    prefix_format(&prefix, buf);
    return 0;
}

static int choose_one(const struct sys_routes *routes, const char *given, char *buf,
                      int (*choose)(const struct sys_routes *, struct prefix *, struct error **),
                      struct error **reterr)
{
    struct prefix prefix;
    if (given)
        return check_given(routes, given, buf, reterr);
    int r = choose(routes, &prefix, reterr);
    if (r == 0)
        prefix_format(&prefix, buf);
    return r;
}

static int choose_prefixes(const struct options *o, struct prefixes *ret, struct error **reterr)
{
    struct sys *sys = NULL;
    struct sys_routes routes = {0};
    int r = sys_open(&sys, reterr);
    if (r == 0)
        r = sys_route_list(sys, 0, 0, &routes, reterr);
    if (r == 0)
        r = choose_one(&routes, o->vpn, ret->vpn, prefixes_choose, reterr);
    if (r == 0)
        r = choose_one(&routes, o->vpn6, ret->vpn6, prefixes_choose6, reterr);
    sys_routes_clear(&routes);
    sys_close(sys);
    return r;
}

/* ---- the manifest ---------------------------------------------------------------------------- */

static char *cell_text(const struct options *o, const char *name, const struct prefixes *prefixes)
{
    MEM_AUTO char *domain = o->domain ? mem_strdup(o->domain) : mem_printf("%s.cell", name);
    struct strbuf text = STRBUF_INIT;
    json_t *cell =
        json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:{s:s, s:s}}}", "apiVersion", API_VERSION, "kind",
                  "Cell", "metadata", "name", name, "spec", "domain", domain, "network", "vpn",
                  prefixes->vpn, "vpn6", prefixes->vpn6);
    if (o->endpoint)
        json_object_set_new(json_object_get(cell, "spec"), "wireguard",
                            json_pack("{s:s}", "endpoint", o->endpoint));
    emit_yaml_value(cell, 0, &text);
    json_decref(cell);
    return strbuf_steal(&text);
}

static int check_text(const char *text, struct error **reterr)
{
    struct manifest *manifest = manifest_parse("cell.yaml", text, strlen(text));
    int r = 0;
    if (manifest->diags.errors)
        r = error_make(reterr, EINVAL, "%s", manifest->diags.list[0].message);
    manifest_free(manifest);
    return r;
}

/* ---- the directory --------------------------------------------------------------------------- */

struct cells {
    const char *name;   /* the one to be made */
    char *same, *other; /* files of Cells of that name and of another one */
};

static void note_cell(struct cells *cells, const struct manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const char *id = manifest->entries[i].id;
        if (!id || strncmp(id, "Cell/", 5) != 0)
            continue;
        char **where = strcmp(id + 5, cells->name) == 0 ? &cells->same : &cells->other;
        if (!*where)
            *where = mem_printf("%s in %s", id, manifest->path);
    }
}

static int look_at_file(const struct config *config, const char *path, struct cells *cells,
                        struct error **reterr)
{
    uint64_t hash;
    struct manifest *manifest = load_file(config->manifests, path, &hash, reterr);
    if (!manifest)
        return -ENOENT;
    note_cell(cells, manifest);
    int r = 0;
    if (!manifest->complete)
        r = error_make(reterr, EINVAL,
                       "\"%s/%s\" cannot be read to its end and may hold a Cell: repair it first, "
                       "`picctl validate` says where",
                       config->manifests, path);
    manifest_free(manifest);
    return r;
}

static int find_cells(const struct config *config, struct cells *cells, struct error **reterr)
{
    struct tree tree;
    if (!io_exists(config->manifests))
        return 0;
    int r = tree_list(config->manifests, &tree, reterr);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < tree.count; i++)
        r = look_at_file(config, tree.files[i].path, cells, reterr);
    tree_clear(&tree);
    return r;
}

static int write_cell(const struct config *config, const char *text, char **retpath,
                      struct error **reterr)
{
    static const struct io_write_options options = {.mode = 0644};
    char *path = *retpath = io_join(config->manifests, "cell.yaml");
    int r = directory_refuse_swapped(config->manifests, reterr);
    if (r == 0 && io_exists(path))
        r = error_make(reterr, EEXIST, "\"%s\" is there, and no Cell is in it: rename it first",
                       path);
    if (r == 0)
        r = io_mkdirs(config->manifests, 0755, reterr);
    if (r == 0)
        r = io_mkdirs(config->secrets, 0700, reterr);
    return r == 0 ? io_write_atomic(path, text, strlen(text), &options, reterr) : r;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static void say_next(const char *name, const char *path, const struct prefixes *prefixes,
                     const struct options *o)
{
    out_line("Cell/%s created in %s", name, path);
    out_line("    network: %s and %s", prefixes->vpn, prefixes->vpn6);
    if (!o->endpoint)
        out_line("    next: write under spec of %s how devices find it from outside:\n"
                 "          wireguard: {endpoint: HOST}",
                 path);
    out_line("    next: `systemctl start picd`, then `picctl peer add phone --qr`");
}

static int make(const struct config *config, const struct options *o, const char *name,
                struct error **reterr)
{
    struct prefixes prefixes;
    MEM_AUTO char *path = NULL;
    int r = choose_prefixes(o, &prefixes, reterr);
    if (r < 0)
        return r;
    MEM_AUTO char *text = cell_text(o, name, &prefixes);
    r = check_text(text, reterr);
    if (r == 0)
        r = write_cell(config, text, &path, reterr);
    if (r == 0)
        say_next(name, path, &prefixes, o);
    return r;
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    MEM_AUTO char *name = words->count ? mem_strdup(words->list[0]) : name_of_host();
    struct cells cells = {.name = name};

    if (!resource_name_valid(name))
        return out_misused("\"%s\" is no name: expected 1 to 63 of a-z 0-9 - . , first and last a "
                           "letter or digit",
                           name);
    int r = find_cells(config, &cells, &error), status = 0;
    if (r == 0 && cells.other)
        status = out_refused("there is a cell already: %s; nothing was changed", cells.other);
    else if (r == 0 && cells.same)
        out_line("%s is there already: nothing was changed", cells.same);
    else if (r == 0)
        r = make(config, options, name, &error);
    mem_freep(&cells.same);
    mem_freep(&cells.other);
    return r < 0 ? out_failed(error) : status;
}

const struct command cmd_init = {
    .name = "init",
    .arguments = "[NAME]",
    .help = "makes the manifest of a new cell",
    .more = "The name comes from the host unless it is given. The prefixes are chosen at random, "
            "so that no two\n"
            "households have the same, and overlap no network that this host knows.",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .most = 1,
    .run = run,
};
