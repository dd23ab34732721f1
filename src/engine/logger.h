// SPDX-License-Identifier: Apache-2.0
// --log-uri binary://: a program of the user's that takes a container's output, as containerd's
// shim starts it: descriptors 3 and 4 are standard output and error to read, 5 is to be written to
// or closed once it is ready; the query's pairs are its arguments, its environment is CONTAINER_ID
// and CONTAINER_NAMESPACE alone. It goes on until both streams have ended, whoever has started it;
// its working directory is "/", since there is no bundle. Specification: containerd 2.1,
// core/runtime/v2/logging, pkg/cio (BinaryIO).
#pragma once
#include "engine/private.h"

struct logger {
	int streams[2]; // for the program to write to; -1: none
};
#define LOGGER_NONE ((struct logger){{-1, -1}})
void logger_done(struct logger *l); // closes our ends, which the logger sees

bool logger_is_meant(const char *uri); // may be NULL
// Returns once it is ready, or a signal at `signalfd` (signals_catch()) wants an end. Errors:
// INVALID (the URI), NO_PROGRAM and others of exec, BUSY (it isn't ready after ten seconds).
fallible logger_start(const char *uri, const char *ns, const char *id, int signalfd,
                      struct logger *ret);
