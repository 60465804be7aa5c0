/*
 * picd: reads where everything lies, then runs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controller/loop/daemon.h"
#include "controller/store/load.h"

enum { EXIT_USAGE = 64 };

static const char usage[] =
    "usage: picd [--config FILE] [--manifests DIR] [--secrets DIR] [--state DIR] [--run DIR]\n"
    "            [--cell NAME] [--log-level error|warning|info|debug] [--once | --check | "
    "--version]\n"
    "\n"
    "Watches the manifests and keeps the live system as they say. In the foreground.\n"
    "  --once     converge, print what was carried out; exit 0 converged, 1 not\n"
    "  --check    validate the manifests and exit; touches nothing\n";

struct arguments {
    struct config config;
    const char *config_file; /* NULL: the usual one, if it is there */
    bool once, check, version, help;
};

/* The file first, then flags over it: so flags are read twice. */
static int read_flags(struct arguments *a, int argc, char **argv, struct error **reterr)
{
    for (int i = 1; i < argc; i++) {
        int taken = config_flag(&a->config, argc, argv, &i, reterr);
        if (taken < 0)
            return taken;
        if (taken)
            continue;
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            a->config_file = argv[++i];
        else if (strcmp(argv[i], "--once") == 0)
            a->once = true;
        else if (strcmp(argv[i], "--check") == 0)
            a->check = true;
        else if (strcmp(argv[i], "--version") == 0)
            a->version = true;
        else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            a->help = true;
        else
            return error_make(reterr, EINVAL, "unknown argument \"%s\"", argv[i]);
    }
    return 0;
}

static int read_arguments(struct arguments *a, int argc, char **argv, struct error **reterr)
{
    config_init(&a->config);
    int result = read_flags(a, argc, argv, reterr);
    if (result == 0)
        result = config_read(&a->config, a->config_file ? a->config_file : CONFIG_FILE,
                             a->config_file != NULL, reterr);
    return result < 0 ? result : read_flags(a, argc, argv, reterr);
}

static int check(const struct config *config)
{
    ERROR_AUTO error = NULL;
    DIAGS_AUTO diags = DIAGS_INIT;
    struct store *store;

    if (load_tree(config->manifests, NULL, config->cell, NULL, 0, &store, NULL, &error) < 0) {
        fprintf(stderr, "error: %s\n", error->message);
        return 1;
    }
    store_diags(store, &diags);
    for (size_t i = 0; i < diags.count; i++) {
        STRBUF_AUTO text = STRBUF_INIT;
        diag_print(&diags.list[i], &text);
        fputs(text.text, stderr);
    }
    store_free(store);
    return diags.errors ? 1 : 0;
}

static int set_log_level(const struct config *config, struct log *log, struct error **reterr)
{
    log_init(log);
    if (!config->log_level)
        return 0;
    int level = log_level_parse(config->log_level);
    if (level < 0)
        return error_make(reterr, EINVAL, "unknown log level \"%s\"", config->log_level);
    log->level = (enum log_level)level;
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct log log;
    ERROR_AUTO error = NULL;
    int exit_code;

    if (read_arguments(&arguments, argc, argv, &error) < 0 ||
        set_log_level(&arguments.config, &log, &error) < 0) {
        fprintf(stderr, "error: %s\n%s", error->message, usage);
        exit_code = EXIT_USAGE;
    } else if (arguments.help) {
        exit_code = fputs(usage, stdout) < 0;
    } else if (arguments.version) {
        exit_code = puts("picd " PIC_VERSION) < 0;
    } else if (arguments.check) {
        exit_code = check(&arguments.config);
    } else {
        exit_code = daemon_run(&arguments.config, &log, arguments.once);
    }
    config_clear(&arguments.config);
    return exit_code;
}
