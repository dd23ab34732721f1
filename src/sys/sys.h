// SPDX-License-Identifier: Apache-2.0
// Linux files and processes. An index: include the header of the thing that you need.
//   sys/fd.h       descriptors: owning, reading and writing whole, bounded
//   sys/path.h     opening beneath a directory or inside a root, making directories
//   sys/publish.h  making a file appear whole, durable if asked for
//   sys/tree.h     removing and measuring trees without crossing mounts
//   sys/lock.h     locks on open files
//   sys/process.h  pids with start times, pidfds, the boot, spawning programs
#pragma once
#include "sys/fd.h"
#include "sys/lock.h"
#include "sys/path.h"
#include "sys/process.h"
#include "sys/publish.h"
#include "sys/tree.h"
