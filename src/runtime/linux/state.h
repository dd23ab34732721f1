// SPDX-License-Identifier: Apache-2.0
// Names in a state directory beside those of shim/protocol.h: texts that are bound into the
// container.
#pragma once
#include <stdio.h>

enum { STATE_FILES_MAX = 16, STATE_FILE_SIZE = 16 };

static inline void state_file_name(char name[STATE_FILE_SIZE], unsigned i)
{
	snprintf(name, STATE_FILE_SIZE, "file.%u", i);
}
