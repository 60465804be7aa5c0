#include "schema/base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *ptr)
{
    if (!ptr)
        abort();
    return ptr;
}

void *mem_alloc(size_t size)
{
    return or_abort(calloc(1, size ? size : 1));
}

void *mem_resize(void *ptr, size_t size)
{
    return or_abort(realloc(ptr, size ? size : 1));
}

void *mem_grow(void *array, size_t used, size_t *capacity, size_t element_size)
{
    if (used < *capacity)
        return array;
    size_t grown = *capacity ? *capacity * 2 : 8;
    if (grown > SIZE_MAX / 2 / element_size)
        abort();
    *capacity = grown;
    return mem_resize(array, grown * element_size);
}

char *mem_strdup(const char *text)
{
    return text ? or_abort(strdup(text)) : NULL;
}

char *mem_strndup(const char *text, size_t len)
{
    return or_abort(strndup(text, len));
}

char *mem_printf(const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int len = vasprintf(&text, format, args);
    va_end(args);
    if (len < 0)
        abort();
    return text;
}

void mem_wipe(void *ptr, size_t size)
{
    if (size)
        explicit_bzero(ptr, size);
}

void mem_freep(void *ptr_to_ptr)
{
    /* Through memcpy: the pointer is of some other type. */
    void *ptr;
    memcpy(&ptr, ptr_to_ptr, sizeof(ptr));
    free(ptr);
    ptr = NULL;
    memcpy(ptr_to_ptr, &ptr, sizeof(ptr));
}
