#include "tools/picctl/flags.h"

#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/suggest.h"

static void words_add(struct words *words, const char *word)
{
    words->list =
        mem_grow((void *)words->list, words->count, &words->capacity, sizeof(*words->list));
    words->list[words->count++] = word;
}

static const char *next_name(const void *context, size_t i)
{
    const struct command *verb = context;
    return i < verb->flag_count ? verb->flags[i].name : NULL;
}

static int refuse_unknown(const struct command *verb, const char *word, struct error **reterr)
{
    MEM_AUTO char *name = mem_strndup(word + 2 * (word[1] == '-'), strcspn(word, "="));
    name[strcspn(name, "=")] = '\0';
    const char *nearest = word[1] == '-' ? suggest_nearest(name, next_name, verb) : NULL;
    if (nearest)
        return error_make(reterr, EINVAL, "unknown flag \"%s\"; did you mean --%s?", word, nearest);
    return error_make(reterr, EINVAL, "unknown flag \"%s\"; --help lists the flags", word);
}

/* Does the word begin with this flag? Then *retvalue is what is glued to it, or NULL. */
static bool matches(const struct flag *flag, const char *word, const char **retvalue)
{
    size_t len = strlen(flag->name);
    if (word[1] != '-') {
        *retvalue = word[2] ? word + 2 + (word[2] == '=') : NULL;
        return flag->letter && word[1] == flag->letter;
    }
    const char *rest = word + 2 + len;
    if (strncmp(word + 2, flag->name, len) != 0 || (*rest && *rest != '='))
        return false;
    *retvalue = *rest ? rest + 1 : NULL;
    return true;
}

static void store(const struct flag *flag, void *options, const char *value)
{
    void *member = (char *)options + flag->offset;
    switch (flag->type) {
    case FLAG_SWITCH:
        *(bool *)member = true;
        break;
    case FLAG_TEXT:
        *(const char **)member = value;
        break;
    case FLAG_TEXTS:
        words_add(member, value);
        break;
    }
}

/* Takes the flag at argv[*i], moving *i over a value that stands apart. */
static int take_flag(const struct command *verb, int argc, char **argv, int *i, void *options,
                     struct error **reterr)
{
    const char *word = argv[*i], *value = NULL;
    const struct flag *flag = NULL;
    for (size_t k = 0; k < verb->flag_count && !flag; k++)
        if (matches(&verb->flags[k], word, &value))
            flag = &verb->flags[k];
    if (!flag)
        return refuse_unknown(verb, word, reterr);
    if (flag->type == FLAG_SWITCH && value)
        return error_make(reterr, EINVAL, "--%s takes no value", flag->name);
    if (flag->type != FLAG_SWITCH && !value) {
        if (*i + 1 >= argc)
            return error_make(reterr, EINVAL, "--%s needs a value: --%s %s", flag->name, flag->name,
                              flag->value);
        value = argv[++*i];
    }
    store(flag, options, value);
    return 0;
}

static int check_count(const struct command *verb, const struct words *words, struct error **reterr)
{
    if (words->count < verb->least)
        return error_make(reterr, EINVAL, "something is missing after %s: expected %s", verb->name,
                          verb->arguments);
    if (words->count > verb->most)
        return error_make(reterr, EINVAL, "\"%s\" is one word too many", words->list[verb->most]);
    return 0;
}

int flags_read(const struct command *verb, int argc, char **argv, void *options,
               struct words *words, struct error **reterr)
{
    bool ended = false;
    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (ended || word[0] != '-' || !word[1]) {
            words_add(words, word);
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else {
            int r = take_flag(verb, argc, argv, &i, options, reterr);
            if (r < 0)
                return r;
        }
    }
    return check_count(verb, words, reterr);
}

void flags_clear(const struct command *verb, void *options, struct words *words)
{
    for (size_t k = 0; k < verb->flag_count; k++) {
        struct words *texts = (struct words *)(void *)((char *)options + verb->flags[k].offset);
        if (verb->flags[k].type == FLAG_TEXTS)
            mem_freep(&texts->list);
    }
    mem_freep(&words->list);
}
