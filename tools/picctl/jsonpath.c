#include "tools/picctl/jsonpath.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

/* What a path leads to so far. */
struct nodes {
    const json_t **list;
    size_t count, capacity;
};

static void nodes_add(struct nodes *nodes, const json_t *value)
{
    if (!value)
        return;
    nodes->list =
        mem_grow((void *)nodes->list, nodes->count, &nodes->capacity, sizeof(*nodes->list));
    nodes->list[nodes->count++] = value;
}

static void nodes_clear(struct nodes *nodes)
{
    mem_freep(&nodes->list);
    *nodes = (struct nodes){0};
}
#define NODES_AUTO __attribute__((cleanup(nodes_clear))) struct nodes

/* The template while it is read, and where its text goes. */
struct reader {
    const char *template;
    const char *at;
    struct strbuf *out;
    struct error **reterr;
};

static int refuse(const struct reader *r, const char *why)
{
    return error_make(r->reterr, EINVAL, "jsonpath \"%s\", character %zu: %s", r->template,
                      (size_t)(r->at - r->template) + 1, why);
}

/* ---- paths ----------------------------------------------------------------------------------- */

enum step_type { STEP_KEY, STEP_INDEX, STEP_ALL };

struct step {
    enum step_type type;
    char key[JSONPATH_KEY_MAX + 1];
    long index;
};

static void take_step(const struct step *step, const json_t *value, struct nodes *to)
{
    const char *key;
    json_t *item;
    size_t i, size = json_array_size(value);

    switch (step->type) {
    case STEP_KEY:
        nodes_add(to, json_object_get(value, step->key));
        break;
    case STEP_INDEX:
        if (step->index >= 0)
            nodes_add(to, json_array_get(value, (size_t)step->index));
        else if ((size_t)-step->index <= size)
            nodes_add(to, json_array_get(value, size - (size_t)-step->index));
        break;
    case STEP_ALL:
        json_array_foreach(value, i, item) nodes_add(to, item);
        json_object_foreach((json_t *)(uintptr_t)value, key, item) nodes_add(to, item);
        break;
    }
}

/* A key up to one of `stop`; a backslash takes the next character as it is. */
static int read_key(struct reader *r, const char *stop, struct step *step)
{
    size_t len = 0;
    step->type = STEP_KEY;
    for (; *r->at && !strchr(stop, *r->at); r->at++) {
        if (*r->at == '\\' && r->at[1])
            r->at++;
        if (len == JSONPATH_KEY_MAX)
            return refuse(r, "the key is too long");
        step->key[len++] = *r->at;
    }
    step->key[len] = '\0';
    return len || *stop == '\'' ? 0 : refuse(r, "expected a key");
}

static int read_bracket(struct reader *r, struct step *step)
{
    char *end;
    r->at++;
    if (*r->at == '\'' || *r->at == '"') {
        const char quote[] = {*r->at++, '\0'};
        int result = read_key(r, *quote == '"' ? "\"" : "'", step);
        if (result < 0)
            return result;
        if (*r->at != *quote)
            return refuse(r, "the quote is not closed");
        r->at++;
    } else if (*r->at == '*') {
        step->type = STEP_ALL;
        r->at++;
    } else {
        errno = 0;
        step->type = STEP_INDEX;
        step->index = strtol(r->at, &end, 10);
        if (end == r->at || errno || step->index < -INT32_MAX)
            return refuse(r, "expected a number, * or a key in quotes");
        r->at = end;
    }
    if (*r->at != ']')
        return refuse(r, "expected ]");
    r->at++;
    return 0;
}

/* Returns 1 a step, 0 the path has ended. */
static int read_step(struct reader *r, struct step *step)
{
    int result = 0;
    if (*r->at == '[') {
        result = read_bracket(r, step);
    } else if (*r->at == '.') {
        r->at++;
        if (*r->at == '*') {
            step->type = STEP_ALL;
            r->at++;
        } else if (*r->at == '.') {
            return refuse(r, "recursive descent (..) is not known here");
        } else if (*r->at != '[' && *r->at && !strchr(" }", *r->at)) {
            result = read_key(r, ".[]{} ", step);
        } else {
            return read_step(r, step); /* "." alone is the value itself; ".[0]" is "[0]" */
        }
    } else {
        return 0;
    }
    return result < 0 ? result : 1;
}

/* Reads a path and follows it from `from` (NULL: only reads it). */
static int read_path(struct reader *r, const json_t *from, struct nodes *ret)
{
    struct step step;
    int result;

    if (*r->at == '$' || *r->at == '@')
        r->at++;
    nodes_add(ret, from);
    while ((result = read_step(r, &step)) > 0) {
        struct nodes next = {0};
        for (size_t i = 0; i < ret->count; i++)
            take_step(&step, ret->list[i], &next);
        nodes_clear(ret);
        *ret = next;
    }
    return result;
}

/* ---- templates ------------------------------------------------------------------------------- */

