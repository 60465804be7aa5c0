/*
 * "did you mean": the nearest of a list of words.
 */
#pragma once

#include <stddef.h>

/* The candidate within a third of the word's length in edits, or NULL. next(context, i): the i-th
 * candidate, NULL after the last. */
const char *suggest_nearest(const char *word, const char *(*next)(const void *context, size_t i),
                            const void *context);
