#include "controller/engine/preview.h"

#include <errno.h>

#include "controller/engine/inputs.h"
#include "reconcilers/reconciler.h"
#include "schema/base/mem.h"

static void ignore(void *context, const char *key)
{
    (void)context, (void)key;
}

static int plan_one(struct sys *sys, const struct model *model, const struct reconciler *reconciler,
                    bool apply, struct plan *ret, struct error **reterr)
{
    struct arena arena;
    arena_init(&arena, 4096);
    void *observed = reconciler->observed_new();
    size_t before = ret->count;
    int result = reconciler->observe(sys, model, observed, reterr);
    if (result >= 0) {
        const void *desired = reconciler->desired(model, &(struct keys){0}, &arena);
        reconciler->plan(desired, observed, ret);
        if (apply)
            result = reconciler->apply(sys, ret, before, ret->count, reterr);
    }
    reconciler->observed_free(observed);
    arena_clear(&arena);
    return result < 0 ? error_wrap(reterr, "%s", reconciler->name) : 0;
}

static int plan_all(struct sys *sys, const struct config *config, struct store *store,
                    const struct changes *changes, bool teardown, struct plan *ret,
                    struct error **reterr)
{
    struct model *model = model_new(reconcilers_enforce());
    struct inputs inputs;
    int result = 0;

    plan_init(ret);
    inputs_init(&inputs, sys, config, &clock_system);
    inputs_identify(&inputs, store_cell(store), IDENTITY_LOOK, model);
    inputs_refresh(&inputs);
    model_update(model, changes, &inputs.model, ignore, NULL);
    model->teardown = teardown;
    if (teardown)
        mem_freep(&model->hold);
    if (!store_cell(store) && store_cell_problem(store))
        result = error_make(reterr, ENOENT, "%s", store_cell_problem(store));
    else if (model->hold)
        result = error_make(reterr, EKEYREJECTED, "%s", model->hold);
    /* What is taken away goes in the reverse order of what is made. */
    for (size_t i = 0; result == 0 && i < reconciler_count; i++)
        result = plan_one(sys, model, reconcilers[teardown ? reconciler_count - 1 - i : i],
                          teardown, ret, reterr);
    inputs_clear(&inputs);
    model_free(model);
    if (result < 0)
        plan_clear(ret);
    return result;
}

int preview_plan(struct sys *sys, const struct config *config, struct store *store,
                 const struct changes *changes, struct plan *ret, struct error **reterr)
{
    return plan_all(sys, config, store, changes, false, ret, reterr);
}

int preview_teardown(struct sys *sys, const struct config *config, struct store *store,
                     const struct changes *changes, struct plan *ret, struct error **reterr)
{
    return plan_all(sys, config, store, changes, true, ret, reterr);
}
