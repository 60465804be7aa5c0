/*
 * The two halves of a request's target: the path, decoded once, and the parameters after '?'.
 *
 * Decoded text is printable ASCII: nobody downstream needs to think about control characters, about
 * text that is not UTF-8, or about an end in the middle (%00).
 */
#pragma once

#include <stdbool.h>

#include "schema/base/strbuf.h"

/* Decodes in place. Returns NULL, or what is wrong in words: a bad escape, a character that is not
 * printable ASCII, '#', or a segment "." or "..", however they were written. */
const char *http_path_decode(char *path);

/* Returns NULL, or what is wrong in words. */
const char *http_query_check(const char *query);

/* Appends the decoded value of the first parameter of this name ('+' is a space); false when there
 * is none. "name" alone has the value "". The query has passed http_query_check(). */
bool http_query_get(const char *query, const char *name, struct strbuf *ret);
