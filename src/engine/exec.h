// SPDX-License-Identifier: Apache-2.0
// Processes that exec started under an ID: their folders in the container's state folder.
#pragma once
#include "engine/life.h"

#define EXEC_FOLDER "exec."
char *exec_folder(const char *exec_id); // the caller's
