// SPDX-License-Identifier: Apache-2.0
// content and leases.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/report.h"
#include "cli/session.h"
#include "cli/table.h"
#include "cli/units.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void blobs_cleanup(struct engine_blobs **blobs)
{
	engine_blobs_free(*blobs);
}

static void leases_cleanup(struct engine_leases **leases)
{
	engine_leases_free(*leases);
}

static const char *const *arguments(const struct invocation *in)
{
	return (const char *const *)in->args;
}

// ctr pads these columns by tabs up to stops of 8: the widest cell and one more.
enum { COLUMNS = 4 };
struct line {
	char *cells[COLUMNS];
};

static void add_tabs(struct str *out, size_t width, size_t size)
{
	size_t stop = (width + 7) / 8 * 8;
	for (size_t n = (stop - size + 7) / 8; n; n--)
		str_add_char(out, '\t');
}

static void print_tabbed(const struct line *lines, size_t n)
{
	auto_str struct str out = STR_LIMIT(OUTPUT_LIMIT);
	size_t widths[COLUMNS] = {0};
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < COLUMNS; k++)
			if (strlen(lines[i].cells[k]) > widths[k])
				widths[k] = strlen(lines[i].cells[k]);
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < COLUMNS; k++) {
			str_add(&out, lines[i].cells[k]);
			if (k + 1 < COLUMNS)
				add_tabs(&out, widths[k] + 1, strlen(lines[i].cells[k]));
		}
		str_add_char(&out, '\n');
	}
	output_str(&out);
}

static struct line line_of(const struct engine_blob *blob, int64_t now_ns)
{
	auto_str struct str size = STR_LIMIT(64), age = STR_LIMIT(64),
			    labels = STR_LIMIT(OUTPUT_LIMIT), clean = STR_LIMIT(OUTPUT_LIMIT);
	units_decimal(&size, blob->size_bytes);
	units_age(&age, now_ns - blob->created_ns);
	print_labels(&labels, &blob->labels);
	output_clean(&clean, labels.size ? labels.bytes : "-");
	return (struct line){
		{alloc_string(blob->digest), str_take(&size), str_take(&age), str_take(&clean)}};
}

static void list_table(const struct engine_blobs *blobs)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t now_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
	auto_free struct line *lines = alloc_array(blobs->n + 1, sizeof(*lines));
	lines[0] = (struct line){{alloc_string("DIGEST"), alloc_string("SIZE"), alloc_string("AGE"),
	                          alloc_string("LABELS")}};
	for (size_t i = 0; i < blobs->n; i++)
		lines[i + 1] = line_of(&blobs->items[i], now_ns);
	print_tabbed(lines, blobs->n + 1);
	for (size_t i = 0; i <= blobs->n; i++)
		for (size_t k = 0; k < COLUMNS; k++)
			free(lines[i].cells[k]);
}

fallible command_content_list(struct invocation *in)
{
	auto_session struct session s = {0};
	defer(blobs_cleanup) struct engine_blobs *blobs = NULL;
	TRY(session_open(in, &s));
	TRY(engine_content_list(s.engine, &blobs));
	if (!flag_bool(in, "quiet")) {
		list_table(blobs);
		return NULL;
	}
	auto_str struct str out = STR_LIMIT(OUTPUT_LIMIT);
	for (size_t i = 0; i < blobs->n; i++)
		str_printf(&out, "%s\n", blobs->items[i].digest);
	output_str(&out);
	return NULL;
}

static fallible copy_out(int fd)
{
	char piece[65536];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read the blob");
		if (!n)
			return NULL;
		for (ssize_t done = 0; done < n;) {
			ssize_t m = write(STDOUT_FILENO, piece + done, (size_t)(n - done));
			if (m < 0 && errno == EINTR)
				continue;
			if (m < 0)
				FAIL_ERRNO("write the blob");
			done += m;
		}
	}
}

fallible command_content_get(struct invocation *in)
{
	auto_session struct session s = {0};
	int fd = -1;
	TRY(session_open(in, &s));
	if (in->closed[STDOUT_FILENO])
		return error_new(ERROR_USAGE, "standard output is closed");
	TRY(engine_content_open(s.engine, argument(in, 0), &fd));
	struct error *e = copy_out(fd);
	close(fd);
	return e;
}

