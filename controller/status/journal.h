/*
 * The journal: what was done to the live system and why, the last of it, in memory.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "reconcilers/plan.h"

enum { JOURNAL_MAX = 256 };

struct journal;

struct journal *journal_new(void);
void journal_free(struct journal *journal);

/* `error`: NULL, or why the step failed. The step's text is taken, never a secret. */
void journal_step(struct journal *journal, int64_t realtime, const struct step *step,
                  const char *error, bool withheld);

/* Repairs of drift since the start. */
uint64_t journal_drift_count(const struct journal *journal);

/* Newest first: {"time", "verb", "object", "cause", "changes", "author"?,
 * "error"?}. */
json_t *journal_json(const struct journal *journal, bool drift_only);
