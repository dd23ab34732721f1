// SPDX-License-Identifier: Apache-2.0
// Any text to the parsers of names: references, digests, platforms, signals, filters. A reference
// that is taken must normalise to itself.
#include "base/text.h"
#include "oci/digest.h"
#include "oci/filter.h"
#include "oci/names.h"
#include "oci/platform.h"
#include "oci/reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_reference(const char *text)
{
	char *once = NULL, *twice = NULL;
	auto_error struct error *e = oci_reference_normalise(text, &once);
	if (e)
		return;
	if (oci_reference_normalise(once, &twice) || strcmp(once, twice) != 0)
		abort();
	free(once);
	free(twice);
}

static void check_platform(const char *text)
{
	static const struct oci_platform host = {.os = "linux", .architecture = "amd64"};
	struct oci_platform p, again;
	auto_error struct error *e = oci_platform_parse(text, &host, &p);
	if (e)
		return;
	auto_free char *format = oci_platform_format(&p);
	if (oci_platform_parse(format, &host, &again) || !oci_platform_match(&p, &again))
		abort();
}

static const char *field(void *context, const char *const *path, size_t n)
{
	(void)path;
	return n == 1 ? context : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	auto_free char *text = alloc_bytes(bytes, size);
	const char *const texts[] = {text};
	auto_oci_filters struct oci_filters *filters = NULL;
	int number;
	check_reference(text);
	check_platform(text);
	error_free(oci_digest_check(text));
	error_free(oci_signal_parse(text, &number));
	struct error *e = oci_filters_parse(texts, 1, &filters);
	if (!e)
		oci_filters_match(filters, field, text);
	error_free(e);
	return 0;
}
