// SPDX-License-Identifier: Apache-2.0
// Filters and their regular expressions. Up to the first zero byte a text, behind it a pattern,
// which is a filter, too: a pattern that is taken is one in parentheses, and means the same there.
#include "base/text.h"
#include "oci/filter.h"
#include "oci/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *field(void *context, const char *const *path, size_t n)
{
	(void)path;
	return n > 1 ? NULL : context;
}

static bool is_taken(const char *pattern, const char *text, bool *ret_matches)
{
	auto_regex struct regex *re = NULL;
	auto_error struct error *e = regex_parse(pattern, &re);
	*ret_matches = !e && regex_matches(re, text);
	return !e;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t text_size = strnlen((const char *)bytes, size);
	auto_free char *text = alloc_bytes(bytes, text_size);
	size_t at = text_size < size ? text_size + 1 : size;
	auto_free char *pattern = alloc_bytes(bytes + at, size - at);
	auto_free char *grouped = alloc_printf("(?:%s)", pattern);
	auto_oci_filters struct oci_filters *filters = NULL;
	bool matches, matches_grouped;
	if (is_taken(pattern, text, &matches) && strlen(grouped) <= REGEX_SIZE_LIMIT &&
	    is_taken(grouped, text, &matches_grouped) && matches != matches_grouped)
		abort();
	const char *const texts[] = {pattern};
	auto_error struct error *e = oci_filters_parse(texts, 1, &filters);
	if (!e)
		(void)oci_filters_match(filters, field, text);
	return 0;
}
