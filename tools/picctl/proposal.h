/*
 * What `apply`, `peer add`, `peer set` and `peer rekey` do: resources that are to be written, from
 * the words of a person to the bytes on disk.
 *
 *     open → add… → settle → write → tell
 */
#pragma once

#include "reconcilers/model/model.h"
#include "tools/picctl/draft.h"
#include "tools/picctl/given.h"

enum outcome { OUTCOME_UNCHANGED, OUTCOME_CREATED, OUTCOME_CONFIGURED };

struct proposed {
    struct resource *given;    /* as a person wrote it, with its place for messages */
    struct resource *resource; /* as it will be written */
    struct strbuf text;        /* that says so */
    struct resource *before;   /* as the manifests have it; NULL: not at all, or wrong */
    enum outcome outcome;
    bool existed;  /* rightly or wrongly */
    bool in_place; /* what was given is the manifest itself */
};

struct proposal {
    struct draft draft;
    struct proposed *list;
    size_t count, capacity;
    /* After proposal_settle(): the tree as it would be. */
    struct store *store;
    struct model *model;
};

int proposal_open(const struct config *config, struct proposal *ret, struct error **reterr);
void proposal_clear(struct proposal *proposal);
#define PROPOSAL_AUTO __attribute__((cleanup(proposal_clear))) struct proposal

/*
 * Adds one document. What a Peer leaves to us (its addresses) is taken over from the manifest that
 * is there. -EINVAL: the same resource twice, or a file that cannot be edited.
 */
int proposal_add(struct proposal *proposal, const struct resource *resource, const char *text,
                 size_t len, bool in_place, struct error **reterr);
/* All documents of what -f named, which are right. */
int proposal_add_given(struct proposal *proposal, const struct given *given, struct error **reterr);
/* The same from YAML text alone, which must be one right document. */
int proposal_add_text(struct proposal *proposal, const char *text, struct error **reterr);

/*
 * Checks the whole tree as it would be, and chooses addresses for Peers that write none. Returns 1
 * when the change would make something wrong: the findings have been said on stderr.
 */
int proposal_settle(struct proposal *proposal, struct error **reterr);

int proposal_write(struct proposal *proposal, struct error **reterr);

/* "Peer/laptop configured …" for each, with the fields that differ, and what will not work. */
void proposal_tell(const struct proposal *proposal, bool dry_run, struct strbuf *out);
