#include "controller/source/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/store/load.h"
#include "schema/base/io.h"
#include "schema/base/mem.h"

static const int64_t sweep_period = SECONDS(30); /* with events; it also finds what they miss */
static const int64_t poll_period = SECONDS(1);   /* without */
static const int64_t root_period = SECONDS(5); /* is the path still the directory that we watch? */

int64_t source_now(const struct source *s)
{
    return s->clock->monotonic(s->clock->context);
}

/* ---- life ---- */

struct source *source_new(const char *directory, const struct clock *clock)
{
    struct source *s = mem_alloc(sizeof(*s));
    s->directory = mem_strdup(directory);
    s->clock = clock;
    s->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    s->rescan_due = 1;
    return s;
}

static void free_values(struct map *map)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(map, &at)))
        free(entry->value);
    map_clear(map);
}

void source_free(struct source *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    free_values(&s->watches);
    free_values(&s->pending);
    free_values(&s->known);
    tree_clear(&s->tree);
    mem_freep(&s->directory);
    mem_freep(&s->problem);
    mem_freep(&s);
}

/* ---- marks ---- */

void source_ask_rescan(struct source *s, int64_t due)
{
    if (!s->rescan_due || due < s->rescan_due)
        s->rescan_due = due;
}

void source_rescan(struct source *s)
{
    source_ask_rescan(s, source_now(s));
}

void source_mark(struct source *s, const char *path, bool gone, int64_t wait)
{
    int64_t now = source_now(s);
    struct pending *p = map_get_text(&s->pending, path);
    if (!p) {
        p = mem_alloc(sizeof(*p) + strlen(path) + 1);
        memcpy(p->path, path, strlen(path) + 1);
        p->since = now;
        map_put_text(&s->pending, p->path, p);
    }
    p->gone = gone;
    p->due = now + wait;
    if (wait < OPEN_LONGEST && p->due > p->since + SETTLE_LONGEST)
        p->due = p->since + SETTLE_LONGEST;
}

/* ---- reading ---- */

/*
 * Is somebody writing it? A read lease is refused while the file is open for writing (fcntl(2)).
 * File systems without leases answer no; the settling time has to do there. Closing gives the lease
 * back; SIGIO, should a writer come in between, is ignored by the process.
 */
