// SPDX-License-Identifier: Apache-2.0
// What several commands print alike: labels, lists as JSON, mounts.
#pragma once
#include "cli/invocation.h"
#include "engine/engine.h"
#include "json/json.h"

// --format: table or json, else USAGE.
fallible print_wants_json(const struct invocation *in, bool *ret);
void print_json(const struct json *value); // indented by 4, as ctr
void print_json_text(const char *text);    // a document as it came, when it parses; else as it is

void print_labels(struct str *out, const struct engine_labels *labels); // a=1,b=2; "" if none
struct json *print_labels_json(const struct engine_labels *labels);     // NULL if none
void print_set_time(struct json *object, const char *key, int64_t ns);  // RFC 3339
struct json *print_strings_json(const struct strings *list);
// `label` commands: all the labels that are there now, on a line.
void print_label_line(const struct engine_labels *labels);

// The mounts as ctr's JSON array, or as mount commands on `target` for sh.
void print_mounts_json(const struct engine_mounts *mounts);
void print_mounts_commands(const struct engine_mounts *mounts, const char *target);
// One word for sh, in quotes where it needs them.
void print_shell_word(struct str *out, const char *word);

// Standard base64, padded.
void print_base64(struct str *out, const void *bytes, size_t size);
