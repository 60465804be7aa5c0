/*
 * STATE/links/<name>.json: the last valid document of each linked cell, so that a cell that boots
 * while the other is away works as before. The file is {"received": <seconds>, "document": {…}}; a
 * document alone is read too, as received when the file was written.
 */
#pragma once

#include "reconcilers/model/document.h"

/* 0, 1 there is none, < 0 it cannot be used: *reterr names the file. The caller clears *ret. */
int documents_load(const char *state, const char *link, struct sync_document *ret,
                   struct error **reterr);
int documents_save(const char *state, const char *link, const struct sync_document *document,
                   struct error **reterr);
