/*
 * Memory that cannot fail: out of memory aborts, since a restart rebuilds everything. Sizes that
 * come from outside are checked against named limits before they reach these functions.
 */
#pragma once

#include <stddef.h>

void *mem_alloc(size_t size); /* zeroed */
void *mem_resize(void *ptr, size_t size);
/* Room for one more element: grows *capacity by doubling when `used` has reached it. */
void *mem_grow(void *array, size_t used, size_t *capacity, size_t element_size);
char *mem_strdup(const char *text); /* NULL stays NULL */
char *mem_strndup(const char *text, size_t len);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Overwrites memory that held a secret; the compiler cannot leave it out. */
void mem_wipe(void *ptr, size_t size);

/* Frees what the pointer points to and makes it NULL; also for the cleanup attribute. */
void mem_freep(void *ptr_to_ptr);
#define MEM_AUTO __attribute__((cleanup(mem_freep)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
