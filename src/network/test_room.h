// SPDX-License-Identifier: Apache-2.0
// A room to test in: a forked child with namespaces and folders of its own. Assertions in it end
// the child with a message; the parent asserts on the exit code.
#pragma once
#include "network/network.h"
#include "network/paths.h"
#include "sys/sys.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

extern const struct network_paths paths; // all below a tmpfs of the room
extern char warnings[4096];              // what ADD told us, line by line

void must(struct error *e);                        // ends the child if there is one
void must_fail(struct error *e, const char *part); // …or if there is none, or without `part`
void check(bool ok, const char *format, ...) PRINTF(2, 3);
// Runs a line of shell; it must succeed.
void shell(const char *line);
bool shell_ok(const char *line);

struct network_config *load(const char *text, bool is_list);

struct life { // a container's network
	char name[64], netns[64];
	struct network_attachment attachment;
};
struct life life_begin(const char *id);
void life_end(struct life *l);
bool ping(const struct life *from, const char *to);
// No record, lease, cache entry, element, veth is there.
void nothing_left(void);

// Runs `body` in a child with its own namespaces. Skips without root.
void in_a_room(void (*body)(void));
#define TEST(name)                       \
	static void run_##name(void **s) \
	{                                \
		(void)s;                 \
		in_a_room(test_##name);  \
	}
