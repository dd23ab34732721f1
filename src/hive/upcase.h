// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <stddef.h>
#include <stdint.h>

// Upper case of `size` bytes of UTF-8, into as many at most; gives how many. By NTFS's and the
// registry's rule: one 16-bit unit by one, simple mappings only.
size_t upcase_utf8(const char *text, size_t size, char *ret);
uint32_t upcase_unit(uint32_t unit);
