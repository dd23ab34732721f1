// SPDX-License-Identifier: Apache-2.0
// What of the caller's standard streams enters a container: pipes, and nothing else as it is.
// - A regular file could be opened again for writing through /proc/self/fd/0, whatever its mode
// was.
// - A terminal lets the container type into it (TIOCSTI).
// - A directory is a way out of the root, a socket or device is somebody else's object.
// - /dev/null is replaced by the container's own: fchmod(2) on the host's would be the host's.
#pragma once
#include "runtime/runtime.h"
#include <stddef.h>

struct stdio_pump {   // input, from a descriptor of the caller's to a pipe of ours
	int from, to; // from is borrowed; -1: nothing to do
	char *buffer;
	size_t begin, end;
};

struct stdio {
	int init[3];        // what init gets; -1: /dev/null
	int from[2], to[2]; // what the monitor copies
	struct stdio_pump pump;
	int owned[8]; // all of the above that is ours
	size_t n_owned;
};

fallible stdio_prepare(const int stdio[3], const struct runtime_log *log, struct stdio *ret);
void stdio_done(struct stdio *s); // closes what is ours, but for a pump that was taken
void stdio_pump_done(struct stdio_pump *p);
// Moves what can be moved without waiting.
void stdio_pump_some(struct stdio_pump *p);
