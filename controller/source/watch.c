#include "controller/source/inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/manifest.h"

enum {
    WATCH_MASK = IN_CLOSE_WRITE | IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                 IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB | IN_ONLYDIR | IN_EXCL_UNLINK,
    PARENT_MASK = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ONLYDIR,
};

static bool add_watch(struct source *s, const char *full, const char *path, uint32_t mask)
{
    int wd = s->fd < 0 ? -1 : inotify_add_watch(s->fd, full, mask);
    if (wd < 0) {
        s->unwatched |= errno == ENOSPC || errno == ENOMEM; /* what has vanished is no loss */
        return false;
    }
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

void watch_parent(struct source *s)
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

bool watch_tree(struct source *s, const struct tree *tree)
{
    bool added = false;
    for (size_t i = 0; i < tree->directory_count; i++) {
        MEM_AUTO char *full = *tree->directories[i] ? io_join(s->directory, tree->directories[i])
                                                    : mem_strdup(s->directory);
        added |= add_watch(s, full, tree->directories[i], WATCH_MASK);
    }
    return added;
}

static void take_file_event(struct source *s, const char *path, uint32_t mask)
{
    if (mask & IN_MOVED_TO)
        source_mark(s, path, false, 0);
    else if (mask & IN_CLOSE_WRITE)
        source_mark(s, path, false, SETTLE_WRITE);
    else if (mask & (IN_MODIFY | IN_CREATE))
        source_mark(s, path, false, mask & IN_CREATE ? SETTLE_GONE : OPEN_LONGEST);
    else if (mask & (IN_DELETE | IN_MOVED_FROM))
        source_mark(s, path, true, SETTLE_GONE);
    else if (mask & IN_ATTRIB)
        source_mark(s, path, false, SETTLE_WRITE);
}

static void take_event(struct source *s, const struct inotify_event *event)
{
    const struct watch *watch = map_get(&s->watches, &event->wd, sizeof(event->wd));
    const char *name = event->len ? event->name : "";
    int64_t now = source_now(s);

    if (event->mask & IN_Q_OVERFLOW) {
        s->overflows++;
        source_ask_rescan(s, now);
        return;
    }
    if (!watch)
        return;
    if (watch->parent) {
        const char *slash = strrchr(s->directory, '/');
        if (strcmp(name, slash ? slash + 1 : s->directory) == 0)
            source_ask_rescan(s, now + SETTLE_WRITE);
        return;
    }
    if (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED)) {
        if (event->mask & IN_IGNORED)
            free(map_remove(&s->watches, &event->wd, sizeof(event->wd)));
        source_ask_rescan(s, now + SETTLE_GONE);
        return;
    }
    /* ..data and its kind: sync tools swap a link there that everything else points through. */
    if (strncmp(name, "..", 2) == 0 || (event->mask & IN_ISDIR)) {
        if (name[0] != '.' || name[1] == '.')
            source_ask_rescan(s, now + SETTLE_WRITE);
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
