// SPDX-License-Identifier: Apache-2.0
// Changes become layers.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/session.h"
#include <unistd.h>

fallible command_commit(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide a container to commit"));
	TRY(argument_needed(in, 1, "please provide a name for the image"));
	size_t n_changes;
	auto_free const char **changes = flag_texts(in, "change", &n_changes);
	const struct engine_commit request = {
		.container = argument(in, 0),
		.image = argument(in, 1),
		.author = optional(flag_text(in, "author")),
		.message = optional(flag_text(in, "message")),
		.changes = changes,
		.n_changes = n_changes,
		.no_pause = flag_given(in, "pause") && !flag_bool(in, "pause"),
		.compression = optional(flag_text(in, "compression")),
	};
	auto_session struct session s = {0};
	auto_free char *digest = NULL;
	TRY(session_open(in, &s));
	TRY(engine_commit(s.engine, &request, &digest));
	output_line(digest);
	return NULL;
}

fallible command_snapshots_diff(struct invocation *in)
{
	TRY(argument_needed(in, 0, "snapshot id must be provided"));
	size_t n_labels;
	auto_free const char **labels = flag_texts(in, "label", &n_labels);
	if (in->closed[STDOUT_FILENO])
		return error_new(ERROR_USAGE, "standard output is closed");
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	const struct engine_diff request = {
		.key = argument(in, 0),
		.other = optional(argument(in, 1)),
		.snapshotter = session_snapshotter(&s),
		.media_type = flag_text(in, "media-type"),
		.fd = STDOUT_FILENO,
		.keep = flag_bool(in, "keep"),
		.reference = optional(flag_text(in, "ref")),
		.labels = labels,
		.n_labels = n_labels,
	};
	return engine_snapshot_diff(s.engine, &request);
}
