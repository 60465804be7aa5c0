#include "controller/state/config.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/io.h"
#include "schema/base/mem.h"

/* The names of the flags and of the lines in the file; a new one is a row. */
static const struct {
    const char *name;
    size_t offset;
    const char *def;
} settings[] = {
    {"manifests", offsetof(struct config, manifests), "/etc/pic/manifests"},
    {"secrets", offsetof(struct config, secrets), "/etc/pic/secrets"},
    {"state", offsetof(struct config, state), "/var/lib/pic"},
    {"run", offsetof(struct config, run), "/run/pic"},
    {"cell", offsetof(struct config, cell), NULL},
    {"log-level", offsetof(struct config, log_level), NULL},
};

enum { CONFIG_FILE_MAX = 64 * 1024 };

static char **setting(struct config *config, size_t row)
{
    return (char **)((char *)config + settings[row].offset);
}

static void set(struct config *config, size_t row, const char *value)
{
    char **member = setting(config, row);
    mem_freep(member);
    *member = mem_strdup(value);
}

void config_init(struct config *config)
{
    *config = (struct config){0};
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        set(config, i, settings[i].def);
}

void config_clear(struct config *config)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        mem_freep(setting(config, i));
}

static int find(const char *name, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (strlen(settings[i].name) == len && memcmp(settings[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && isspace((unsigned char)end[-1]))
        *--end = '\0';
    return text;
}

static int take_line(struct config *config, char *line, const char *path, unsigned number,
                     struct error **reterr)
{
    line[strcspn(line, "#")] = '\0';
    line = trim(line);
    if (!*line)
        return 0;
    char *equals = strchr(line, '=');
    if (!equals)
        return error_make(reterr, EINVAL, "%s:%u: expected name = value", path, number);
    *equals = '\0';
    char *name = trim(line);
    int row = find(name, strlen(name));
    if (row < 0)
        return error_make(reterr, EINVAL, "%s:%u: unknown setting \"%s\"", path, number, name);
    set(config, (size_t)row, trim(equals + 1));
    return 0;
}

int config_read(struct config *config, const char *path, bool required, struct error **reterr)
{
    STRBUF_AUTO text = STRBUF_INIT;
    struct error *error = NULL;
    if (io_read(path, CONFIG_FILE_MAX, &text, &error) < 0) {
        if (error->errnum == ENOENT && !required) {
            error_free(error);
            return 0;
        }
        *reterr = error;
        return -error->errnum;
    }
    unsigned number = 0;
    for (char *line = text.text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        int result = take_line(config, line, path, ++number, reterr);
        if (result < 0)
            return result;
    }
    return 0;
}

int config_flag(struct config *config, int argc, char **argv, int *i, struct error **reterr)
{
    const char *flag = argv[*i];
    if (strncmp(flag, "--", 2) != 0)
        return 0;
    size_t len = strcspn(flag + 2, "=");
    int row = find(flag + 2, len);
    if (row < 0)
        return 0;
    if (flag[2 + len] == '=') {
        set(config, (size_t)row, flag + 3 + len);
        return 1;
    }
    if (*i + 1 >= argc)
        return error_make(reterr, EINVAL, "%s needs a value", flag);
    set(config, (size_t)row, argv[++*i]);
    return 1;
}

static char *resolve(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : mem_strdup(path);
}

static bool is_read_with(const char *directory, const char *path)
{
    MEM_AUTO char *above = resolve(directory);
    MEM_AUTO char *below = resolve(path);
    size_t len = strlen(above);
    return strncmp(below, above, len) == 0 && (below[len] == '/' || below[len] == '\0') &&
           !strstr(below + len, "/.");
}

int config_check(const struct config *config, struct error **reterr)
{
    const char *const ours[] = {config->secrets, config->state, config->run};
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (is_read_with(config->manifests, ours[i]))
            return error_make(
                reterr, EINVAL,
                "\"%s\" lies among the manifests, in \"%s\": give it a directory of its "
                "own",
                ours[i], config->manifests);
    return 0;
}
