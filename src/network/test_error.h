// SPDX-License-Identifier: Apache-2.0
// An assertion on errors, and cmocka's own headers.
#pragma once
#include "base/text.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

// NULL: no error is wanted. A message that ends in "…" stands for all that begin so.
static inline void assert_error(struct error *e, const char *message)
{
	if (!message) {
		if (e)
			print_error("unexpected: %s\n", e->message);
		assert_null(e);
		return;
	}
	assert_non_null(e);
	size_t n = strlen(message), dots = strlen("…");
	if (n >= dots && strcmp(message + n - dots, "…") == 0) {
		auto_free char *start = alloc_bytes(e->message, strnlen(e->message, n - dots));
		auto_free char *wanted = alloc_bytes(message, n - dots);
		assert_string_equal(start, wanted);
	} else {
		assert_string_equal(e->message, message);
	}
	error_free(e);
}
