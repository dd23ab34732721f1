// SPDX-License-Identifier: Apache-2.0
// Blobs by hand: content ingest, edit, active.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"
#include <time.h>
#include <unistd.h>

fallible command_content_ingest(struct invocation *in)
{
	TRY(argument_needed(in, 0, "must specify a transaction reference"));
	int64_t size = flag_int(in, "expected-size");
	if (size < 0)
		return error_new(ERROR_USAGE, "--expected-size: a number of bytes");
	const struct engine_ingest request = {
		.reference = argument(in, 0),
		.fd = STDIN_FILENO,
		.expected_size_bytes = (uint64_t)size,
		.expected_digest = optional(flag_text(in, "expected-digest")),
	};
	if (in->closed[STDIN_FILENO])
		return error_new(ERROR_USAGE, "standard input is closed");
	auto_session struct session s = {0};
	auto_free char *digest = NULL;
	TRY(session_open(in, &s));
	TRY(engine_content_ingest(s.engine, &request, &digest));
	if (!in->ctr) // which says nothing
		output_line(digest);
	return NULL;
}

// --- active
// ---------------------------------------------------------------------------------------

static void ingests_cleanup(struct engine_ingests **l)
{
	engine_ingests_free(*l);
}

fallible command_content_active(struct invocation *in)
{
	auto_session struct session s = {0};
	defer(ingests_cleanup) struct engine_ingests *active = NULL;
	struct timespec now;
	TRY(session_open(in, &s));
	TRY(engine_content_active(s.engine, optional(argument(in, 0)), &active));
	clock_gettime(CLOCK_REALTIME, &now);
	auto_table struct table t = TABLE_NARROW;
	table_row(&t, (const char *[]){"REF", "SIZE", "AGE", NULL});
	for (size_t i = 0; i < active->n; i++) {
		const struct engine_active *a = &active->items[i];
		auto_str struct str size = STR_LIMIT(64), age = STR_LIMIT(64),
				    clean = STR_LIMIT(OUTPUT_LIMIT);
		units_decimal(&size, a->size_bytes);
		units_age(&age, now.tv_sec * INT64_C(1000000000) + now.tv_nsec - a->started_ns);
		output_clean(&clean, a->reference);
		table_row(&t, (const char *[]){clean.bytes, size.bytes, age.bytes, NULL});
	}
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	table_print(&t, &text);
	output_str(&text);
	return NULL;
}

fallible command_content_edit(struct invocation *in)
{
	const char *editor = flag_text(in, "editor");
	if (*flag_text(in, "validate"))
		return error_new(ERROR_UNSUPPORTED, "validating the edit result not supported");
	if (!*editor)
		return error_new(ERROR_USAGE, "editor is required");
	auto_session struct session s = {0};
	auto_free char *digest = NULL;
	TRY(session_open(in, &s));
	TRY(engine_content_edit(s.engine, argument(in, 0), editor, &digest));
	output_line(digest);
	return NULL;
}
