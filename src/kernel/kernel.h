// SPDX-License-Identifier: Apache-2.0
// The kernel's container facilities: thin, typed, each usable alone. An index: include the header
// of the thing that you need.
//   kernel/namespace.h   clone3, setns, ID maps, the table of namespace kinds
//   kernel/process.h     pidfds, close_range, prctl
//   kernel/mount.h       detached mounts, overlay, option strings, pivot
//   kernel/cgroup.h      v2, v1 and hybrid behind one contract
//   kernel/capability.h  the five sets
//   kernel/seccomp.h     the default filter, profiles, allow-lists, loading
//   kernel/landlock.h    confining a process to directories
//   kernel/pty.h         terminals from a container's own devpts
//   kernel/exec_copy.h   a copy of our executable that a container can't write
//   kernel/idmap.h       user namespaces for idmapped mounts
//
// Two kinds of functions, told apart by what they return:
// - `fallible` ones are for the parent: they allocate, read /proc, and explain themselves.
// - those that return `int` are safe in a child between clone3 and exec (no allocation, no locks,
//   no stdio): 0, or the errno of the call that failed (positive). They never retry by sleeping.
#pragma once
#include "kernel/capability.h"
#include "kernel/cgroup.h"
#include "kernel/exec_copy.h"
#include "kernel/idmap.h"
#include "kernel/landlock.h"
#include "kernel/mount.h"
#include "kernel/namespace.h"
#include "kernel/process.h"
#include "kernel/pty.h"
#include "kernel/seccomp.h"
