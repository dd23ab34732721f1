// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/report.h"
#include <fcntl.h>
#include <unistd.h>

static void print_version(const struct invocation *in)
{
	auto_str struct str line = STR_LIMIT(256);
	if (in->ctr)
		str_add(&line,
		        "ctr github.com/containerd/containerd/v2 2.1.1+coracle-" CORACLE_VERSION);
	else
		str_add(&line, "coracle " CORACLE_VERSION);
	output_line(line.bytes);
}

static fallible carry_out(struct invocation *in)
{
	switch (in->intention) {
	case SHOW_VERSION:
		print_version(in);
		return NULL;
	case SHOW_HELP: {
		auto_str struct str text = STR_LIMIT(OUTPUT_LIMIT);
		help_print(in, &text);
		output_str(&text);
		return NULL;
	}
	case RUN_COMMAND:
	case NO_SUCH_TOPIC: // an error came up before
		break;
	}
	return in->command->run(in);
}

// A program may be started with 0, 1 or 2 closed. The next file opened would then be our standard
// output, and a list of images would be written into the database. O_PATH: reading and writing
// still fail. Not close-on-exec: what we start has the same need.
static void fill_standard_descriptors(struct invocation *in)
{
	for (int fd = 0; fd < 3; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		in->closed[fd] = true;
		if (open("/dev/null", O_PATH) != fd) // the lowest free number is this one
			_exit(125);
	}
}

// A program of Windows may end with more than the 8 bits that a process can pass on.
static int process_status(int code)
{
	return code && !(code & 255) ? 1 : code & 255;
}

int cli_main(int argc, char **argv)
{
	struct invocation in = {0};
	fill_standard_descriptors(&in);
	invocation_face(&in, argc > 0 ? argv[0] : "coracle", getenv("CORACLE_COMPAT"));
	auto_error struct error *e = invocation_parse(&in, argc, argv);
	if (!e)
		e = carry_out(&in);
	// What was printed before the error still has to arrive, and may be what fails.
	auto_error struct error *late = output_finish();
	if (e)
		report_failure(&in, e);
	if (late)
		report_failure(&in, late);
	int status = e      ? report_status(&in, e)
	             : late ? report_status(&in, late)
	                    : process_status(in.status);
	invocation_done(&in);
	return status;
}
