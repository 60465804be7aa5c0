#include "controller/source/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/source/tree.h"
#include "controller/store/load.h"
#include "schema/base/io.h"
#include "schema/base/map.h"
#include "schema/base/mem.h"

static const int64_t settle_write = MILLISECONDS(50);
static const int64_t settle_gone = MILLISECONDS(300);
static const int64_t settle_longest = SECONDS(1); /* a stream of events delays no reading longer */
static const int64_t open_longest = SECONDS(10);  /* a writer that never closes is read after all */
static const int64_t sweep_period = SECONDS(30);  /* with events; it also finds what they miss */
static const int64_t poll_period = SECONDS(1);    /* without */
static const int64_t root_period = SECONDS(5); /* is the path still the directory that we watch? */

enum {
    WATCH_MASK = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                 IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK,
    PARENT_MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR,
};

struct watch {
    int wd;
    bool parent; /* of the manifest directory: only its own name counts */
    char path[]; /* relative; "" is the directory itself */
};

struct pending {
    int64_t due;   /* monotonic */
    int64_t since; /* of its first event */
    bool gone;
    char path[];
};

struct known {
    int64_t mtime, size;
    uint64_t inode;
    char path[];
};

struct source {
    char *directory;
    const struct clock *clock;
    int fd;
    struct map watches; /* by wd → struct watch */
    struct map pending; /* by path → struct pending */
    struct map known;   /* by path → struct known: what was read, as it was */
    int64_t rescan_due; /* 0: none */
    int64_t next_sweep, next_root;
    dev_t device;
    ino_t inode;
    bool loaded;
    char *problem;
    struct tree tree; /* of the last listing: what was ignored */
    int64_t newest;
    uint64_t overflows;
};

static int64_t now_of(const struct source *s)
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

/* ---- watches ---- */

static bool add_watch(struct source *s, const char *full, const char *path, uint32_t mask)
{
    int wd = s->fd < 0 ? -1 : inotify_add_watch(s->fd, full, mask);
    if (wd < 0)
        return false;
    struct watch *watch = map_get(&s->watches, &wd, sizeof(wd));
    if (watch && strcmp(watch->path, path) == 0)
        return false;
    if (watch)
        free(map_remove(&s->watches, &wd, sizeof(wd)));
    watch = mem_alloc(sizeof(*watch) + strlen(path) + 1);
    watch->wd = wd;
    watch->parent = mask == PARENT_MASK;
    memcpy(watch->path, path, strlen(path) + 1);
    map_put(&s->watches, &watch->wd, sizeof(wd), watch);
    return true;
}

static void watch_parent(struct source *s)
{
    MEM_AUTO char *parent = mem_strdup(s->directory);
    char *slash = strrchr(parent, '/');
    if (!slash)
        add_watch(s, ".", ".", PARENT_MASK);
    else if (slash == parent)
        add_watch(s, "/", "/", PARENT_MASK);
    else {
        *slash = '\0';
        add_watch(s, parent, parent, PARENT_MASK);
    }
}

/* True when a directory was not watched before: what happened in it meanwhile is not known. */
static bool watch_tree(struct source *s, const struct tree *tree)
{
    bool added = false;
    for (size_t i = 0; i < tree->directory_count; i++) {
        MEM_AUTO char *full = *tree->directories[i] ? io_join(s->directory, tree->directories[i])
                                                    : mem_strdup(s->directory);
        added |= add_watch(s, full, tree->directories[i], WATCH_MASK);
    }
    return added;
}

/* ---- marks ---- */

static void ask_rescan(struct source *s, int64_t due)
{
    if (!s->rescan_due || due < s->rescan_due)
        s->rescan_due = due;
}

void source_rescan(struct source *s)
{
    ask_rescan(s, now_of(s));
}

static void mark(struct source *s, const char *path, bool gone, int64_t wait)
{
    int64_t now = now_of(s);
    struct pending *p = map_get_text(&s->pending, path);
    if (!p) {
        p = mem_alloc(sizeof(*p) + strlen(path) + 1);
        memcpy(p->path, path, strlen(path) + 1);
        p->since = now;
        map_put_text(&s->pending, p->path, p);
    }
    p->gone = gone;
    p->due = now + wait;
    if (wait < open_longest && p->due > p->since + settle_longest)
        p->due = p->since + settle_longest;
}

