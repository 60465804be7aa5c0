/*
 * One reconciler alone, for tests: a model from manifests and from what the test says of the
 * machine and of the other cells, over any system. No engine, no files.
 */
#pragma once

#include "reconcilers/reconciler.h"
#include "schema/manifest.h"

struct house {
    struct sys *sys;
    const struct reconciler *reconciler;
    void *observed;
    struct model *model;
    struct manifest *manifest;
    struct host host;
    struct map documents; /* by link, which is their `cell` → struct sync_document */
    char **dirty;         /* keys marked since the last run */
    size_t dirty_count, dirty_capacity;
};

/* The system is the caller's. */
struct house *house_new(struct sys *sys, const struct reconciler *reconciler);
void house_free(struct house *house);

/* An uplink for both families or a LAN interface; networks may be NULL, or "a, b". To be said
 * before the manifests. */
void house_interface(struct house *house, const char *name, bool uplink, const char *lan,
                     const char *near);
/* What the other cell of the link says, fresh; again: it says something else now. */
void house_hears(struct house *house, const char *link, bool offers, bool ipv6, bool asks);
/* All manifests as they are from now on. */
void house_put(struct house *house, const char *manifests);

/* The plan for everything, freshly observed; or for what was marked, from what was learnt. */
void house_plan(struct house *house, bool everything, struct plan *ret);
/* Plans and carries out; what was carried out counts as applied. The text of the plan, the caller
 * frees. Fails the test on an error. */
char *house_run(struct house *house, bool everything);
