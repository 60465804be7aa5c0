#include "tools/picctl/target.h"

#include <errno.h>
#include <string.h>

#include "schema/base/mem.h"
#include "schema/base/suggest.h"

void targets_clear(struct targets *targets)
{
    mem_freep(&targets->list);
    *targets = (struct targets){0};
}

static void add(struct targets *targets, const struct kind *kind, const char *name)
{
    targets->list =
        mem_grow(targets->list, targets->count, &targets->capacity, sizeof(*targets->list));
    targets->list[targets->count++] = (struct target){kind, name};
}

static const char *next_kind(const void *context, size_t i)
{
    (void)context;
    return i < kind_count ? kinds[i]->plural : NULL;
}

static int find_kind(const char *word, size_t len, const struct kind **ret, struct error **reterr)
{
    MEM_AUTO char *text = mem_strndup(word, len);
    *ret = kind_find(text);
    if (*ret)
        return 0;
    const char *nearest = suggest_nearest(text, next_kind, NULL);
    if (nearest)
        return error_make(reterr, EINVAL, "unknown kind \"%s\"; did you mean \"%s\"?", text,
                          nearest);
    return error_make(reterr, EINVAL, "unknown kind \"%s\"; `picctl api-resources` lists the kinds",
                      text);
}

static int add_name(struct targets *targets, const struct kind *kind, const char *name,
                    struct error **reterr)
{
    if (!resource_name_valid(name))
        return error_make(reterr, EINVAL,
                          "\"%s\" is no name: expected 1 to 63 of a-z 0-9 - . , first and last a "
                          "letter or digit",
                          name);
    add(targets, kind, name);
    return 0;
}

static int read_pair(const char *word, struct targets *ret, struct error **reterr)
{
    size_t len = strcspn(word, "/");
    const struct kind *kind;
    if (word[len] != '/')
        return error_make(reterr, EINVAL, "\"%s\": expected KIND/NAME, as in peer/laptop", word);
    int r = find_kind(word, len, &kind, reterr);
    return r < 0 ? r : add_name(ret, kind, word + len + 1, reterr);
}

int targets_read(const struct words *words, struct targets *ret, struct error **reterr)
{
    int r = 0;
    if (words->count == 1 && strcmp(words->list[0], "all") == 0) {
        for (size_t i = 0; i < kind_count; i++)
            add(ret, kinds[i], NULL);
    } else if (words->count > 0 && !strchr(words->list[0], '/')) {
        const struct kind *kind;
        r = find_kind(words->list[0], strlen(words->list[0]), &kind, reterr);
        if (r == 0 && words->count == 1)
            add(ret, kind, NULL);
        for (size_t i = 1; r == 0 && i < words->count; i++)
            r = add_name(ret, kind, words->list[i], reterr);
    } else {
        for (size_t i = 0; r == 0 && i < words->count; i++)
            r = read_pair(words->list[i], ret, reterr);
    }
    return r;
}

int targets_read_named(const struct words *words, struct targets *ret, struct error **reterr)
{
    int r = targets_read(words, ret, reterr);
    for (size_t i = 0; r == 0 && i < ret->count; i++)
        if (!ret->list[i].name)
            r = error_make(reterr, EINVAL, "\"%s\": expected KIND/NAME, as in peer/laptop",
                           words->list[0]);
    return r;
}

bool target_matches(const struct target *target, const struct kind *kind, const char *name)
{
    return target->kind == kind && (!target->name || strcmp(target->name, name) == 0);
}

int target_absent(const struct target *target, const char *nearest, struct error **reterr)
{
    const char *kind = target->kind->name;
    if (nearest)
        return error_make(reterr, ENOENT, "there is no %s \"%s\"; did you mean \"%s\"?", kind,
                          target->name, nearest);
    return error_make(reterr, ENOENT, "there is no %s \"%s\"; `picctl get %s` lists what there is",
                      kind, target->name, target->kind->plural);
}