static bool is_being_written(const char *full)
{
    int fd = open(full, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool busy = fcntl(fd, F_SETLEASE, F_RDLCK) < 0 && errno == EAGAIN;
    close(fd);
    return busy;
}

static void remember(struct source *s, const struct tree_file *file)
{
    struct known *known = map_get_text(&s->known, file->path);
    if (!known) {
        known = mem_alloc(sizeof(*known) + strlen(file->path) + 1);
        memcpy(known->path, file->path, strlen(file->path) + 1);
        map_put_text(&s->known, known->path, known);
    }
    known->mtime = file->mtime;
    known->size = file->size;
    known->inode = file->inode;
    if (file->mtime / SECONDS(1) > s->newest)
        s->newest = file->mtime / SECONDS(1);
}

static bool is_known(const struct source *s, const struct tree_file *file)
{
    const struct known *known = map_get_text(&s->known, file->path);
    return known && known->mtime == file->mtime && known->size == file->size &&
           known->inode == file->inode;
}

static bool forget(struct source *s, struct store *store, const char *path)
{
    free(map_remove_text(&s->known, path));
    store_gone(store, path);
    return true;
}

/* Puts the file's content into the store, if it is another than before. */
static bool read_file(struct source *s, struct store *store, const char *path)
{
    MEM_AUTO char *full = io_join(s->directory, path);
    struct stat st;
    ERROR_AUTO error = NULL;
    uint64_t hash;

    if (stat(full, &st) < 0 && lstat(full, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? forget(s, store, path) : false;
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
        return false;
    struct manifest *manifest = load_file(s->directory, path, &hash, &error);
    if (!manifest)
        return forget(s, store, path);
    struct tree_file file = {
        .path = (char *)(uintptr_t)path,
        .mtime = (int64_t)st.st_mtim.tv_sec * SECONDS(1) + st.st_mtim.tv_nsec,
        .size = st.st_size,
        .inode = st.st_ino,
    };
    remember(s, &file);
    if (hash && store_has(store, path, hash)) {
        manifest_free(manifest);
        return false;
    }
    store_put(store, manifest);
    store_set_content_hash(store, path, hash);
    return true;
}

static bool still_open(struct source *s, struct pending *p, int64_t now)
{
    MEM_AUTO char *full = io_join(s->directory, p->path);
    if (now - p->since >= OPEN_LONGEST || !is_being_written(full))
        return false;
    p->due = now + SETTLE_WRITE;
    return true;
}

/* ---- the whole tree ---- */

static void set_problem(struct source *s, const char *problem)
{
    mem_freep(&s->problem);
    s->problem = mem_strdup(problem);
}

static int list(struct source *s, struct tree *ret)
{
    struct error *error = NULL;
    /* Watch first, then list; a new directory may have been filled in between: list again. */
    s->unwatched = false;
    watch_parent(s);
    for (int again = 0; again < 3; again++) {
        if (tree_list(s->directory, ret, &error) < 0) {
            set_problem(s, error->message);
            error_free(error);
            return -1;
        }
        if (!watch_tree(s, ret) || again == 2)
            break;
        tree_clear(ret);
    }
    set_problem(s, NULL);
    return 0;
}

static void note_root(struct source *s)
{
    struct stat st;
    if (stat(s->directory, &st) == 0) {
        s->device = st.st_dev;
        s->inode = st.st_ino;
    }
}

static bool root_moved(const struct source *s)
{
    struct stat st;
    return stat(s->directory, &st) < 0 || st.st_dev != s->device || st.st_ino != s->inode;
}

static void mark_missing(struct source *s, const struct store *store, const struct tree *tree)
{
    size_t count;
    const char **paths = store_paths(store, &count);
    for (size_t i = 0; i < count; i++)
        if (!tree_find(tree, paths[i]) && !map_get_text(&s->pending, paths[i]))
            source_mark(s, paths[i], true, s->loaded ? SETTLE_GONE : 0);
    free(paths);
}

/* Does inotify tell of every directory? */
static bool has_events(const struct source *s)
{
    return s->fd >= 0 && s->watches.count && !s->unwatched;
}

static void rescan(struct source *s, const struct store *store)
{
    struct tree tree;
    s->rescan_due = 0;
    int result = list(s, &tree);
    s->next_sweep = source_now(s) + (result == 0 && has_events(s) ? sweep_period : poll_period);
    if (result < 0)
        return;
    note_root(s);
    for (size_t i = 0; i < tree.count; i++)
        if (!is_known(s, &tree.files[i]) && !map_get_text(&s->pending, tree.files[i].path))
            source_mark(s, tree.files[i].path, false, 0);
    mark_missing(s, store, &tree);
    tree_clear(&s->tree);
    s->tree = tree;
    for (size_t i = 0; i < s->tree.count; i++)
        free(s->tree.files[i].path);
    free(s->tree.files);
    s->tree.files = NULL;
    s->tree.count = s->tree.capacity = 0;
}

/* ---- turns ---- */

/* Those that are due, in the order of their paths. */
static struct pending **take_due(struct source *s, int64_t now, size_t *retcount)
{
    struct pending **due = NULL;
    size_t capacity = 0, at = 0;
    struct map_entry *entry;

    *retcount = 0;
    while ((entry = map_next(&s->pending, &at))) {
        struct pending *p = entry->value;
        if (p->due > now || (!p->gone && still_open(s, p, now)))
            continue;
        due = mem_grow(due, *retcount, &capacity, sizeof(*due));
        due[(*retcount)++] = p;
    }
    return due;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(const struct pending *const *)a)->path,
                  (*(const struct pending *const *)b)->path);
}

static bool read_due(struct source *s, struct store *store, int64_t now)
{
    size_t count;
    bool changed = false;
    struct pending **due = take_due(s, now, &count);

    if (count > 1)
        qsort(due, count, sizeof(*due), by_path);
    for (size_t i = 0; i < count; i++) {
        map_remove_text(&s->pending, due[i]->path);
        /* Gone is believed of the file as it is now, not of the event. */
        changed |= read_file(s, store, due[i]->path);
        free(due[i]);
    }
    free(due);
    return changed;
}

static int64_t next_turn(const struct source *s)
{
    /* The root is checked when something wakes us anyway; alone it is worth no wake-up. */
    int64_t next = s->next_sweep;
    size_t at = 0;
    const struct map_entry *entry;
    if (s->rescan_due && s->rescan_due < next)
        next = s->rescan_due;
    while ((entry = map_next(&s->pending, &at))) {
        const struct pending *p = entry->value;
        if (p->due < next)
            next = p->due;
    }
    return next;
}

bool source_turn(struct source *s, struct store *store, int64_t *retnext)
{
    int64_t now = source_now(s);
    bool changed = false;

    if (now >= s->next_root) {
        s->next_root = now + root_period;
        if (s->loaded && !s->problem && root_moved(s))
            source_ask_rescan(s, now);
        if (s->fd < 0 && (s->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) >= 0)
            source_ask_rescan(s, now);
    }
    if ((s->rescan_due && now >= s->rescan_due) || now >= s->next_sweep)
        rescan(s, store);
    /* While the directory is away, what went with it is not gone. */
    if (!s->problem) {
        changed = read_due(s, store, source_now(s));
        changed |= !s->loaded;
        s->loaded = true;
    }
    *retnext = next_turn(s);
    return changed;
}

/* ---- telling ---- */

int source_fd(const struct source *s)
{
    return s->fd;
}

bool source_is_loaded(const struct source *s)
{
    return s->loaded;
}

const char *source_problem(const struct source *s)
{
    return s->problem;
}

const char *source_mode(const struct source *s)
{
    return has_events(s) ? "events" : "polling";
}

char *const *source_ignored(const struct source *s, size_t *retcount)
{
    *retcount = s->tree.ignored_count;
    return s->tree.ignored;
}

int64_t source_newest(const struct source *s)
{
    return s->newest;
}

uint64_t source_overflows(const struct source *s)
{
    return s->overflows;
}
