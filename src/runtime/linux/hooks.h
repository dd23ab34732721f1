// SPDX-License-Identifier: Apache-2.0
// The hooks of a container: prepared once in the creator, run by it (prestart, createRuntime,
// poststart), by init before the change of root (createContainer), by coracle-init right before the
// program (startContainer), and after the end by whoever cleans (poststop).
//
// They are told: the state directory as `bundle`, which has the config.json; in the runtime's
// namespaces init's pid as seen there, in the container's as seen in it; to poststop none.
// Working directory "/" and umask 022; createContainer's is the container's root, which has no path
// yet, and startContainer has the program's of both, as runc has it.
#pragma once
#include "runtime/runtime.h"
#include "shim/hook.h"

struct hooks;
// Prepares, and writes config.json: from here on poststop is owed. The spec, and interrupt_fd, must
// outlive it.
fallible hooks_make(const struct runtime_request *request, struct hooks **ret);
void hooks_free(struct hooks *hooks); // takes NULL

// prestart, createRuntime or createContainer are there. Takes NULL.
bool hooks_precede_pivot(const struct hooks *hooks);
// Runs those of a kind in our namespaces; the first that fails is the error.
fallible hooks_run(const struct hooks *hooks, enum oci_hook_kind kind, pid_t pid);
// Runs them all; those that fail are warnings, and an interrupt leaves the rest out.
void hooks_run_all(const struct hooks *hooks, enum oci_hook_kind kind, pid_t pid);
// createContainer's, by init: async-signal-safe. As hook_run(); which one, and what it said.
// `interrupt_fd` is init's own: the creator's interrupts kill init.
int hooks_run_inside(const struct hooks *hooks, int root, int interrupt_fd, int *ret_index,
                     char said[HOOK_TEXT]);
// startContainer's as coracle-init reads them; -1: there are none.
fallible hooks_for_init(const struct hooks *hooks, int *ret_fd);
// Waits until `fd` can be read: what others do with hooks may take its time.
fallible hooks_await(const struct hooks *hooks, int fd);
// What init has reported of one.
struct error *hooks_error(const struct hooks *hooks, enum oci_hook_kind kind,
                          const struct shim_report *report) __attribute__((returns_nonnull));
