#include "controller/loop/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/base/mem.h"
#include "schema/base/strbuf.h"

/* Names, and the syslog priorities that the journal reads from "<N>" (sd-daemon(3)). */
static const struct {
    const char *name;
    char priority;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},
    [LOG_LEVEL_WARNING] = {"warning", '4'},
    [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

void log_init(struct log *log)
{
    *log = (struct log){LOG_LEVEL_INFO, getenv("JOURNAL_STREAM") != NULL};
}

int log_level_parse(const char *word)
{
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcmp(levels[i].name, word) == 0)
            return (int)i;
    return -1;
}

static void add_value(struct strbuf *line, const char *value)
{
    bool plain = *value && !strpbrk(value, " \"=\n\t\\");
    if (plain) {
        strbuf_puts(line, value);
        return;
    }
    strbuf_putc(line, '"');
    for (; *value; value++) {
        if (*value == '\n')
            strbuf_puts(line, "\\n");
        else if (*value == '"' || *value == '\\')
            strbuf_printf(line, "\\%c", *value);
        else
            strbuf_putc(line, *value);
    }
    strbuf_putc(line, '"');
}

void log_line(const struct log *log, enum log_level level, const char *event, ...)
{
    STRBUF_AUTO line = STRBUF_INIT;
    va_list args;
    const char *key;

    if (level > log->level)
        return;
    if (log->journal)
        strbuf_printf(&line, "<%c>", levels[level].priority);
    strbuf_printf(&line, "level=%s event=%s", levels[level].name, event);
    va_start(args, event);
    while ((key = va_arg(args, const char *))) {
        const char *value = va_arg(args, const char *);
        strbuf_printf(&line, " %s=", key);
        add_value(&line, value ? value : "");
    }
    va_end(args);
    strbuf_putc(&line, '\n');
    /* Nobody can be told that telling failed. */
    if (write(STDERR_FILENO, line.text, line.len) < 0)
        return;
}
