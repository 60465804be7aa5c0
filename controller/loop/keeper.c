#include "controller/loop/keeper.h"

#include <stdlib.h>
#include <string.h>

#include "controller/state/record.h"
#include "schema/base/clock.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

enum { FILES_A_TURN = 16 };
static const int64_t wait_longest =
    SECONDS(2); /* for convergence, before it is written all the same */
static const int64_t wait_failed = SECONDS(30);

void keeper_init(struct keeper *k, const struct config *config)
{
    *k = (struct keeper){.config = config};
}

void keeper_clear(struct keeper *k)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&k->paths, &at)))
        free(entry->value);
    map_clear(&k->paths);
    mem_freep(&k->problem);
}

static void touch_path(struct keeper *k, const char *path)
{
    if (map_get_text(&k->paths, path))
        return;
    char *mine = mem_strdup(path);
    map_put_text(&k->paths, mine, mine);
}

void keeper_touch(struct keeper *k, const struct change *change)
{
    if (change->before)
        touch_path(k, change->before->place.file);
    if (change->after)
        touch_path(k, change->after->place.file);
    k->follow = true;
    if (!k->due)
        k->due = clock_system.monotonic(NULL) + wait_longest;
}

void keeper_settled(struct keeper *k, int64_t now)
{
    if (k->due && now >= k->retry)
        k->due = now;
}

/* Told when it is news. Returns false. */
static bool note_problem(struct keeper *k, const struct error *error, const struct log *log)
{
    if (!k->problem || strcmp(k->problem, error->message) != 0)
        log_line(log, LOG_LEVEL_WARNING, "not-recorded", "error", error->message, NULL);
    mem_freep(&k->problem);
    k->problem = mem_strdup(error->message);
    return false;
}

static bool save_path(struct keeper *k, const struct store *store, char *path,
                      const struct log *log)
{
    ERROR_AUTO error = NULL;
    if (record_save(store, k->config->state, k->config->manifests, path, &error) < 0)
        return note_problem(k, error, log);
    map_remove_text(&k->paths, path);
    free(path);
    return true;
}

static bool save_allocations(struct keeper *k, const struct model *model,
                             struct allocations *allocations, const struct log *log)
{
    ERROR_AUTO error = NULL;
    if (!k->follow)
        return true;
    allocations_follow(allocations, model);
    if (io_mkdirs(k->config->state, 0700, &error) < 0 ||
        (allocations->dirty && allocations_save(allocations, k->config->state, &error) < 0))
        return note_problem(k, error, log);
    k->follow = false;
    return true;
}

/* True: no failure. */
static bool save_some(struct keeper *k, const struct store *store, const struct model *model,
                      struct allocations *allocations, const struct log *log)
{
    if (!save_allocations(k, model, allocations, log))
        return false;
    for (int i = 0; i < FILES_A_TURN; i++) {
        size_t at = 0;
        const struct map_entry *entry = map_next(&k->paths, &at);
        if (!entry)
            return true;
        if (!save_path(k, store, entry->value, log))
            return false;
    }
    return true;
}

int64_t keeper_turn(struct keeper *k, const struct store *store, const struct model *model,
                    struct allocations *allocations, const struct log *log)
{
    int64_t now = clock_system.monotonic(NULL);

    if (!k->due)
        return INT64_MAX;
    if (now < k->due)
        return k->due;
    if (!save_some(k, store, model, allocations, log)) {
        k->retry = k->due = now + wait_failed;
        return k->due;
    }
    k->due = k->paths.count ? now : 0;
    mem_freep(&k->problem);
    return k->due ? k->due : INT64_MAX;
}

void keeper_finish(struct keeper *k, const struct store *store, const struct model *model,
                   struct allocations *allocations, const struct log *log)
{
    while (k->due && save_some(k, store, model, allocations, log))
        if (!k->paths.count)
            break;
}
