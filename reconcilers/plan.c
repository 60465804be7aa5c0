#include "reconcilers/plan.h"

#include <string.h>

#include "schema/base/mem.h"

enum { PLAN_ARENA_FIRST = 1024 };

void plan_init(struct plan *plan)
{
    *plan = (struct plan){0};
    arena_init(&plan->arena, PLAN_ARENA_FIRST);
    plan->arena.wipe = true; /* actions carry keys */
}

void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        mem_freep(&plan->steps[i].changes);
    mem_freep(&plan->steps);
    arena_clear(&plan->arena);
    *plan = (struct plan){0};
}

struct step *plan_add(struct plan *plan, enum verb verb, const char *key, const char *cause,
                      enum disruption disruption, const char *object_format, ...)
{
    va_list args;
    va_start(args, object_format);
    STRBUF_AUTO object = STRBUF_INIT;
    strbuf_vprintf(&object, object_format, args);
    va_end(args);

    plan->steps = mem_grow(plan->steps, plan->count, &plan->capacity, sizeof(*plan->steps));
    struct step *step = &plan->steps[plan->count++];
    *step = (struct step){
        .verb = verb,
        .object = arena_strdup(&plan->arena, object.text),
        .key = arena_strdup(&plan->arena, key),
        .cause = arena_strdup(&plan->arena, cause),
        .disruption = disruption,
    };
    return step;
}

void plan_note(struct plan *plan, const char *field, const char *before, const char *after)
{
    struct step *step = &plan->steps[plan->count - 1];
    step->changes =
        mem_grow(step->changes, step->change_count, &step->change_capacity, sizeof(*step->changes));
    step->changes[step->change_count++] = (struct field_change){
        .field = arena_strdup(&plan->arena, field),
        .before = before ? arena_strdup(&plan->arena, before) : NULL,
        .after = after ? arena_strdup(&plan->arena, after) : NULL,
    };
}

static bool is_drift(const struct step *step)
{
    return strcmp(step->cause, CAUSE_DRIFT) == 0;
}

bool plan_has_drift(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (is_drift(&plan->steps[i]))
            return true;
    return false;
}

bool plan_has_pending(const struct plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (!is_drift(&plan->steps[i]))
            return true;
    return false;
}

static const char verb_signs[] = {[VERB_CREATE] = '+', [VERB_UPDATE] = '~', [VERB_DELETE] = '-'};

void step_print(const struct step *step, struct strbuf *out)
{
    strbuf_printf(out, "%c %-32s %s%s", verb_signs[step->verb], step->object,
                  is_drift(step) ? "" : "because of ", is_drift(step) ? "drifted" : step->cause);
    if (step->disruption != DISRUPTION_NONE)
        strbuf_printf(out, " [%s]", disruption_name(step->disruption));
    strbuf_putc(out, '\n');
    for (size_t i = 0; i < step->change_count; i++) {
        const struct field_change *c = &step->changes[i];
        strbuf_printf(out, "    %s: ", c->field);
        if (c->before)
            strbuf_printf(out, "%s -> ", c->before);
        strbuf_printf(out, "%s\n", c->after ? c->after : "(none)");
    }
}

void plan_print(const struct plan *plan, struct strbuf *out)
{
    for (size_t i = 0; i < plan->count; i++)
        step_print(&plan->steps[i], out);
}
