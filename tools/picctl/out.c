#include "tools/picctl/out.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/base/mem.h"

#define RED "\033[31m"
#define PLAIN "\033[0m"

bool out_coloured(FILE *file)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return !(no && *no) && term && strcmp(term, "dumb") != 0 && isatty(fileno(file));
}

/* Results that were said before come first where both streams go to one place. */
static void say(const char *message)
{
    fflush(stdout);
    fprintf(stderr, "%s %s\n", out_coloured(stderr) ? RED "error:" PLAIN : "error:", message);
}

__attribute__((format(printf, 1, 0))) static void say_error(const char *format, va_list args)
{
    STRBUF_AUTO text = STRBUF_INIT;
    strbuf_vprintf(&text, format, args);
    say(text.text);
}

int out_failed(const struct error *error)
{
    say(error->message);
    return STATUS_FAILED;
}

int out_refused(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_error(format, args);
    va_end(args);
    return STATUS_FAILED;
}

int out_misused(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_error(format, args);
    va_end(args);
    return STATUS_MISUSED;
}

void out_note(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

void out_text(const struct strbuf *text)
{
    fwrite(text->text, 1, text->len, stdout);
}

void out_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void out_findings(FILE *file, const struct diags *diags)
{
    STRBUF_AUTO text = STRBUF_INIT;
    for (size_t i = 0; i < diags->count; i++)
        diag_print(&diags->list[i], &text);
    fflush(stdout);
    fwrite(text.text, 1, text.len, file);
}

void out_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    putchar('\n');
}

bool out_asked(const char *question)
{
    if (!isatty(STDIN_FILENO))
        return false;
    fflush(stdout);
    fprintf(stderr, "%s [y/N] ", question);
    MEM_AUTO char *line = NULL;
    size_t capacity = 0;
    if (getline(&line, &capacity, stdin) < 0)
        return false;
    line[strcspn(line, "\r\n")] = '\0';
    return strcasecmp(line, "y") == 0 || strcasecmp(line, "yes") == 0;
}
