/*
 * Conditions: the state of a resource in words that people and programs can wait for.
 */
#pragma once

#include "controller/status/view.h"

struct condition {
    const char *type;   /* "Ready" */
    bool status;        /* True or False; what cannot be known is left out */
    const char *reason; /* one word */
    char *message;      /* a sentence, may be empty */
};

enum { CONDITIONS_MAX = 12 };

struct conditions {
    struct condition list[CONDITIONS_MAX];
    size_t count;
};
void conditions_clear(struct conditions *conditions);

/* `status`: the live fields that the reconcilers gave. */
void conditions_of(const struct view *view, const struct object *object, const json_t *status,
                   struct conditions *ret);

/* With type, status, reason, message, lastTransitionTime and observedGeneration. */
json_t *conditions_json(const struct view *view, const struct object *object,
                        const struct conditions *conditions);

struct transitions *transitions_new(void);
void transitions_free(struct transitions *transitions);
/* The resource is gone. */
void transitions_forget(struct transitions *transitions, const char *id);

/* Why a peer or a link is not as its manifest says: one word, and *retmessage in words (the caller
 * frees; may be NULL). NULL: it is as it says. */
const char *conditions_peer_obstacle(const struct view *view, const struct model_peer *peer,
                                     char **retmessage);
const char *conditions_link_obstacle(const struct view *view, const struct model_link *link,
                                     char **retmessage);

/* What is wrong with the cell as a whole, in words: [{"what", "where"?}]; empty: nothing. */
json_t *problems_json(const struct view *view);
