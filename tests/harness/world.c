#include "tests/harness/world.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"

const char world_cell[] = "apiVersion: pic/v1\n"
                          "kind: Cell\n"
                          "metadata: {name: alpha}\n"
                          "spec:\n"
                          "  domain: alpha.cell\n"
                          "  network: {vpn: 10.10.0.0/24, vpn6: 'fd10:a1fa:ce11::/64'}\n";

struct wgkey world_key(unsigned n)
{
    struct wgkey key = {{0}};
    memcpy(key.bytes, &n, sizeof(n));
    key.bytes[31] = 1;
    return key;
}

char *world_peer(const char *name, unsigned n, const char *extra)
{
    struct wgkey key = world_key(n);
    char text[WGKEY_TEXT_LEN + 1];
    return mem_printf("apiVersion: pic/v1\nkind: Peer\nmetadata: {name: %s}\nspec:\n"
                      "  publicKey: %s\n%s",
                      name, wgkey_format(&key, text), extra);
}

static int64_t read_monotonic(void *context)
{
    return ((const struct world *)context)->monotonic;
}

static int64_t read_realtime(void *context)
{
    return ((const struct world *)context)->realtime;
}

static void on_step(void *context, const struct reconciler *reconciler, const struct step *step,
                    const char *error, bool withheld)
{
    struct world *w = context;
    (void)reconciler;
    if (error)
        strbuf_printf(&w->trouble, "%s: %s\n", step->object, error);
    else if (!withheld)
        step_print(step, &w->steps);
}

static void on_run(void *context, const struct reconciler *reconciler, const struct error *error)
{
    struct world *w = context;
    if (error)
        strbuf_printf(&w->trouble, "%s: %s\n", reconciler->name, error->message);
}

static void mark(void *context, const char *key)
{
    engine_mark(((struct world *)context)->engine, key);
}

static void set_config(struct config *config, const char *directory)
{
    config_init(config);
    const struct {
        char **member;
        const char *name;
    } rows[] = {{&config->manifests, "manifests"},
                {&config->secrets, "secrets"},
                {&config->state, "state"},
                {&config->run, "run"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        free(*rows[i].member);
        *rows[i].member = io_join(directory, rows[i].name);
        mkdir(*rows[i].member, 0700);
    }
}

struct world *world_new(struct sys *sys, char *directory)
{
    struct world *w = mem_alloc(sizeof(*w));
    struct engine_hooks hooks = {on_step, on_run, NULL, w};
    DIAGS_AUTO problems = DIAGS_INIT;

    w->steps = w->trouble = (struct strbuf)STRBUF_INIT;
    w->directory = directory ? directory : mkdtemp(mem_strdup("/dev/shm/pic-world-XXXXXX"));
    set_config(&w->config, w->directory);
    w->monotonic = SECONDS(1000);
    w->realtime = SECONDS(1800000000);
    w->clock = (struct clock){read_monotonic, read_realtime, w};
    w->sys = sys ? sys : sys_fake_new();
    w->store = store_new(NULL);
    w->model = model_new(reconcilers_enforce());
    inputs_init(&w->inputs, w->sys, &w->config, &w->clock);
    w->engine = engine_new(w->sys, w->model, &w->clock, &hooks);
    record_load(w->store, w->config.state, &problems);
    return w;
}

static void free_parts(struct world *w)
{
    engine_free(w->engine);
    inputs_clear(&w->inputs);
    model_free(w->model);
    store_free(w->store);
    config_clear(&w->config);
    strbuf_clear(&w->steps);
    strbuf_clear(&w->trouble);
}

void world_kill(struct world *w, struct sys **retsys, char **retdirectory)
{
    free_parts(w);
    *retsys = w->sys;
    *retdirectory = w->directory;
    free(w);
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        MEM_AUTO char *below = io_join(path, entry->d_name);
        remove_tree(below);
    }
    if (dir)
        closedir(dir);
    remove(path);
}

void world_free(struct world *w)
{
    struct sys *sys;
    char *directory;
    world_kill(w, &sys, &directory);
    sys_close(sys);
    remove_tree(directory);
    free(directory);
}

void world_put(struct world *w, const char *path, const char *text)
{
    MEM_AUTO char *full = io_join(w->config.manifests, path);
    struct io_write_options options = {.mode = 0644, .no_sync = true};
    ERROR_AUTO error = NULL;
    io_write_atomic(full, text, strlen(text), &options, &error);
    store_put(w->store, manifest_parse(path, text, strlen(text)));
}

void world_gone(struct world *w, const char *path)
{
    MEM_AUTO char *full = io_join(w->config.manifests, path);
    unlink(full);
    store_gone(w->store, path);
}

char *world_commit(struct world *w)
{
    struct changes changes = {0};
    struct strbuf text = STRBUF_INIT;

    store_commit(w->store, true, &changes);
    for (size_t i = 0; i < changes.count; i++) {
        const struct change *c = &changes.list[i];
        char sign = !c->before ? '+' : !c->after ? '-' : '~';
        strbuf_printf(&text, "%s%c%s", i ? " " : "", c->applied ? '=' : sign,
                      change_resource(c)->id);
    }
    bool cell = changes.count && change_resource(&changes.list[0])->kind == &kind_cell;
    if (cell)
        inputs_identify(&w->inputs, store_cell(w->store), IDENTITY_KEEP, w->model);
    inputs_refresh(&w->inputs);
    model_update(w->model, &changes, &w->inputs.model, mark, w);
    for (size_t i = 0; i < changes.count; i++) {
        const struct change *c = &changes.list[i];
        ERROR_AUTO error = NULL;
        if (c->before)
            record_save(w->store, w->config.state, w->config.manifests, c->before->place.file,
                        &error);
        if (c->after && !error)
            record_save(w->store, w->config.state, w->config.manifests, c->after->place.file,
                        &error);
    }
    changes_clear(&changes);
    return strbuf_steal(&text);
}

bool world_run(struct world *w, unsigned seconds)
{
    int64_t end = w->monotonic + SECONDS(seconds);
    for (;;) {
        int64_t next = engine_turn(w->engine);
        if (engine_is_converged(w->engine))
            return true;
        if (next > end)
            return false;
        if (next > w->monotonic)
            w->monotonic = next;
    }
}

uint64_t world_writes(const struct world *w)
{
    return sys_counters(w->sys)->writes;
}

uint64_t world_second_pass(struct world *w)
{
    uint64_t before = world_writes(w);
    engine_look_at_all(w->engine);
    w->monotonic += SECONDS(60);
    engine_turn(w->engine);
    world_run(w, 60);
    return world_writes(w) - before;
}

static void add_plan(const struct world *w, const struct reconciler *r, struct plan *ret)
{
    ERROR_AUTO error = NULL;
    struct arena arena;
    void *observed = r->observed_new();
    arena_init(&arena, 4096);
    if (r->observe(w->sys, w->model, observed, &error) == 0)
        r->plan(r->desired(w->model, &(struct keys){0}, &arena), observed, ret);
    arena_clear(&arena);
    r->observed_free(observed);
}

void world_plan_of(const struct world *w, const struct reconciler *r, struct plan *ret)
{
    plan_init(ret);
    add_plan(w, r, ret);
}

void world_plan(const struct world *w, struct plan *ret)
{
    plan_init(ret);
    for (size_t i = 0; i < reconciler_count; i++)
        add_plan(w, reconcilers[i], ret);
}
