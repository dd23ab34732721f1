// SPDX-License-Identifier: Apache-2.0
// Long work, shown on standard error: on a terminal one line with a bar once it takes longer than
// a second, elsewhere a plain line for each step that is done.
#pragma once
#include "base/text.h"
#include <stdint.h>

struct engine_progress;

struct progress {
	bool bar;         // a terminal that may be drawn on
	bool drawn;       // the bar stands on the screen
	int64_t begun_ns; // when the work began, 0: not yet
	int64_t drawn_ns; // when the bar was last drawn
	int64_t item_ns;  // when this item began
	size_t item_i;
	char item[96]; // its name, cut
	bool told;     // that this item is done
};

void progress_update(struct progress *p, const struct engine_progress *e);
// Takes the bar off the screen, before anything else is written there.
void progress_clear(struct progress *p);

// What progress_update writes at `now_ns` on a screen of that width; mostly nothing.
void progress_step(struct progress *p, const struct engine_progress *e, int64_t now_ns,
                   size_t width, struct str *out);
// One line of at most `width` characters: the item, a bar, bytes, speed and time left.
void progress_line(struct str *out, const struct engine_progress *e, int64_t elapsed_ns,
                   size_t width);
