#include "controller/engine/inside.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is not wanted ---- */

/* Suspended: nothing is changed. Observed only: what has drifted is not repaired. */
const char *waits_withheld(const struct model *model, const struct step *step)
{
    const struct common_spec *cell = model->cell.resource ? model->cell.resource->spec : NULL;
    const struct resource *resource = model_key_resource(model, step->key);
    const struct common_spec *spec = resource ? resource->spec : cell;

    if (model->teardown)
        return NULL;
    if (cell && cell->suspend)
        return "the Cell is suspended";
    if (spec && spec->suspend)
        return "suspended: a change waits";
    if (spec && spec->reconcile == RECONCILE_OBSERVE && strcmp(step->cause, CAUSE_DRIFT) == 0)
        return "drifted, and reconcile: observe says not to repair it";
    return NULL;
}

/* ---- the others ---- */

static int by_text(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

bool run_has_open(const struct run *run, const char *key)
{
    if (run->key_count && bsearch(key, run->keys, run->key_count, sizeof(*run->keys), by_text))
        return true;
    return map_get_text(&run->queue.waiting, key) || troubles_find(&run->troubles, key, NULL);
}

/* Is there nothing to do for now: all is done, or it failed and waits, or waits for others itself?
 */
static bool rests(const struct engine *engine, const struct run *run)
{
    int64_t now = engine->clock->monotonic(engine->clock->context);
    if (run->plan.count)
        return run->plan.steps[run->at].last;
    return (!run->look && queue_is_empty(&run->queue)) || now < run->retry_at;
}

bool waits_over(const struct engine *engine, const struct run *run)
{
    for (size_t i = 0; i < reconciler_count; i++)
        if (&engine->runs[i] != run && !rests(engine, &engine->runs[i]))
            return false;
    return true;
}

const char *waits_guard(const struct engine *engine, const struct run *run, const struct step *step)
{
    if (!step->guarded)
        return NULL;
    for (size_t i = 0; i < reconciler_count; i++) {
        const struct run *other = &engine->runs[i];
        if (other == run)
            continue;
        if (other->error)
            return other->error->message;
        const struct trouble *t = troubles_find(&other->troubles, step->key, NULL);
        t = t ? t : troubles_find(&other->troubles, MODEL_KEY_CELL, NULL);
        if (t && !t->withheld)
            return t->message;
    }
    return NULL;
}
