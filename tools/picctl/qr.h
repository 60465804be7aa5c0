/*
 * A text as a QR code for terminals: two modules a character, in half blocks.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "schema/base/error.h"
#include "schema/base/strbuf.h"

/*
 * The bytes as they are, with the quiet zone of four modules that readers need. Blocks stand for
 * light modules, for terminals with a dark background; with `colour` the code carries its own
 * colours and can be read on any terminal. -EFBIG: more bytes than a QR code holds.
 */
int qr_print(const void *data, size_t len, bool colour, struct strbuf *out, struct error **reterr);
