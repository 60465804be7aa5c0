#include "controller/state/record.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/decode/node.h"

/* A manifest's path as one file name: '%' and '/' are written as %25 and %2F. */
static char *record_name(const char *path)
{
    struct strbuf name = STRBUF_INIT;
    for (const char *c = path; *c; c++) {
        if (*c == '/' || *c == '%' || (*c == '.' && c == path))
            strbuf_printf(&name, "%%%02X", *c);
        else
            strbuf_putc(&name, *c);
    }
    return strbuf_steal(&name);
}

static char *manifest_path(const char *record)
{
    struct strbuf path = STRBUF_INIT;
    for (const char *c = record; *c; c++) {
        unsigned byte;
        if (*c == '%' && sscanf(c + 1, "%2X", &byte) == 1) {
            strbuf_putc(&path, (char)byte);
            c += 2;
        } else {
            strbuf_putc(&path, *c);
        }
    }
    return strbuf_steal(&path);
}

static char *record_directory(const char *state)
{
    return io_join(state, "good");
}

/* ---- reading ---- */

static void load_one(struct store *store, const char *directory, const char *name,
                     struct diags *problems)
{
    MEM_AUTO char *full = io_join(directory, name);
    MEM_AUTO char *path = manifest_path(name);
    STRBUF_AUTO text = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    struct place place = {.file = full};

    if (io_read(full, YAML_FILE_MAX, &text, &error) < 0) {
        diags_add(problems, SEVERITY_WARNING, &place, NULL, "the record is left out: %s",
                  error->message);
        return;
    }
    struct manifest *manifest = manifest_parse(path, text.text, text.len);
    if (!manifest->complete || manifest->diags.errors)
        diags_add(problems, SEVERITY_WARNING, &place, NULL,
                  "a part of the record is not right and is left out");
    store_record(store, manifest);
}

void record_load(struct store *store, const char *state, struct diags *problems)
{
    MEM_AUTO char *directory = record_directory(state);
    DIR *dir = opendir(directory);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            load_one(store, directory, entry->d_name, problems);
    if (dir)
        closedir(dir);
}

/* ---- writing ---- */

static void add_document(struct strbuf *out, const char *data, size_t len, unsigned first,
                         unsigned end)
{
    size_t offset, length;
    manifest_lines(data, len, first, end, &offset, &length);
    if (length < 3 || memcmp(data + offset, "---", 3) != 0)
        strbuf_puts(out, "---\n");
    strbuf_add(out, data + offset, length);
    if (length && data[offset + length - 1] != '\n')
        strbuf_putc(out, '\n');
}

/* The documents of `text` whose content is in force from this file. */
static void take_documents(const struct store *store, const char *path, const struct strbuf *text,
                           struct map *taken, struct strbuf *out)
{
    struct manifest *manifest = manifest_parse(path, text->text, text->len);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct manifest_entry *entry = &manifest->entries[i];
        const struct object *o = entry->id ? store_object(store, entry->id) : NULL;
        if (!entry->resource || !o || !o->force || !o->source || strcmp(o->source, path) != 0 ||
            o->force->hash != entry->resource->hash || map_get_text(taken, o->id))
            continue;
        map_put_text(taken, o->id, (void *)(uintptr_t)o);
        add_document(out, text->text, text->len, entry->first_line, entry->end_line);
    }
    manifest_free(manifest);
}

static int read_if_there(const char *path, struct strbuf *ret, struct error **reterr)
{
    struct error *error = NULL;
    if (io_read(path, YAML_FILE_MAX, ret, &error) == 0)
        return 0;
    if (error->errnum == ENOENT) {
        error_free(error);
        return 0;
    }
    *reterr = error;
    return -error->errnum;
}

int record_save(const struct store *store, const char *state, const char *manifests,
                const char *path, struct error **reterr)
{
    MEM_AUTO char *directory = record_directory(state);
    MEM_AUTO char *name = record_name(path);
    MEM_AUTO char *record = io_join(directory, name);
    MEM_AUTO char *source = io_join(manifests, path);
    STRBUF_AUTO now = STRBUF_INIT, before = STRBUF_INIT, next = STRBUF_INIT;
    struct map taken = MAP_INIT;
    int result;

    if ((result = read_if_there(source, &now, reterr)) < 0 ||
        (result = read_if_there(record, &before, reterr)) < 0)
        return result;
    if (store_file_good(store, path)) {
        strbuf_add(&next, now.text, now.len);
    } else {
        take_documents(store, path, &now, &taken, &next);
        take_documents(store, path, &before, &taken, &next);
        map_clear(&taken);
    }
    if (next.len == before.len && memcmp(next.text, before.text, next.len) == 0)
        return 0;
    if (next.len == 0)
        return unlink(record) < 0 && errno != ENOENT
                   ? error_errno(reterr, errno, "cannot remove \"%s\"", record)
                   : 0;
    struct io_write_options options = {.mode = 0600, .no_sync = true};
    if ((result = io_mkdirs(directory, 0700, reterr)) < 0)
        return result;
    return io_write_atomic(record, next.text, next.len, &options, reterr);
}
