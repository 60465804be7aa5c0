#include "schema/resource.h"

#include <string.h>
#include <strings.h>

#include "schema/kinds/cell.h"
#include "schema/kinds/link.h"
#include "schema/kinds/peer.h"

const struct kind *const kinds[] = {
    &kind_cell,
    &kind_link,
    &kind_peer,
};
const size_t kind_count = sizeof(kinds) / sizeof(*kinds);

static bool same(const char *name, const char *word)
{
    return name && strcasecmp(name, word) == 0;
}

const struct kind *kind_find(const char *word)
{
    for (size_t i = 0; i < kind_count; i++) {
        const struct kind *kind = kinds[i];
        if (same(kind->name, word) || same(kind->plural, word) || same(kind->short_name, word))
            return kind;
    }
    return NULL;
}
