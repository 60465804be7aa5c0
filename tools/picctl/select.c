#include "tools/picctl/select.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"
#include "tools/picctl/item.h"
#include "tools/picctl/jsonpath.h"

/* ---- labels ---------------------------------------------------------------------------------- */

struct term {
    char *key;
    char *value; /* NULL: the label exists */
    bool negated;
};

static void term_clear(struct term *term)
{
    mem_freep(&term->key);
    mem_freep(&term->value);
}
#define TERM_AUTO __attribute__((cleanup(term_clear))) struct term

/* One of "a", "!a", "a=b", "a==b", "a!=b". */
static int term_read(const char *text, size_t len, struct term *ret, struct error **reterr)
{
    struct term term = {0};
    MEM_AUTO char *copy = mem_strndup(text, len);
    char *equals = strchr(copy, '='), *key = copy;
    if (equals) {
        term.negated = equals > copy && equals[-1] == '!';
        equals[term.negated ? -1 : 0] = '\0';
        term.value = mem_strdup(equals + 1 + (!term.negated && equals[1] == '='));
    } else if (*key == '!') {
        term.negated = true;
        key++;
    }
    if (!*key || strpbrk(key, " !()") || (term.value && strpbrk(term.value, " =()"))) {
        mem_freep(&term.value);
        return error_make(reterr, EINVAL,
                          "selector \"%.*s\": expected a=b, a!=b, a or !a, with commas between",
                          (int)len, text);
    }
    term.key = mem_strdup(key);
    *ret = term;
    return 0;
}

static bool term_fits(const struct term *term, const json_t *item)
{
    const char *value = item_label(item, term->key);
    bool fits = value && (!term->value || strcmp(value, term->value) == 0);
    return fits != term->negated;
}

int select_labels(json_t *items, const char *selector, struct error **reterr)
{
    for (const char *at = selector;; at++) {
        TERM_AUTO term = {0};
        size_t len = strcspn(at, ",");
        int r = term_read(at, len, &term, reterr);
        if (r < 0)
            return r;
        json_t *kept = json_array();
        for (size_t i = 0; i < json_array_size(items); i++)
            if (term_fits(&term, json_array_get(items, i)))
                json_array_append(kept, json_array_get(items, i));
        json_array_clear(items);
        json_array_extend(items, kept);
        json_decref(kept);
        at += len;
        if (!*at)
            return 0;
    }
}

/* ---- order ----------------------------------------------------------------------------------- */

struct sorted {
    json_t *item;
    const json_t *key;
    size_t place; /* in the given order */
};

static int rank(const json_t *key)
{
    return !key ? 0 : json_is_number(key) ? 1 : 2;
}

static int compare_texts(const json_t *a, const json_t *b)
{
    if (json_is_string(a) && json_is_string(b))
        return strverscmp(json_string_value(a), json_string_value(b));
    return (int)json_typeof(a) - (int)json_typeof(b);
}

static int compare(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    int order = rank(x->key) - rank(y->key);
    if (order == 0 && rank(x->key) == 1) {
        double p = json_number_value(x->key), q = json_number_value(y->key);
        order = (p > q) - (p < q);
    } else if (order == 0 && rank(x->key) == 2) {
        order = compare_texts(x->key, y->key);
    }
    return order ? order : (x->place > y->place) - (x->place < y->place);
}

int select_sort(json_t *items, const char *path, struct error **reterr)
{
    size_t count = json_array_size(items);
    if (!count)
        return 0;
    MEM_AUTO struct sorted *list = mem_alloc(count * sizeof(*list));
    for (size_t i = 0; i < count; i++) {
        list[i] = (struct sorted){.item = json_array_get(items, i), .place = i};
        int r = jsonpath_first(path, list[i].item, &list[i].key, reterr);
        if (r < 0)
            return r;
    }
    qsort(list, count, sizeof(*list), compare);
    json_t *ordered = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append(ordered, list[i].item);
    json_array_clear(items);
    json_array_extend(items, ordered);
    json_decref(ordered);
    return 0;
}
