// SPDX-License-Identifier: Apache-2.0
// One entry of a container's log, from the line that the monitor wrote (shim/log.h has the format)
// back to what the container said. Private to engine.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_TEXT_MAX = 64 << 10 }; // the monitor's are shorter: 16 KiB, each byte a U+FFFD at worst

struct log_entry {
	size_t size; // of `text`, which has no zero byte at its end
	bool is_error;
	char time[40]; // RFC 3339, as it stands there
	char text[LOG_TEXT_MAX];
};
// `end` is where the line's "\n" stands. False: nothing that the monitor writes; *ret is undefined.
bool log_entry_decode(const char *p, const char *end, struct log_entry *ret);
// When it was written, in nanoseconds since 1970; before the year 1678 and behind 2262 the first
// and the last that can be counted. 0: its time is none.
int64_t log_entry_ns(const struct log_entry *entry);
