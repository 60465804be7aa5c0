/*
 * What speaks against a proposal. A mistake that was there before speaks against nothing: a good
 * change is never held up by somebody else's bad file.
 */
#pragma once

#include "tools/picctl/proposal.h"

/* `before`: the findings of the tree as it lies there. Says on stderr every error about a proposed
 * resource, every error elsewhere that the proposal would cause, and every warning about a proposed
 * resource. True: there was an error. */
bool objections_say(const struct proposal *proposal, const struct diags *before);
