/*
 * The queue of one reconciler. It holds keys, never events: a key added twice is one run; added
 * while its run is under way, it runs once more.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/map.h"

struct queue {
    struct map waiting; /* by key → the same text, owned. Invariant: a key stands here exactly when
                         * something may have changed for it since its last run began. */
};

void queue_add(struct queue *queue, const char *key);
bool queue_is_empty(const struct queue *queue);
/* All keys, sorted; the queue is empty afterwards. The caller frees with queue_free_keys(). */
char **queue_take(struct queue *queue, size_t *retcount);
void queue_free_keys(char **keys, size_t count);
void queue_clear(struct queue *queue);
