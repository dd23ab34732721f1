// SPDX-License-Identifier: Apache-2.0
#include "cli/units.h"
#include <strings.h>

static const char *const binary[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
static const char *const decimal[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};

void units_binary(struct str *out, uint64_t size_bytes)
{
	double size = (double)size_bytes;
	size_t unit = 0;
	for (; size >= 1024 && unit + 1 < sizeof(binary) / sizeof(*binary); unit++)
		size /= 1024;
	str_printf(out, "%.1f %s", size, binary[unit]);
}

void units_decimal(struct str *out, uint64_t size_bytes)
{
	double size = (double)size_bytes;
	size_t unit = 0;
	for (; size >= 1000 && unit + 1 < sizeof(decimal) / sizeof(*decimal); unit++)
		size /= 1000;
	str_printf(out, "%.4g%s", size, decimal[unit]);
}

void units_age(struct str *out, int64_t age_ns)
{
	// clang-format off
	static const struct {
		int64_t below, unit; // in seconds
		const char *one, *many;
	} steps[] = {
		{60,             1,            "1 second",       "seconds"},
		{3600,           60,           "About a minute", "minutes"},
		{48 * 3600,      3600,         "About an hour",  "hours"},
		{14 * 86400,     86400,        "",               "days"},
		{60 * 86400,     7 * 86400,    "",               "weeks"},
		{730 * 86400,    30 * 86400,   "",               "months"},
		{INT64_MAX,      365 * 86400,  "",               "years"},
	};
	// clang-format on
	int64_t seconds = age_ns / 1000000000;
	if (seconds < 1) {
		str_add(out, "Less than a second");
		return;
	}
	int64_t hours = (seconds + 1800) / 3600; // hours and what is longer count in rounded hours
	int64_t time = seconds < 3600 ? seconds : hours * 3600;
	size_t i = 0;
	while (time >= steps[i].below)
		i++;
	int64_t n = time / steps[i].unit;
	if (n == 1 && *steps[i].one)
		str_add(out, steps[i].one);
	else
		str_printf(out, "%lld %s", (long long)n, steps[i].many);
}

// The unit behind a number, as a shift; 64 if it is none.
static unsigned unit_shift(const char *unit)
{
	static const char letters[] = "kmgt";
	if (!*unit || strcasecmp(unit, "b") == 0)
		return 0;
	const char *found = strchr(letters, *unit | 0x20);
	unit++;
	if (!found || (*unit && strcasecmp(unit, "b") != 0 && strcasecmp(unit, "ib") != 0))
		return 64;
	return 10 * (unsigned)(found - letters + 1);
}

fallible units_parse_size(const char *text, uint64_t *ret_bytes)
{
	size_t digits = strspn(text, "0123456789");
	unsigned shift = unit_shift(text + digits);
	auto_free char *number = alloc_bytes(text, digits);
	uint64_t value = 0;
	struct error *e =
		shift < 64 ? text_parse_u64(number, 10, UINT64_MAX >> shift, &value) : NULL;
	if (e || shift == 64) {
		error_free(e);
		return error_new(ERROR_USAGE, "%.64s: not a size such as 4096, 512k or 10m", text);
	}
	*ret_bytes = value << shift;
	return NULL;
}
