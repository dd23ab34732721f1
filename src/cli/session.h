// SPDX-License-Identifier: Apache-2.0
// A command's connection to the engine: the options that the program's flags say, and what the
// engine says while it works.
#pragma once
#include "cli/invocation.h"
#include "cli/progress.h"
#include "engine/engine.h"

struct session {
	struct invocation *in;
	struct engine *engine;
	struct progress progress;
	int64_t begun_ns;
	bool show_steps;   // as --debug does; set it before session_open()
	char *plugin_text; // CNI_PATH, its colons made zeros
	const char **plugin_dirs;
};

// *s must stay where it is: the engine speaks to it. Release with session_done, after an error too.
fallible session_open(struct invocation *in, struct session *s);
void session_done(struct session *s);
#define auto_session defer(session_done)

// NULL where the text is empty: how engine's requests spell "not said".
const char *optional(const char *text);
// The snapshotter that the flags or the environment name; NULL: the engine's.
const char *session_snapshotter(const struct session *s);
