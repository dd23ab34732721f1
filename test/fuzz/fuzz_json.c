// SPDX-License-Identifier: Apache-2.0
// Any bytes to the JSON parser. What it takes must print and parse again to an equal value,
// whatever the style; the getters must stand any type.
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct json *again(const struct json *value, unsigned indent, enum json_style style)
{
	struct json *copy = NULL;
	auto_free char *text = json_to_text(value, indent, style);
	struct error *e = json_parse(text, strlen(text), SIZE_MAX, &copy);
	if (e)
		abort();
	return copy;
}

static void ask(const struct json *value)
{
	static const struct json_path path = {NULL, "fuzz", 0};
	const char *key = "a", *text;
	const struct json *member;
	uint64_t u;
	int64_t i;
	bool b;
	for (struct json_cursor at = {0}; json_next(value, &at, &key, &member);) {
		struct json_path here = {&path, key, 0};
		struct error *errors[] = {
			json_as_string(member, &here, &text),
			json_as_u64(member, &here, 1000, &u),
			json_as_i64(member, &here, -1000, 1000, &i),
			json_as_bool(member, &here, &b),
			json_get_array(value, &path, key, 3, &member),
			json_require_object(value, &path, key, &member),
		};
		if (json_member(value, key) && !json_member_folded(value, key))
			member = NULL; // its last spelling is null
		for (size_t n = 0; n < sizeof(errors) / sizeof(*errors); n++)
			error_free(errors[n]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_json struct json *value = NULL;
	auto_error struct error *e = json_parse((const char *)bytes, size, 1 << 20, &value);
	if (e)
		return 0;
	auto_json struct json *compact = again(value, 0, JSON_PLAIN);
	auto_json struct json *pretty = again(compact, 3, JSON_ESCAPE_HTML | JSON_SORT_KEYS);
	auto_json struct json *copy = json_copy(pretty);
	if (!json_equal(value, compact) || !json_equal(value, copy))
		abort();
	ask(value);
	return 0;
}
