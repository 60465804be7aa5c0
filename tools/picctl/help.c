#include "tools/picctl/help.h"

#include <stdio.h>

#include "schema/base/mem.h"

enum { VERB_WIDTH = 15, FLAG_WIDTH = 24 };

static void list_verbs(const struct command *verb, struct strbuf *out)
{
    for (const struct command *const *v = verb->below; *v; v++)
        strbuf_printf(out, "  %-*s %s\n", VERB_WIDTH, (*v)->name, (*v)->help);
}

static void list_flag(const struct flag *flag, struct strbuf *out)
{
    char letter[] = "    ", left[64];
    if (flag->letter)
        snprintf(letter, sizeof(letter), "-%c, ", flag->letter);
    snprintf(left, sizeof(left), "%s--%s%s%s", letter, flag->name, flag->value ? " " : "",
             flag->value ? flag->value : "");
    strbuf_printf(out, "  %-*s %s\n", FLAG_WIDTH, left, flag->help);
}

void help_overview(const struct command *root, struct strbuf *out)
{
    strbuf_puts(out, "usage: picctl VERB …\n\n");
    list_verbs(root, out);
    strbuf_printf(out, "  %-*s %s\n\n", VERB_WIDTH, "help [VERB]",
                  "this text, or all about one verb");
    strbuf_puts(out, "Where everything lies, the same for picd (" CONFIG_FILE " may say it too):\n"
                     "  --manifests DIR   the manifests, /etc/pic/manifests\n"
                     "  --secrets DIR     the keys, /etc/pic/secrets\n"
                     "  --state DIR       what picd remembers, /var/lib/pic\n"
                     "  --run DIR         picd's socket, /run/pic\n"
                     "  --cell NAME       which Cell of a tree with several\n"
                     "  --config FILE     another file with these settings\n");
}

void help_verb(const struct command *verb, const char *path, struct strbuf *out)
{
    strbuf_printf(out, "usage: %s%s%s%s\n\n%s\n", path, verb->flag_count ? " [flags]" : "",
                  *verb->arguments ? " " : "", verb->arguments, verb->help);
    if (verb->more)
        strbuf_printf(out, "\n%s\n", verb->more);
    if (verb->flag_count || verb->below)
        strbuf_putc(out, '\n');
    for (size_t i = 0; i < verb->flag_count; i++)
        list_flag(&verb->flags[i], out);
    if (verb->below)
        list_verbs(verb, out);
}
