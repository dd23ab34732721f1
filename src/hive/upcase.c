// SPDX-License-Identifier: Apache-2.0
// Upper case as NTFS folds it: one 16-bit unit by one, simple mappings only; what isn't in the
// table is compared as it is.
#include "hive/upcase.h"

// clang-format off
static const struct {
	uint16_t first, last;
	int16_t add;  // 0: every odd unit is the small one of a pair (even: if `even`)
	uint8_t even;
} ranges[] = {
	{0x0061, 0x007a, -0x20, 0}, {0x00e0, 0x00f6, -0x20, 0}, {0x00f8, 0x00fe, -0x20, 0},
	{0x00ff, 0x00ff, 0x79, 0},  {0x0100, 0x012f, 0, 0},     {0x0132, 0x0137, 0, 0},
	{0x0139, 0x0148, 0, 1},     {0x014a, 0x0177, 0, 0},     {0x0179, 0x017e, 0, 1},
	{0x01cd, 0x01dc, 0, 1},     {0x01de, 0x01ef, 0, 0},     {0x01f8, 0x021f, 0, 0},
	{0x0222, 0x0233, 0, 0},     {0x03ac, 0x03ac, -0x26, 0}, {0x03ad, 0x03af, -0x25, 0},
	{0x03b1, 0x03c1, -0x20, 0}, {0x03c3, 0x03cb, -0x20, 0}, {0x03cc, 0x03cc, -0x40, 0},
	{0x03cd, 0x03ce, -0x3f, 0}, {0x03d8, 0x03ef, 0, 0},     {0x0430, 0x044f, -0x20, 0},
	{0x0450, 0x045f, -0x50, 0}, {0x0460, 0x0481, 0, 0},     {0x048a, 0x04bf, 0, 0},
	{0x04c1, 0x04ce, 0, 1},     {0x04d0, 0x0513, 0, 0},     {0x0561, 0x0586, -0x30, 0},
	{0x1e00, 0x1e95, 0, 0},     {0x1ea0, 0x1ef9, 0, 0},     {0x2170, 0x217f, -0x10, 0},
	{0x24d0, 0x24e9, -0x1a, 0}, {0xff41, 0xff5a, -0x20, 0},
};
// clang-format on

uint32_t upcase_unit(uint32_t c)
{
	for (size_t i = 0; i < sizeof(ranges) / sizeof(*ranges); i++) {
		if (c < ranges[i].first || c > ranges[i].last)
			continue;
		if (ranges[i].add)
			return (uint32_t)((int32_t)c + ranges[i].add);
		return (c & 1) != ranges[i].even ? c - 1 : c;
	}
	return c;
}

// The text is UTF-8, checked before. No mapping of the table makes a sequence longer.
size_t upcase_utf8(const char *text, size_t size, char *ret)
{
	const unsigned char *c = (const unsigned char *)text;
	size_t n = 0;
	for (size_t i = 0; i < size;) {
		if (c[i] < 0x80) {
			ret[n++] = (char)upcase_unit(c[i++]);
		} else if (c[i] < 0xe0 && i + 1 < size) {
			uint32_t code = upcase_unit((uint32_t)(c[i] & 31) << 6 | (c[i + 1] & 63));
			ret[n++] = (char)(0xc0 | code >> 6);
			ret[n++] = (char)(0x80 | (code & 63));
			i += 2;
		} else if (c[i] < 0xf0 && i + 2 < size) {
			uint32_t code =
				upcase_unit((uint32_t)(c[i] & 15) << 12 |
			                    (uint32_t)(c[i + 1] & 63) << 6 | (c[i + 2] & 63));
			ret[n++] = (char)(0xe0 | code >> 12);
			ret[n++] = (char)(0x80 | (code >> 6 & 63));
			ret[n++] = (char)(0x80 | (code & 63));
			i += 3;
		} else {
			// beyond 16 bits: as it is
			for (size_t end = i + 4; i < end && i < size; i++)
				ret[n++] = (char)c[i];
		}
	}
	return n;
}
