#include <string.h>
#include <sys/stat.h>

#include "schema/base/mem.h"
#include "tools/picctl/check.h"
#include "tools/picctl/command.h"
#include "tools/picctl/directory.h"
#include "tools/picctl/out.h"

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int check_words(const struct config *config, const struct words *words, struct diags *diags,
                       struct check_counts *counts, struct error **reterr)
{
    MEM_AUTO const char **files = mem_alloc((words->count + 1) * sizeof(*files));
    size_t count = 0;
    int r = words->count ? 0 : directory_exists(config, reterr);
    if (r == 0 && !words->count)
        return check_tree(config, config->manifests, diags, counts, reterr);
    for (size_t i = 0; r == 0 && i < words->count; i++) {
        if (is_directory(words->list[i]))
            r = check_tree(config, words->list[i], diags, counts, reterr);
        else
            files[count++] = words->list[i];
    }
    return r == 0 && count ? check_files(config, files, count, diags, counts, reterr) : r;
}

static void put_count(size_t count, const char *what, struct strbuf *out)
{
    strbuf_printf(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

static int run(const struct config *config, const void *options, const struct words *words)
{
    ERROR_AUTO error = NULL;
    DIAGS_AUTO diags = DIAGS_INIT;
    STRBUF_AUTO summary = STRBUF_INIT;
    struct check_counts counts = {0};

    (void)options;
    if (check_words(config, words, &diags, &counts, &error) < 0)
        return out_failed(error);
    out_findings(stdout, &diags);
    put_count(counts.resources, "resource", &summary);
    strbuf_puts(&summary, " in ");
    put_count(counts.files, "file", &summary);
    strbuf_puts(&summary, ": ");
    put_count(diags.errors, "error", &summary);
    strbuf_puts(&summary, ", ");
    put_count(diags.count - diags.errors, "warning", &summary);
    out_line("%s", summary.text);
    return diags.errors ? STATUS_FAILED : 0;
}

const struct command cmd_validate = {
    .name = "validate",
    .arguments = "[DIR | FILE…]",
    .help = "finds everything that is wrong in manifests, without picd",
    .more = "Without words: the manifest directory. A directory is checked for all Cells in it, "
            "files by themselves.\n"
            "Findings are printed as file:line:column; the exit status is 1 if one of them is an "
            "error.",
    .most = WORDS_ANY,
    .run = run,
};
