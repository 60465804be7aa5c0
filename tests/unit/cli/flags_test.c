#include "tools/picctl/flags.h"

#include <criterion/criterion.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

struct options {
    const char *output;
    struct words files;
    bool force;
};

static const struct flag flags[] = {
    FLAG(options, output, "output", 'o', TEXT, "FORMAT", ""),
    FLAG(options, files, "filename", 'f', TEXTS, "FILE", ""),
    FLAG(options, force, "force", 0, SWITCH, NULL, ""),
};
static const struct command command = {
    .name = "test",
    .arguments = "NAME",
    .flags = flags,
    .flag_count = ARRAY_SIZE(flags),
    .options_size = sizeof(struct options),
    .least = 1,
    .most = 2,
};

enum { ARGUMENTS_MAX = 8 };

/* What was read, as one text: "output files… force | words…", or the message. */
static char *read_line(const char *line)
{
    MEM_AUTO char *copy = mem_strdup(line);
    char *argv[ARGUMENTS_MAX], *rest = NULL;
    int argc = 0;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        argv[argc++] = word;

    struct options options = {0};
    struct words words = {0};
    ERROR_AUTO error = NULL;
    struct strbuf out = STRBUF_INIT;
    if (flags_read(&command, argc, argv, &options, &words, &error) < 0) {
        strbuf_puts(&out, error->message);
    } else {
        strbuf_puts(&out, options.output ? options.output : "-");
        for (size_t i = 0; i < options.files.count; i++)
            strbuf_printf(&out, " %s", options.files.list[i]);
        strbuf_puts(&out, options.force ? " force |" : " |");
        for (size_t i = 0; i < words.count; i++)
            strbuf_printf(&out, " %s", words.list[i]);
    }
    flags_clear(&command, &options, &words);
    return strbuf_steal(&out);
}

Test(flags, lines)
{
    static const struct {
        const char *line, *result;
    } rows[] = {
        {"a", "- | a"},
        {"-o json a", "json | a"},
        {"-ojson a", "json | a"},
        {"-o=json a", "json | a"},
        {"a --output json b", "json | a b"},
        {"--output=json --force a", "json force | a"},
        {"--output= a", " | a"},
        {"-f x -f y --filename=z a", "- x y z | a"},
        {"-f - a", "- - | a"},
        {"- a", "- | - a"},
        {"-- --force -o", "- | --force -o"},
        {"a --output", "--output needs a value: --output FORMAT"},
        {"a --force=yes", "--force takes no value"},
        {"a --outptu x", "unknown flag \"--outptu\"; did you mean --output?"},
        {"a -x", "unknown flag \"-x\"; --help lists the flags"},
        {"a --zzzzzz", "unknown flag \"--zzzzzz\"; --help lists the flags"},
        {"--force", "something is missing after test: expected NAME"},
        {"a b c", "\"c\" is one word too many"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        MEM_AUTO char *result = read_line(rows[i].line);
        cr_expect_str_eq(result, rows[i].result, "\"%s\": %s", rows[i].line, result);
    }
}
