/*
 * From a document's nodes to a resource: apiVersion, kind, metadata, and the spec by the kind's
 * rows.
 */
#pragma once

#include "schema/decode/node.h"
#include "schema/resource.h"

#define API_VERSION "pic/v1"

/*
 * Returns the resource (one reference, the caller's), or NULL with every finding in diags. When the
 * document is wrong but says which resource it means, *retid is its id ("Peer/laptop", in
 * `scratch`); else NULL: nobody can know.
 */
struct resource *decode_resource(const char *file, const struct document *document,
                                 struct arena *scratch, const char **retid, struct diags *diags);
