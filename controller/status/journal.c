#include "controller/status/journal.h"

#include <string.h>

#include "schema/base/clock.h"
#include "schema/base/mem.h"

struct entry {
    int64_t time; /* seconds since 1970 */
    enum verb verb;
    bool drift, withheld;
    char *object, *cause, *changes, *author, *error;
};

/* A ring: `next` is where the next entry goes, over the oldest. */
struct journal {
    struct entry entries[JOURNAL_MAX];
    size_t next, count;
    uint64_t drift_count;
};

struct journal *journal_new(void)
{
    return mem_alloc(sizeof(struct journal));
}

static void entry_clear(struct entry *entry)
{
    mem_freep(&entry->object);
    mem_freep(&entry->cause);
    mem_freep(&entry->changes);
    mem_freep(&entry->author);
    mem_freep(&entry->error);
}

void journal_free(struct journal *journal)
{
    if (!journal)
        return;
    for (size_t i = 0; i < JOURNAL_MAX; i++)
        entry_clear(&journal->entries[i]);
    mem_freep(&journal);
}

static char *changes_text(const struct step *step)
{
    struct strbuf text = STRBUF_INIT;
    for (size_t i = 0; i < step->change_count; i++) {
        const struct field_change *c = &step->changes[i];
        strbuf_printf(&text, "%s%s: %s -> %s", i ? "; " : "", c->field,
                      c->before ? c->before : "(none)", c->after ? c->after : "(none)");
    }
    return strbuf_steal(&text);
}

void journal_step(struct journal *journal, int64_t realtime, const struct step *step,
                  const char *error, bool withheld)
{
    struct entry *entry = &journal->entries[journal->next];
    bool drift = strcmp(step->cause, CAUSE_DRIFT) == 0;

    entry_clear(entry);
    *entry = (struct entry){
        .time = realtime / SECONDS(1),
        .verb = step->verb,
        .drift = drift,
        .withheld = withheld,
        .object = mem_strdup(step->object),
        .cause = mem_strdup(step->cause),
        .changes = changes_text(step),
        .author = mem_strdup(step->author),
        .error = mem_strdup(error),
    };
    journal->next = (journal->next + 1) % JOURNAL_MAX;
    journal->count += journal->count < JOURNAL_MAX;
    journal->drift_count += drift && !error && !withheld;
}

uint64_t journal_drift_count(const struct journal *journal)
{
    return journal->drift_count;
}

static const char *const verb_names[] = {
    [VERB_CREATE] = "create", [VERB_UPDATE] = "update", [VERB_DELETE] = "delete"};

static json_t *entry_json(const struct entry *entry)
{
    char when[CLOCK_RFC3339_MAX];
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:b}", "time", clock_format_rfc3339(entry->time, when),
                  "verb", verb_names[entry->verb], "object", entry->object, "cause", entry->cause,
                  "changes", entry->changes, "withheld", entry->withheld);
    if (entry->author)
        json_object_set_new(json, "author", json_string(entry->author));
    if (entry->error)
        json_object_set_new(json, "error", json_string(entry->error));
    return json;
}

json_t *journal_json(const struct journal *journal, bool drift_only)
{
    json_t *list = json_array();
    for (size_t i = 1; i <= journal->count; i++) {
        const struct entry *entry =
            &journal->entries[(journal->next + JOURNAL_MAX - i) % JOURNAL_MAX];
        if (!drift_only || entry->drift)
            json_array_append_new(list, entry_json(entry));
    }
    return list;
}
