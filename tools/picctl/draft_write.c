#include "tools/picctl/draft_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "tools/picctl/directory.h"

/* ---- writing --------------------------------------------------------------------------------- */

/* A file made by root in somebody's work tree is theirs, like its neighbours. */
static void give_to_owner_of(const char *directory, const char *path)
{
    struct stat st;
    if (geteuid() == 0 && stat(directory, &st) == 0 && st.st_uid != 0 &&
        lchown(path, st.st_uid, st.st_gid) < 0)
        return; /* it stays root's: readable all the same */
}

static int remove_file(const char *path, struct error **reterr)
{
    if (unlink(path) < 0 && errno != ENOENT)
        return error_errno(reterr, errno, "cannot remove \"%s\"", path);
    return 0;
}

static int write_bytes(const char *path, const struct strbuf *bytes, bool sync,
                       struct error **reterr)
{
    const struct io_write_options options = {.mode = 0644, .keep_owner = true, .no_sync = !sync};
    return io_write_atomic(path, bytes->text, bytes->len, &options, reterr);
}

static int write_file(const struct draft *draft, struct draft_file *file, bool sync,
                      struct error **reterr)
{
    MEM_AUTO char *path = io_join(draft->config->manifests, file->path);
    int r = file->goes ? remove_file(path, reterr) : write_bytes(path, &file->after, sync, reterr);
    if (r < 0)
        return r;
    file->written = true;
    if (!file->exists)
        give_to_owner_of(draft->config->manifests, path);
    return 0;
}

/* What was written before a failure goes back; what cannot be put back is said with the failure. */
static void put_back(const struct draft *draft, struct error **reterr)
{
    for (size_t i = 0; i < draft->count; i++) {
        struct draft_file *file = draft->files[i];
        ERROR_AUTO error = NULL;
        if (!file->written)
            continue;
        MEM_AUTO char *path = io_join(draft->config->manifests, file->path);
        int r = file->exists ? write_bytes(path, &file->before, true, &error)
                             : remove_file(path, &error);
        if (r < 0)
            error_wrap(reterr, "\"%s\" was changed and cannot be put back (%s)", path,
                       error->message);
    }
}

static int check_place(const struct draft *draft, struct error **reterr)
{
    int r = directory_refuse_swapped(draft->config->manifests, reterr);
    for (size_t i = 0; r == 0 && i < draft->count; i++) {
        MEM_AUTO char *path = io_join(draft->config->manifests, draft->files[i]->path);
        if (draft->files[i]->edit_count)
            r = directory_refuse_link(path, reterr);
    }
    return r;
}

static size_t count_changed(const struct draft *draft)
{
    size_t count = 0;
    for (size_t i = 0; i < draft->count; i++)
        count += draft->files[i]->edit_count > 0;
    return count;
}

/* Of many files each is written without waiting for the disk, and the disk is waited for once, at
 * the end. */
int draft_write(struct draft *draft, struct error **reterr)
{
    size_t count = count_changed(draft);
    int r = count ? check_place(draft, reterr) : 0;
    for (size_t i = 0; r == 0 && i < draft->count; i++) {
        if (!draft->files[i]->edit_count)
            continue;
        r = write_file(draft, draft->files[i], count == 1, reterr);
        if (r < 0)
            put_back(draft, reterr);
    }
    return r == 0 && count > 1 ? io_sync_tree(draft->config->manifests, reterr) : r;
}
