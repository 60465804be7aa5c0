/*
 * Words that people try because kubectl, wg or our own design has them, and that this version does
 * not know: what to do here instead.
 */
#pragma once

/* What does it here, a sentence; NULL: we have never heard of such a verb. */
const char *missing_verb(const char *word);
