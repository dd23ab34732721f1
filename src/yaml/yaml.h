// SPDX-License-Identifier: Apache-2.0
// YAML, as people write configurations: to JSON's values, over libyaml. Nobody else includes it.
// Pure. Values are maps, lists and text; what text is, its reader says: `50M`, `80` and `yes` are
// text all, nothing, ~ and a plain null are null. JSON is YAML, too. Specification: YAML 1.1,
// without tags, merge keys (<<) and keys that are no text.
#pragma once
#include "json/json.h"

enum { YAML_DEPTH_LIMIT = 16, YAML_VALUES_LIMIT = 4096, YAML_ANCHORS_LIMIT = 64 };

// Parses one whole document; an empty one is null. Refused: more than `size_limit` bytes or of the
// above (LIMIT; what an alias stands for counts each time), and as INVALID, `line 3: why`: what is
// no YAML, a key that stands twice, a second document, an alias inside of what it names.
// UNSUPPORTED: this program was built without libyaml.
fallible yaml_parse(const char *text, size_t size, size_t size_limit, struct json **ret);
