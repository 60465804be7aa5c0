/*
 * picctl: the command line of a cell.
 *
 * picctl [global flags] VERB [flags] [words]: the global flags may stand anywhere.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/state/config.h"
#include "schema/base/mem.h"
#include "schema/base/suggest.h"
#include "tools/picctl/command.h"
#include "tools/picctl/flags.h"
#include "tools/picctl/help.h"
#include "tools/picctl/missing.h"
#include "tools/picctl/out.h"

static const struct command *const verbs[] = {
    &cmd_init,     &cmd_validate,      &cmd_apply,   &cmd_delete, &cmd_get,   &cmd_describe,
    &cmd_diff,     &cmd_status,        &cmd_peer,    &cmd_resync, &cmd_trace, &cmd_prune,
    &cmd_teardown, &cmd_api_resources, &cmd_version, NULL,
};
static const struct command root = {.name = "picctl", .below = verbs};

/* The command line while it is read: what was taken is gone from it. */
struct line {
    int argc;
    char **argv;
    bool help;
};

static const char *next_verb(const void *context, size_t i)
{
    const struct command *verb = context;
    return verb->below[i] ? verb->below[i]->name : NULL;
}

static int refuse_verb(const struct command *above, const char *word)
{
    const char *instead = above == &root ? missing_verb(word) : NULL;
    if (instead)
        return out_misused("there is no verb \"%s\" here: %s", word, instead);
    const char *nearest = suggest_nearest(word, next_verb, above);
    if (nearest)
        return out_misused("unknown verb \"%s\"; did you mean \"%s\"?", word, nearest);
    return out_misused("unknown verb \"%s\"; `picctl help` lists the verbs", word);
}

static int show_help(const struct command *verb, const char *path, FILE *file)
{
    STRBUF_AUTO text = STRBUF_INIT;
    if (verb == &root)
        help_overview(verb, &text);
    else
        help_verb(verb, path, &text);
    fwrite(text.text, 1, text.len, file);
    return file == stdout ? 0 : STATUS_MISUSED;
}

static int run_verb(const struct command *verb, const char *path, const struct config *config,
                    const struct line *line)
{
    ERROR_AUTO error = NULL;
    struct words words = {0};
    MEM_AUTO void *options = mem_alloc(verb->options_size);

    int status = STATUS_MISUSED;
    if (flags_read(verb, line->argc, line->argv, options, &words, &error) < 0)
        out_misused("%s (`%s --help` says more)", error->message, path);
    else
        status = verb->run(config, options, &words);
    flags_clear(verb, options, &words);
    return status;
}

/* Goes down the tables as far as the words name verbs. */
static int dispatch(const struct config *config, struct line *line)
{
    const struct command *verb = &root;
    STRBUF_AUTO path = STRBUF_INIT;
    strbuf_puts(&path, "picctl");

    while (verb->below) {
        if (line->argc == 0)
            return show_help(verb, path.text, line->help ? stdout : stderr);
        const struct command *const *v = verb->below;
        while (*v && strcmp((*v)->name, line->argv[0]) != 0)
            v++;
        if (!*v)
            return refuse_verb(verb, line->argv[0]);
        verb = *v;
        strbuf_printf(&path, " %s", verb->name);
        line->argc--, line->argv++;
    }
    return line->help ? show_help(verb, path.text, stdout)
                      : run_verb(verb, path.text, config, line);
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* Takes --config FILE out of the line; the last one counts. */
static const char *take_config(struct line *line)
{
    const char *file = NULL;
    int kept = 0;
    for (int i = 0; i < line->argc; i++) {
        if (strncmp(line->argv[i], "--config=", 9) == 0)
            file = line->argv[i] + 9;
        else if (strcmp(line->argv[i], "--config") == 0 && i + 1 < line->argc)
            file = line->argv[++i];
        else
            line->argv[kept++] = line->argv[i];
    }
    line->argc = kept;
    return file;
}

/* The file's settings count first, the flags over them, wherever they stand before a "--". */
static int take_globals(struct config *config, struct line *line, struct error **reterr)
{
    const char *file = take_config(line);
    bool ended = false;
    int kept = 0, r = config_read(config, file ? file : CONFIG_FILE, file != NULL, reterr);
    for (int i = 0; i < line->argc && r >= 0; i++) {
        ended |= strcmp(line->argv[i], "--") == 0;
        r = ended ? 0 : config_flag(config, line->argc, line->argv, &i, reterr);
        if (r == 0 && !ended && asks_help(line->argv[i]))
            line->help = true;
        else if (r == 0)
            line->argv[kept++] = line->argv[i];
    }
    line->argc = kept;
    return r < 0 ? r : 0;
}

static int run(struct config *config, struct line *line)
{
    ERROR_AUTO error = NULL;
    if (take_globals(config, line, &error) < 0)
        return out_misused("%s", error->message);
    if (line->argc > 0 && strcmp(line->argv[0], "help") == 0) {
        line->help = true;
        line->argc--, line->argv++;
    }
    return dispatch(config, line);
}

int main(int argc, char **argv)
{
    struct config config;
    struct line line = {.argc = argc - 1, .argv = argv + 1};

    config_init(&config);
    int status = run(&config, &line);
    config_clear(&config);
    if (fflush(stdout) != 0 || ferror(stdout))
        return out_refused("cannot write the output: %s", strerror(errno));
    return status;
}
