#include "controller/engine/queue.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/mem.h"

void queue_add(struct queue *queue, const char *key)
{
    if (map_get_text(&queue->waiting, key))
        return;
    char *mine = mem_strdup(key);
    map_put_text(&queue->waiting, mine, mine);
}

bool queue_is_empty(const struct queue *queue)
{
    return queue->waiting.count == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

char **queue_take(struct queue *queue, size_t *retcount)
{
    *retcount = queue->waiting.count;
    char **keys = (char **)map_sorted(&queue->waiting, by_text);
    map_clear(&queue->waiting);
    return keys;
}

void queue_free_keys(char **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    free(keys);
}

void queue_clear(struct queue *queue)
{
    size_t count;
    char **keys = queue_take(queue, &count);
    queue_free_keys(keys, count);
}
