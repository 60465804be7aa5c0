/*
 * The command line of one verb, read by its rows.
 */
#pragma once

#include "schema/base/error.h"
#include "tools/picctl/command.h"

/*
 * Reads "--name value", "--name=value", "-n value", "-nvalue"; "--" ends the flags, and "-" alone
 * is a word. `options` has the verb's size and is zeroed. The texts stay in argv; the lists are to
 * be freed with flags_clear(), after an error too. -EINVAL: the command line is wrong.
 */
int flags_read(const struct command *verb, int argc, char **argv, void *options,
               struct words *words, struct error **reterr);
void flags_clear(const struct command *verb, void *options, struct words *words);
