// SPDX-License-Identifier: Apache-2.0
// Long work, shown on standard error: on a terminal a line with a bar for each item that is under
// way, once it takes longer than a second, elsewhere a plain line for each step that is done.
#pragma once
#include "base/text.h"
#include <stdint.h>

struct engine_progress;

enum { PROGRESS_ITEMS = 8, PROGRESS_NAME = 96 };

struct progress_item {
	char name[PROGRESS_NAME]; // cut
	size_t item_i, n_items;
	uint64_t done_bytes, total_bytes;
	int64_t begun_ns, seen_ns;
	// Where the speed is counted from: half a second behind the beginning, since what an
	// earlier pull has left passes by in the first moments.
	int64_t mark_ns;
	uint64_t mark_bytes;
};
struct progress {
	bool bar;                                   // a terminal that may be drawn on
	bool is_watched;                            // signals that end us wipe the screen
	size_t n_drawn;                             // bars that stand on the screen
	int64_t begun_ns;                           // when the work began, 0: not yet
	int64_t drawn_ns;                           // when bars were last drawn
	struct progress_item items[PROGRESS_ITEMS]; // under way, in the order of their beginning
	size_t n_items;
	struct progress_item told[PROGRESS_ITEMS]; // done, and said so: a ring
	size_t n_told;
};

void progress_update(struct progress *p, const struct engine_progress *e);
// Takes the bar off the screen, before anything else is written there.
void progress_clear(struct progress *p);

// The same from a signal's handler, whosever progress it is.
void progress_wipe(void);

// What progress_update writes at `now_ns` on a screen of that width; mostly nothing.
void progress_step(struct progress *p, const struct engine_progress *e, int64_t now_ns,
                   size_t width, struct str *out);
// One line of at most `width` characters: the item, a bar, bytes, speed and time left. In
// `elapsed_ns` all but `from_bytes` were done.
void progress_line(struct str *out, const struct engine_progress *e, int64_t elapsed_ns,
                   uint64_t from_bytes, size_t width);
