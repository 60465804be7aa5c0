/*
 * What would happen to a packet of a peer, in words: which mark it gets, which rule and table
 * decide, which chain lets it pass, and why it is refused. From the model, so it tells what is
 * meant to be; what is not carried out (yet) is said first.
 */
#pragma once

#include "controller/status/view.h"

/* {"peer", "to", "verdict": "passes" | "refused" | "impossible", "leaves", "steps": [text…],
 * "doubts": [text…]} */
json_t *trace_json(const struct view *view, const struct model_peer *peer,
                   const struct ip *destination);
