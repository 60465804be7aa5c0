/*
 * Resources as text: JSON for programs, YAML for people. What is written reads back as the same
 * resource, by YAML 1.1 readers too.
 */
#pragma once

#include <jansson.h>

#include "schema/base/strbuf.h"
#include "schema/resource.h"

enum emit_what {
    EMIT_WRITTEN, /* the fields that the manifest writes */
    EMIT_ALL,     /* defaults as well */
};

/* {"apiVersion", "kind", "metadata", "spec"}: a new reference. Secrets appear as their file's name.
 */
json_t *emit_json(const struct resource *resource, enum emit_what what);

/* One YAML document, without separator. */
void emit_yaml(const struct resource *resource, enum emit_what what, struct strbuf *out);

/* Any JSON value as YAML block text at an indentation; keys keep their order. */
void emit_yaml_value(const json_t *value, unsigned indent, struct strbuf *out);

/* A text as a YAML scalar: quoted whenever a reader of YAML 1.1 or 1.2 would take it for anything
 * else. */
void emit_yaml_text(const char *text, struct strbuf *out);

/* The value of one row as people read it ("10.10.0.34", "[a, b]"). */
void emit_field_text(const struct field *field, const void *spec, struct strbuf *out);
