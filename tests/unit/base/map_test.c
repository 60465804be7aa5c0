#include "schema/base/map.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

enum { KEYS = 3000, OPERATIONS = 100000 };

struct item {
    char key[16];
    void *value; /* what the map should hold; NULL: nothing */
};

static void check_all(const struct map *m, const struct item *items)
{
    size_t count = 0, seen = 0, at = 0;
    for (size_t i = 0; i < KEYS; i++) {
        count += items[i].value != NULL;
        cr_assert_eq(map_get_text(m, items[i].key), items[i].value, "key %s", items[i].key);
    }
    struct map_entry *e;
    while ((e = map_next(m, &at))) {
        const struct item *item = (const struct item *)e->key;
        cr_assert_eq(item->value, e->value);
        seen++;
    }
    cr_assert_eq(m->count, count);
    cr_assert_eq(seen, count);
}

/* A long random walk beside an array that cannot be wrong; it tends to fill, then to empty. */
Test(map, random_operations)
{
    unsigned seed = 20231;
    struct item *items = mem_alloc(KEYS * sizeof(*items));
    struct map m = MAP_INIT;
    for (size_t i = 0; i < KEYS; i++)
        snprintf(items[i].key, sizeof(items[i].key), "key-%zu", i);
    for (size_t n = 0; n < OPERATIONS; n++) {
        struct item *item = &items[(size_t)rand_r(&seed) % KEYS];
        bool filling = n < OPERATIONS / 2;
        if (rand_r(&seed) % 3 == (filling ? 0 : 1) || (!filling && rand_r(&seed) % 2)) {
            cr_assert_eq(map_remove_text(&m, item->key), item->value);
            item->value = NULL;
        } else {
            void *value = &items[(size_t)rand_r(&seed) % KEYS];
            cr_assert_eq(map_put_text(&m, item->key, value), item->value);
            item->value = value;
        }
        if (n % 5000 == 0)
            check_all(&m, items);
    }
    check_all(&m, items);
    for (size_t i = 0; i < KEYS; i++)
        map_remove_text(&m, items[i].key);
    cr_expect_eq(m.count, 0);
    map_clear(&m);
    free(items);
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(a, b);
}

Test(map, keys_are_bytes)
{
    struct map m = MAP_INIT;
    size_t at = 0;
    cr_expect_null(map_get_text(&m, "absent"));
    cr_expect_null(map_remove_text(&m, "absent"));
    cr_expect_null(map_next(&m, &at));

    cr_expect_null(map_put(&m, "a\0b", 3, "zero inside"));
    cr_expect_null(map_put(&m, "a", 1, "prefix"));
    cr_expect_null(map_put(&m, "", 0, "empty"));
    cr_expect_str_eq(map_get(&m, "a\0b", 3), "zero inside");
    cr_expect_str_eq(map_get_text(&m, "a"), "prefix");
    cr_expect_str_eq(map_get_text(&m, ""), "empty");
    cr_expect_null(map_get(&m, "a\0c", 3));
    cr_expect_str_eq(map_put_text(&m, "a", "another"), "prefix");
    cr_expect_eq(m.count, 3);

    void **sorted = map_sorted(&m, compare_texts);
    cr_expect_str_eq(sorted[0], "another");
    cr_expect_str_eq(sorted[1], "empty");
    cr_expect_str_eq(sorted[2], "zero inside");
    free(sorted);
    map_clear(&m);
    cr_expect_null(map_get_text(&m, "a"));
}
