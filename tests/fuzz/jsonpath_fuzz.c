/*
 * Templates of any kind against one document: they end, and either print or say what is wrong. The
 * parser is compiled in, for picctl is no library.
 */
#include "tools/picctl/jsonpath.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char document[] = "{\"name\": \"alpha\", \"a.b\": {\"c\": [1, 2.5, true, null]}, "
                               "\"items\": [{\"k\": \"one\", \"v\": [[1], []]},"
                               " {\"k\": \"two\"}]}";

static void insist(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root = json_loads(document, 0, NULL);
    MEM_AUTO char *template = mem_strndup((const char *)data, size);
    STRBUF_AUTO out = STRBUF_INIT;
    STRBUF_AUTO again = STRBUF_INIT;
    ERROR_AUTO error = NULL;
    ERROR_AUTO other = NULL;
    const json_t *first = NULL;

    int r = jsonpath_print(template, root, &out, &error);
    insist(r == 0 ? error == NULL : r == -EINVAL && error != NULL);
    insist(out.text[out.len] == '\0');
    error_free(error);
    error = NULL;
    insist(jsonpath_print(template, root, &again, &error) == r && again.len == out.len);
    if (jsonpath_first(template, root, &first, &other) < 0)
        insist(other != NULL && first == NULL);
    json_decref(root);
    return 0;
}
