// SPDX-License-Identifier: Apache-2.0
// Documents: bounded, strict, typed access to JSON (RFC 8259), over json-c. Nobody else includes
// json-c. Pure.
// Memory: a document is one owner, json_free(). What the getters return is borrowed from it.
// Paths in errors are what the caller names (`config.Env`), printed safely: an error never holds
// more than 64 bytes of foreign text.
#pragma once
#include "base/error.h"
#include "base/text.h"
#include <stddef.h>
#include <stdint.h>

struct json; // any value; NULL is JSON's null

#define JSON_DEPTH_LIMIT 64

// Parses one whole document. Refused: more than `size_limit` bytes (LIMIT), more than
// JSON_DEPTH_LIMIT levels (LIMIT), and as CORRUPT: bytes that aren't UTF-8, a NUL byte or \u0000,
// lone surrogates, comments, single quotes, NaN, leading zeros, trailing commas, anything behind
// the end. The last of two equal keys wins, as in Go. Whole numbers of 64 bits, signed and
// unsigned, survive. `null` gives *ret == NULL.
fallible json_parse(const char *text, size_t size, size_t size_limit, struct json **ret);
void json_free(struct json *value);                          // takes NULL
struct json *json_share(struct json *value);                 // one more owner of the same value
struct json *json_copy(const struct json *value);            // deep
bool json_equal(const struct json *a, const struct json *b); // keys in any order

static inline void json_cleanup_(struct json **value)
{
	json_free(*value);
}
#define auto_json defer(json_cleanup_)

enum json_kind {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER, // whole, in 64 bits
	JSON_REAL,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};
enum json_kind json_kind(const struct json *value);
const char *json_kind_name(enum json_kind type); // "an array"

// Where a value stands, for messages: a chain of names on the stack, the outermost has no parent.
struct json_path {
	const struct json_path *parent;
	const char *name; // or NULL:
	size_t index;     // …of an array
};
// "config.Env[3]", cut to 128 bytes; the caller's.
char *json_path_text(const struct json_path *path);

// Looks up a member of an object, exactly. NULL if there is none, it is null, or `object` is no
// object.
const struct json *json_member(const struct json *object, const char *key);
// As Go's decoder does for struct members: the last, in document order, whose name folds to `key`.
// `key` is in lower or mixed ASCII case.
const struct json *json_member_folded(const struct json *object, const char *key);

// Typed getters of a member. Absent and null are the same, as in Go: *ret stays untouched and false
// or NULL is no error, except with the _required forms, whose error is "PATH.KEY: missing".
// A wrong type is INVALID: "config.Env: not an array". A path of NULL prints the key alone.
fallible json_get_string(const struct json *object, const struct json_path *path, const char *key,
                         const char **ret);
fallible json_get_bool(const struct json *object, const struct json_path *path, const char *key,
                       bool *ret);
fallible json_get_u64(const struct json *object, const struct json_path *path, const char *key,
                      uint64_t max, uint64_t *ret);
fallible json_get_i64(const struct json *object, const struct json_path *path, const char *key,
                      int64_t min, int64_t max, int64_t *ret);
fallible json_get_object(const struct json *object, const struct json_path *path, const char *key,
                         const struct json **ret);
fallible json_get_array(const struct json *object, const struct json_path *path, const char *key,
                        size_t max_items, const struct json **ret); // more is LIMIT
fallible json_require_string(const struct json *object, const struct json_path *path,
                             const char *key, const char **ret);
fallible json_require_u64(const struct json *object, const struct json_path *path, const char *key,
                          uint64_t max, uint64_t *ret);
fallible json_require_object(const struct json *object, const struct json_path *path,
                             const char *key, const struct json **ret);
fallible json_require_array(const struct json *object, const struct json_path *path,
                            const char *key, size_t max_items, const struct json **ret);

// The value itself, for items of arrays and values of maps. `path` names it.
fallible json_as_string(const struct json *value, const struct json_path *path, const char **ret);
fallible json_as_bool(const struct json *value, const struct json_path *path, bool *ret);
fallible json_as_u64(const struct json *value, const struct json_path *path, uint64_t max,
                     uint64_t *ret);
fallible json_as_i64(const struct json *value, const struct json_path *path, int64_t min,
                     int64_t max, int64_t *ret);
fallible json_as_object(const struct json *value, const struct json_path *path); // checks
fallible json_as_array(const struct json *value, const struct json_path *path);

size_t json_size(const struct json *value);                       // items or members; 0 for others
const struct json *json_item(const struct json *array, size_t i); // NULL: null or past the end
// The value as text without a type check, NULL if it isn't a string.
const char *json_text(const struct json *value);
// Members in document order: start with a zeroed json_cursor; false at the end.
struct json_cursor {
	const void *position;
	bool begun;
};
bool json_next(const struct json *object, struct json_cursor *cursor, const char **ret_key,
               const struct json **ret_value);

// Builders. The setters take over `value`, keep the order of first insertion, and replace an equal
// key in place. Text that isn't UTF-8 gets U+FFFD for each bad byte, as Go's encoder does.
struct json *json_new_object(void);
struct json *json_new_array(void);
struct json *json_new_string(const char *text); // NULL gives NULL (null)
struct json *json_new_bool(bool value);
struct json *json_new_i64(int64_t value);
struct json *json_new_u64(uint64_t value);
void json_set(struct json *object, const char *key, struct json *value);
void json_set_string(struct json *object, const char *key, const char *text); // NULL: left out
void json_set_bool(struct json *object, const char *key, bool value);
void json_set_i64(struct json *object, const char *key, int64_t value);
void json_set_u64(struct json *object, const char *key, uint64_t value);
void json_unset(struct json *object, const char *key);
void json_append(struct json *array, struct json *value);
void json_append_string(struct json *array, const char *text);

// Prints. indent 0: compact, else as Go's MarshalIndent with that many spaces and no prefix: "{}"
// and "[]" for empties, ": " between. No newline at the end.
enum json_style {
	JSON_PLAIN = 0,
	JSON_ESCAPE_HTML = 1, // <, >, & as \u003c…: Go's default, what ctr prints
	JSON_SORT_KEYS = 2,   // as Go prints maps
};
void json_print(const struct json *value, unsigned indent, enum json_style style, struct str *out);
char *json_to_text(const struct json *value, unsigned indent,
                   enum json_style style); // the caller's