static void put_value(const json_t *value, struct strbuf *out)
{
    if (json_is_string(value)) {
        strbuf_add(out, json_string_value(value), json_string_length(value));
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    strbuf_puts(out, text ? text : "");
    mem_freep(&text);
}

static void skip_spaces(struct reader *r)
{
    while (*r->at == ' ')
        r->at++;
}

static int expect_close(struct reader *r)
{
    skip_spaces(r);
    if (*r->at != '}')
        return refuse(r, "expected }");
    r->at++;
    return 0;
}

/* {"\n"}: text, with the escapes that a shell makes hard to write. */
static int print_literal(struct reader *r, bool silent)
{
    static const char escapes[][2] = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}};
    char quote = *r->at++;
    for (; *r->at && *r->at != quote; r->at++) {
        char c = *r->at;
        if (c == '\\' && r->at[1]) {
            c = *++r->at;
            for (size_t i = 0; i < ARRAY_SIZE(escapes); i++)
                if (escapes[i][0] == *r->at)
                    c = escapes[i][1];
        }
        if (!silent)
            strbuf_putc(r->out, c);
    }
    if (!*r->at)
        return refuse(r, "the quote is not closed");
    r->at++;
    return expect_close(r);
}

static int print_path(struct reader *r, const json_t *here)
{
    NODES_AUTO found = {0};
    int result = read_path(r, here, &found);
    if (result < 0)
        return result;
    for (size_t i = 0; i < found.count; i++) {
        if (i)
            strbuf_putc(r->out, ' ');
        put_value(found.list[i], r->out);
    }
    return expect_close(r);
}

static int print_parts(struct reader *r, const json_t *here, unsigned depth);

/* {range PATH}…{end}: the part between, once for each value; once in silence if there is none, to
 * find the end. */
static int print_range(struct reader *r, const json_t *here, unsigned depth)
{
    NODES_AUTO found = {0};
    if (depth == JSONPATH_RANGES_MAX)
        return refuse(r, "too many ranges one inside another");
    skip_spaces(r);
    int result = read_path(r, here, &found);
    if (result == 0)
        result = expect_close(r);
    const char *body = r->at;
    for (size_t i = 0; result == 0 && (i == 0 || i < found.count); i++) {
        r->at = body;
        result = print_parts(r, found.count ? found.list[i] : NULL, depth + 1);
    }
    return result;
}

/* One {…}. Returns 1 after {end}. */
static int print_braces(struct reader *r, const json_t *here, unsigned depth)
{
    r->at++;
    skip_spaces(r);
    if (*r->at == '"' || *r->at == '\'')
        return print_literal(r, !here);
    if (strncmp(r->at, "range ", 6) == 0) {
        r->at += 6;
        return print_range(r, here, depth);
    }
    if (strncmp(r->at, "end}", 4) == 0) {
        if (depth == 0)
            return refuse(r, "there is no range to end");
        r->at += 4;
        return 1;
    }
    if (!*r->at || !strchr(".[$@", *r->at))
        return refuse(r, "expected a path such as .metadata.name");
    return print_path(r, here);
}

/* Prints up to the template's end, or the {end} of the range that it is in. `here` NULL: in
 * silence. */
static int print_parts(struct reader *r, const json_t *here, unsigned depth)
{
    while (*r->at) {
        size_t len = strcspn(r->at, "{");
        if (here)
            strbuf_add(r->out, r->at, len);
        r->at += len;
        if (!*r->at)
            break;
        int result = print_braces(r, here, depth);
        if (result != 0)
            return result < 0 ? result : 0;
    }
    return depth ? refuse(r, "the range has no {end}") : 0;
}

static int check_size(const char *template, struct error **reterr)
{
    if (strlen(template) > JSONPATH_TEMPLATE_MAX)
        return error_make(reterr, EINVAL, "the jsonpath is longer than %d characters",
                          JSONPATH_TEMPLATE_MAX);
    return 0;
}

int jsonpath_print(const char *template, const json_t *root, struct strbuf *out,
                   struct error **reterr)
{
    MEM_AUTO char *braced = NULL;
    if (check_size(template, reterr) < 0)
        return -EINVAL;
    if (*template && strchr(".[$@", *template) && !strchr(template, '{'))
        template = braced = mem_printf("{%s}", template);
    struct reader r = {template, template, out, reterr};
    return print_parts(&r, root, 0);
}

int jsonpath_first(const char *path, const json_t *root, const json_t **ret, struct error **reterr)
{
    NODES_AUTO found = {0};
    struct reader r = {.template = path, .at = path, .reterr = reterr};
    if (check_size(path, reterr) < 0)
        return -EINVAL;
    bool braced = *r.at == '{';
    r.at += braced;
    int result = read_path(&r, root, &found);
    if (result == 0 && strcmp(r.at, braced ? "}" : "") != 0)
        result = refuse(&r, "expected a path such as .metadata.name");
    if (result == 0)
        *ret = found.count ? found.list[0] : NULL;
    return result;
}
