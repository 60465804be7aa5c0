#include "schema/base/arena.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

/* Blocks of all sizes are aligned, zeroed and apart: each is filled with its number and checked
 * last. */
Test(arena, blocks)
{
    enum { BLOCKS = 4000 };
    static const size_t first_sizes[] = {0, 1, 4096, 1 << 20};
    for (size_t f = 0; f < sizeof(first_sizes) / sizeof(*first_sizes); f++) {
        struct arena a;
        static unsigned char *blocks[BLOCKS];
        static size_t sizes[BLOCKS];
        arena_init(&a, first_sizes[f]);
        cr_assert_null(a.chunks, "memory before the first use");
        for (size_t i = 0; i < BLOCKS; i++) {
            sizes[i] = i % 100 == 99 ? 70000 : i * 37 % 200;
            blocks[i] = arena_alloc(&a, sizes[i]);
            cr_assert_eq((uintptr_t)blocks[i] % _Alignof(max_align_t), 0, "block %zu", i);
            for (size_t j = 0; j < sizes[i]; j++)
                cr_assert_eq(blocks[i][j], 0, "block %zu", i);
            memset(blocks[i], (int)(i % 251), sizes[i]);
        }
        for (size_t i = 0; i < BLOCKS; i++)
            for (size_t j = 0; j < sizes[i]; j++)
                cr_assert_eq(blocks[i][j], i % 251, "block %zu was overwritten", i);
        arena_clear(&a);
        cr_assert_null(a.chunks);
    }
}

/* Big blocks do not waste the free room of the chunk before them. */
Test(arena, big_blocks_stand_apart)
{
    struct arena a;
    arena_init(&a, 1024);
    char *before = arena_alloc(&a, 16);
    arena_alloc(&a, 1 << 20);
    char *after = arena_alloc(&a, 16);
    cr_expect_eq(after - before, 16);
    arena_clear(&a);
    cr_expect_not_null(arena_alloc(&a, 8), "not usable after clear");
    arena_clear(&a);
}

Test(arena, texts)
{
    struct arena a;
    arena_init(&a, 0);
    cr_expect_str_eq(arena_strdup(&a, "peer"), "peer");
    cr_expect_str_eq(arena_strdup(&a, ""), "");
    cr_expect_str_eq(arena_strndup(&a, "peer/laptop", 4), "peer");
    cr_expect_str_eq(arena_strndup(&a, "ab", 9), "ab");
    cr_expect_str_eq(arena_printf(&a, "%s-%d", "x", 42), "x-42");
    cr_expect_eq(memcmp(arena_memdup(&a, "a\0b", 3), "a\0b", 3), 0);
    cr_expect_not_null(arena_memdup(&a, NULL, 0));
    arena_clear(&a);
}