static void take_file_event(struct source *s, const char *path, uint32_t mask)
{
    if (mask & IN_MOVED_TO)
        mark(s, path, false, 0);
    else if (mask & IN_CLOSE_WRITE)
        mark(s, path, false, settle_write);
    else if (mask & (IN_MODIFY | IN_CREATE))
        mark(s, path, false, mask & IN_CREATE ? settle_gone : open_longest);
    else if (mask & (IN_DELETE | IN_MOVED_FROM))
        mark(s, path, true, settle_gone);
    else if (mask & IN_ATTRIB)
        mark(s, path, false, settle_write);
}

static void take_event(struct source *s, const struct inotify_event *event)
{
    const struct watch *watch = map_get(&s->watches, &event->wd, sizeof(event->wd));
    const char *name = event->len ? event->name : "";
    int64_t now = now_of(s);

    if (event->mask & IN_Q_OVERFLOW) {
        s->overflows++;
        ask_rescan(s, now);
        return;
    }
    if (!watch)
        return;
    if (watch->parent) {
        const char *slash = strrchr(s->directory, '/');
        if (strcmp(name, slash ? slash + 1 : s->directory) == 0)
            ask_rescan(s, now + settle_write);
        return;
    }
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
        if (event->mask & IN_IGNORED)
            free(map_remove(&s->watches, &event->wd, sizeof(event->wd)));
        ask_rescan(s, now + settle_gone);
        return;
    }
    /* ..data and its kind: sync tools swap a link there that everything else points through. */
    if (strncmp(name, "..", 2) == 0 || (event->mask & IN_ISDIR)) {
        if (name[0] != '.' || name[1] == '.')
            ask_rescan(s, now + settle_write);
        return;
    }
    if (!*name || !manifest_name_read(name))
        return;
    MEM_AUTO char *path = *watch->path ? io_join(watch->path, name) : mem_strdup(name);
    take_file_event(s, path, event->mask);
}

void source_read(struct source *s)
{
    char buffer[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    ssize_t len;

    while (s->fd >= 0 && (len = read(s->fd, buffer, sizeof(buffer))) > 0) {
        for (char *at = buffer; at < buffer + len;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            take_event(s, event);
            at += sizeof(*event) + event->len;
        }
    }
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

    if (stat(full, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? forget(s, store, path) : false;
    if (!S_ISREG(st.st_mode))
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
    if (now - p->since >= open_longest || !is_being_written(full))
        return false;
    p->due = now + settle_write;
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
            mark(s, paths[i], true, s->loaded ? settle_gone : 0);
    free(paths);
}

static void rescan(struct source *s, const struct store *store)
{
    struct tree tree;
    s->rescan_due = 0;
    s->next_sweep = now_of(s) + (s->fd < 0 ? poll_period : sweep_period);
    if (list(s, &tree) < 0) {
        s->next_sweep = now_of(s) + poll_period;
        return;
    }
    note_root(s);
    for (size_t i = 0; i < tree.count; i++)
        if (!is_known(s, &tree.files[i]) && !map_get_text(&s->pending, tree.files[i].path))
            mark(s, tree.files[i].path, false, 0);
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
    int64_t next = s->next_sweep < s->next_root ? s->next_sweep : s->next_root;
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
    int64_t now = now_of(s);
    bool changed = false;

    if (now >= s->next_root) {
        s->next_root = now + root_period;
        if (s->loaded && !s->problem && root_moved(s))
            ask_rescan(s, now);
        if (s->fd < 0)
            s->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    }
    if ((s->rescan_due && now >= s->rescan_due) || now >= s->next_sweep)
        rescan(s, store);
    /* While the directory is away, what went with it is not gone. */
    if (!s->problem) {
        changed = read_due(s, store, now_of(s));
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
    return s->fd >= 0 && s->watches.count ? "events" : "polling";
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
