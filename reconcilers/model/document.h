/*
 * What two linked cells tell each other: peer-sync's document, as JSON text and as a struct
 * (design: peer-sync.md). Unknown fields are ignored; a field of the wrong type makes the whole
 * document wrong.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schema/base/addr.h"
#include "schema/base/error.h"
#include "schema/base/strbuf.h"
#include "schema/base/wgkey.h"

enum { DOCUMENT_MAX = 64 << 10 }; /* bytes of text */

struct sync_document {
    char cell[64], domain[256];
    struct wgkey public_key;
    uint64_t generation;
    char boot_id[64];
    uint32_t valid_for;      /* seconds that an offer or a request is honoured without renewal */
    struct prefix vpn, vpn6; /* vpn6.ip.family 0: none */
    struct prefix *networks;
    size_t network_count;
    struct ip dns;
    char endpoint[256], observed[256]; /* "": not told */
    struct {
        bool offered, ready, ipv6;
        char reason[256];
    } exit;
    bool use_as_exit_relay;
    int64_t received; /* realtime seconds: when we got it; not part of the text */
};

void document_clear(struct sync_document *document); /* not the struct itself */
/* Reads the text; `received` is left to the caller. */
int document_parse(const char *text, size_t len, struct sync_document *ret, struct error **reterr);
void document_print(const struct sync_document *document, struct strbuf *out);

struct model;
struct model_link;
/* What this cell tells the other side of the link. generation, boot_id and observed are for the
 * sender to fill in. */
void document_make(const struct model *model, const struct model_link *link,
                   struct sync_document *ret);
