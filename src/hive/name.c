// SPDX-License-Identifier: Apache-2.0
#include "hive/private.h"

static void add_code(struct str *out, uint32_t c)
{
	if (c < 0x80) {
		str_add_char(out, (char)c);
		return;
	}
	if (c < 0x800) {
		str_add_char(out, (char)(0xc0 | c >> 6));
	} else {
		if (c < 0x10000) {
			str_add_char(out, (char)(0xe0 | c >> 12));
		} else {
			str_add_char(out, (char)(0xf0 | c >> 18));
			str_add_char(out, (char)(0x80 | (c >> 12 & 63)));
		}
		str_add_char(out, (char)(0x80 | (c >> 6 & 63)));
	}
	str_add_char(out, (char)(0x80 | (c & 63)));
}

static uint32_t unit_at(const unsigned char *units, size_t i)
{
	return (uint32_t)(units[2 * i] | units[2 * i + 1] << 8);
}

void name_from_utf16(const unsigned char *units, size_t n, struct str *out)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t c = unit_at(units, i);
		if (c >= 0xd800 && c < 0xe000) {
			uint32_t low = i + 1 < n ? unit_at(units, i + 1) : 0;
			if (c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
				c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
				i++;
			} else {
				c = 0xfffd;
			}
		}
		add_code(out, c ? c : 0xfffd); // a zero would end the name
	}
}

void name_from_latin1(const unsigned char *bytes, size_t n, struct str *out)
{
	for (size_t i = 0; i < n; i++)
		add_code(out, bytes[i] ? bytes[i] : 0xfffd);
}

static void add_unit(struct str *out, uint32_t unit)
{
	str_add_char(out, (char)(unit & 0xff));
	str_add_char(out, (char)(unit >> 8));
}

void name_to_utf16(const char *name, struct str *out)
{
	const unsigned char *c = (const unsigned char *)name;
	while (*c) {
		uint32_t first = *c++, code = first;
		if (first >= 0xc0) {
			code = first & (first < 0xe0 ? 31u : first < 0xf0 ? 15u : 7u);
			while ((*c & 0xc0) == 0x80)
				code = code << 6 | (*c++ & 63);
		}
		if (code < 0x10000) {
			add_unit(out, code);
		} else {
			add_unit(out, 0xd800 + ((code - 0x10000) >> 10));
			add_unit(out, 0xdc00 + ((code - 0x10000) & 0x3ff));
		}
	}
}
