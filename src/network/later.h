// SPDX-License-Identifier: Apache-2.0
// What DEL leaves for after the answer: deleting an interface holds its caller for 30 ms. It is
// safe late, since the interface is down and bears the instance, and its record goes last.
// Private to network/.
#pragma once
#include "base/text.h"

struct later {
	struct strings links;
	struct strings records, claims; // files in the store's folder, claims[i] for records[i]
};
void later_done(struct later *l);
#define auto_later defer(later_done)

// Does it now. The first failure keeps the records; everything is tried.
fallible later_run(const struct later *l, int store);
// Does it in a process that nobody waits for and that keeps nothing of ours open. What it can't do
// keeps its record. Without interfaces it is done now.
fallible later_fork(const struct later *l, int store);
