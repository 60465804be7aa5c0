/*
 * A plan: an ordered list of changes, each with its cause. Empty means converged. Its text is
 * deterministic. Every prefix of a plan is safe to stop after.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/arena.h"
#include "schema/base/strbuf.h"
#include "schema/field.h"

enum verb { VERB_CREATE, VERB_UPDATE, VERB_DELETE };

struct field_change {
    const char *field;
    const char *before, *after; /* NULL: absent; secrets are never repeated: "(secret)" */
};

#define CAUSE_DRIFT "drift"

struct step {
    enum verb verb;
    const char *object; /* "peer laptop", "interface pic0" */
    const char *key;    /* the model key that it belongs to */
    const char *cause;  /* "Peer/laptop", or CAUSE_DRIFT: somebody else changed the live system */
    enum disruption disruption;
    bool needed; /* without it the steps that follow make no sense */
    /* Carried out only when every other reconciler has done, or tried, what it has to do… */
    bool last;
    bool guarded; /* …and, with `last`, has failed at nothing that this key stands for */
    struct field_change *changes;
    size_t change_count, change_capacity;
    const char
        *author; /* of drift: who seems to have done it; NULL: not known. Set by the engine */
    const void *action; /* the reconciler's own: all that apply() needs */
};

struct plan {
    struct arena arena; /* everything in the plan lies here */
    struct step *steps;
    size_t count, capacity;
};

void plan_init(struct plan *plan);
void plan_clear(struct plan *plan);
#define PLAN_AUTO __attribute__((cleanup(plan_clear))) struct plan

/* Adds a step; the strings are copied. The pointer is valid until the next call. */
struct step *plan_add(struct plan *plan, enum verb verb, const char *key, const char *cause,
                      enum disruption disruption, const char *object_format, ...)
    __attribute__((format(printf, 6, 7)));
/* Notes a field of the last step; values are copied, NULL stays NULL. */
void plan_note(struct plan *plan, const char *field, const char *before, const char *after);

/* Is any step a repair of drift; is any step not one? */
bool plan_has_drift(const struct plan *plan);
bool plan_has_pending(const struct plan *plan);

/*
 * One step a paragraph:
 *     ~ peer laptop                      because of Peer/laptop, disturbs nothing
 *         allowed IPs: 10.10.0.34/32 -> 10.10.0.35/32
 */
void step_print(const struct step *step, struct strbuf *out);
void plan_print(const struct plan *plan, struct strbuf *out);
