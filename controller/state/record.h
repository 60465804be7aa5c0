/*
 * STATE/good/: the last good content of each manifest, so that a broken or vanished file survives a
 * reboot. It is also the record of what was in force, by source file, for pruning: one mechanism.
 *
 * A file of the record holds the documents of one manifest that are in force, as their owner wrote
 * them.
 */
#pragma once

#include "controller/store/store.h"
#include "schema/base/error.h"

/* Puts all recorded manifests into the store (store_record()). A file that cannot be read or parsed
 * is set aside and told in `problems`; it is never a reason not to start. */
void record_load(struct store *store, const char *state, struct diags *problems);

/*
 * Brings the record of one manifest file into line with the store: its bytes if it is good;
 * document by document if it is not; nothing if nothing of it is in force. `manifests` is where the
 * file lies.
 */
int record_save(const struct store *store, const char *state, const char *manifests,
                const char *path, struct error **reterr);
