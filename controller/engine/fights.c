#include "controller/engine/fights.h"

#include <stdlib.h>
#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"

enum {
    REPAIRS_MAX = 10,  /* within the window: more than that is a fight */
    REST_EXPONENT = 5, /* 1 s … 32 s */
};
static const int64_t window = SECONDS(10);
static const int64_t calm = SECONDS(60);

struct fight {
    int64_t began, last; /* of the repairs that are counted */
    unsigned repairs;
    unsigned rests; /* how often it was left alone since it was calm */
    int64_t until;  /* left alone till then; 0: not */
    char object[];
};

void fights_repaired(struct fights *fights, const char *object, int64_t now)
{
    struct fight *f = map_get_text(&fights->by_object, object);
    if (!f) {
        f = mem_alloc(sizeof(*f) + strlen(object) + 1);
        memcpy(f->object, object, strlen(object) + 1);
        map_put_text(&fights->by_object, f->object, f);
    }
    if (now - f->began > window) {
        f->began = now;
        f->repairs = 0;
    }
    f->last = now;
    if (++f->repairs <= REPAIRS_MAX)
        return;
    f->until = now + (SECONDS(1) << (f->rests < REST_EXPONENT ? f->rests : REST_EXPONENT));
    f->rests++;
    f->began = f->until;
    f->repairs = 0;
}

bool fights_rest(const struct fights *fights, const char *object, int64_t now, const char *author,
                 int64_t *retuntil, struct strbuf *why)
{
    const struct fight *f = map_get_text(&fights->by_object, object);
    if (!f || now >= f->until)
        return false;
    *retuntil = f->until;
    strbuf_printf(why,
                  "undone again and again%s%s: left alone for %lld s; stop who does it, or set "
                  "reconcile: observe",
                  *author ? ", last by " : "", author,
                  (long long)((f->until - now) / SECONDS(1) + 1));
    return true;
}

void fights_tidy(struct fights *fights, int64_t now)
{
    struct fight *gone;
    do {
        size_t at = 0;
        struct map_entry *entry;
        gone = NULL;
        while (!gone && (entry = map_next(&fights->by_object, &at))) {
            struct fight *f = entry->value;
            if (now - f->last > calm && now > f->until)
                gone = f;
        }
        if (gone)
            free(map_remove_text(&fights->by_object, gone->object));
    } while (gone);
}

void fights_clear(struct fights *fights)
{
    size_t at = 0;
    struct map_entry *entry;
    while ((entry = map_next(&fights->by_object, &at)))
        free(entry->value);
    map_clear(&fights->by_object);
}
