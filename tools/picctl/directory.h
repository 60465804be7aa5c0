/*
 * What a manifest directory must be before it is read or written.
 */
#pragma once

#include "controller/state/config.h"

/* -ENOENT, with what to do, when there is none. */
int directory_exists(const struct config *config, struct error **reterr);

/* Refuses (-EROFS) a directory that a sync tool replaces as a whole by swapping a symbolic link:
 * the next swap would undo what is written there. One that does not exist is fine. */
int directory_refuse_swapped(const char *directory, struct error **reterr);
/* Refuses a file that is a symbolic link. */
int directory_refuse_link(const char *path, struct error **reterr);