// What isn't there is no error, as in ctr.
fallible command_content_delete(struct invocation *in)
{
	auto_session struct session s = {0};
	struct error *pending = NULL;
	TRY(session_open(in, &s));
	for (size_t i = 0; i < in->n_args; i++) {
		struct error *e = engine_content_remove(s.engine, in->args[i]);
		bool missing = error_is(e, ERROR_NOT_FOUND);
		auto_free char *text = alloc_printf("could not delete %s", in->args[i]);
		if (missing)
			error_drop(&e); // the user wants it gone
		else if (e)
			report_one_of(in, &pending, e, text);
		else
			output_line(in->args[i]);
	}
	return pending;
}

fallible command_content_prune(struct invocation *in)
{
	auto_session struct session s = {0};
	auto_strings struct strings digests = {0};
	TRY(session_open(in, &s));
	struct error *e = engine_content_prune(s.engine, flag_bool(in, "dry"), &digests);
	if (flag_bool(in, "dry"))
		output_log(in, "debug", "dry run, no changes will be applied", NULL);
	for (size_t i = 0; i < digests.n && !(in->ctr && !flag_bool(in, "dry")); i++)
		output_line(digests.items[i]);
	if (digests.n && !flag_bool(in, "dry"))
		output_log(in, "warning",
		           "images without their layers run, but can't be pushed, exported or "
		           "committed on until they are pulled again",
		           NULL);
	return e;
}

fallible command_content_label(struct invocation *in)
{
	auto_session struct session s = {0};
	defer(engine_labels_done) struct engine_labels labels = {0};
	TRY(session_open(in, &s));
	TRY(engine_content_label(s.engine, argument(in, 0), arguments(in) + (in->n_args > 0),
	                         in->n_args ? in->n_args - 1 : 0, &labels));
	print_label_line(&labels);
	return NULL;
}

// --- leases
// ---------------------------------------------------------------------------------------

static void add_time(struct str *out, int64_t ns)
{
	time_t t = (time_t)(ns / INT64_C(1000000000));
	struct tm tm;
	char text[32];
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	str_add(out, text);
}

// containerd keeps the end of a lease as a label; here it stands between the others.
static void add_labels(struct str *out, const struct engine_lease *lease)
{
	static const char key[] = "containerd.io/gc.expire";
	bool due = lease->expires_ns;
	for (size_t i = 0; i <= lease->labels.n; i++) {
		bool last = i == lease->labels.n;
		if (due && (last || strcmp(lease->labels.items[i].key, key) > 0)) {
			str_printf(out, "%s%s=", out->size ? "," : "", key);
			add_time(out, lease->expires_ns);
			due = false;
		}
		if (!last)
			str_printf(out, "%s%s=%s", out->size ? "," : "", lease->labels.items[i].key,
			           lease->labels.items[i].value);
	}
	if (!out->size)
		str_add_char(out, '-');
}

fallible command_leases_list(struct invocation *in)
{
	auto_session struct session s = {0};
	defer(leases_cleanup) struct engine_leases *leases = NULL;
	TRY(session_open(in, &s));
	TRY(engine_lease_list(s.engine, arguments(in), in->n_args, &leases));
	auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
	auto_table struct table t = TABLE_NARROW;
	if (!flag_bool(in, "quiet"))
		table_row(&t, (const char *[]){"ID", "CREATED AT", "LABELS", NULL});
	for (size_t i = 0; i < leases->n; i++) {
		const struct engine_lease *lease = &leases->items[i];
		auto_str struct str created = STR_LIMIT(64), labels = STR_LIMIT(OUTPUT_LIMIT);
		if (flag_bool(in, "quiet")) {
			output_line(lease->id);
			continue;
		}
		add_time(&created, lease->created_ns);
		add_labels(&labels, lease);
		table_row(&t, (const char *[]){lease->id, created.bytes, labels.bytes, NULL});
	}
	table_print(&t, &text);
	output_str(&text);
	return NULL;
}

fallible command_leases_create(struct invocation *in)
{
	auto_session struct session s = {0};
	auto_free char *id = NULL;
	TRY(session_open(in, &s));
	TRY(engine_lease_create(s.engine, optional(flag_text(in, "id")),
	                        flag_duration_ns(in, "expires"), arguments(in), in->n_args, &id));
	output_line(id);
	return NULL;
}

// As ctr: the first that can't be removed ends it.
fallible command_leases_delete(struct invocation *in)
{
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	for (size_t i = 0; i < in->n_args; i++) {
		TRY(engine_lease_remove(s.engine, in->args[i]));
		output_line(in->args[i]);
	}
	return NULL;
}
