#include "controller/state/documents.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"
#include "schema/resource.h"

/* The document, and what we say of it; more than its own limit by the indentation. */
enum { DOCUMENTS_FILE_MAX = 2 * DOCUMENT_MAX };
static const json_int_t received_max = (json_int_t)1 << 53;

/* The file of a link; NULL: no resource has that name, and it may lead anywhere. */
static char *path_of(const char *state, const char *link)
{
    return resource_name_valid(link) ? mem_printf("%s/links/%s.json", state, link) : NULL;
}

static int refuse(const char *link, struct error **reterr)
{
    return error_make(reterr, EINVAL, "\"%s\" is not the name of a link", link);
}

/* "received", or when the file was written. */
static int64_t received(const json_t *root, const char *path)
{
    const json_t *said = json_object_get(root, "received");
    json_int_t when = json_integer_value(said);
    struct stat status;
    if (json_is_integer(said) && when >= 0 && when <= received_max)
        return when;
    return stat(path, &status) == 0 ? status.st_mtim.tv_sec : 0;
}

static int parse(const char *path, const struct strbuf *text, struct sync_document *ret,
                 struct error **reterr)
{
    json_t *root = json_loadb(text->text, text->len, 0, NULL);
    json_t *inner = json_object_get(root, "document");
    MEM_AUTO char *document = json_dumps(inner ? inner : root, JSON_COMPACT);
    int result = document ? document_parse(document, strlen(document), ret, reterr)
                          : error_make(reterr, EBADMSG, "it is not JSON");
    if (result == 0)
        ret->received = received(root, path);
    json_decref(root);
    return result < 0 ? error_wrap(reterr, "\"%s\" cannot be used", path) : 0;
}

int documents_load(const char *state, const char *link, struct sync_document *ret,
                   struct error **reterr)
{
    MEM_AUTO char *path = path_of(state, link);
    STRBUF_AUTO text = STRBUF_INIT;
    struct error *error = NULL;

    if (!path)
        return refuse(link, reterr);
    if (io_read(path, DOCUMENTS_FILE_MAX, &text, &error) == 0)
        return parse(path, &text, ret, reterr);
    if (error->errnum == ENOENT) {
        error_free(error);
        return 1;
    }
    *reterr = error;
    return -error->errnum;
}

int documents_save(const char *state, const char *link, const struct sync_document *document,
                   struct error **reterr)
{
    MEM_AUTO char *path = path_of(state, link);
    MEM_AUTO char *directory = io_join(state, "links");
    STRBUF_AUTO inner = STRBUF_INIT, text = STRBUF_INIT;
    struct io_write_options options = {.mode = 0600};
    int result;

    if (!path)
        return refuse(link, reterr);
    document_print(document, &inner);
    strbuf_printf(&text, "{\n\"received\": %lld,\n\"document\": %s}\n",
                  (long long)document->received, inner.text);
    if ((result = io_mkdirs(directory, 0700, reterr)) < 0)
        return result;
    return io_write_atomic(path, text.text, text.len, &options, reterr);
}
