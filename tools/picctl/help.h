/*
 * Usage texts, made from the verbs' rows.
 */
#pragma once

#include "schema/base/strbuf.h"
#include "tools/picctl/command.h"

/* All verbs, one a line. */
void help_overview(const struct command *root, struct strbuf *out);
/* One verb whole; `path` is how it is called: "picctl peer add". */
void help_verb(const struct command *verb, const char *path, struct strbuf *out);
