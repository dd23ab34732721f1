// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"
#include "cli/output.h"
#include "cli/units.h"
#include "engine/engine.h"
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define REDRAW (SECOND / 10)
#define BAR_WIDTH 20
#define BAR_FULL "===================="

static int64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static void add_bar(struct str *out, uint64_t done, uint64_t total)
{
	double part = done < total ? (double)done / (double)total : 1;
	int full = (int)(part * BAR_WIDTH);
	str_printf(out, " [%.*s%s%*s] %3d%% ", full, BAR_FULL, full < BAR_WIDTH ? ">" : "",
	           full < BAR_WIDTH ? BAR_WIDTH - full - 1 : 0, "", (int)(part * 100));
}

static void add_left(struct str *out, double seconds)
{
	if (seconds < 90)
		str_printf(out, ", %.0f s left", seconds);
	else if (seconds < 5400)
		str_printf(out, ", %.0f min left", seconds / 60);
	else
		str_printf(out, ", %.0f h left", seconds / 3600);
}

void progress_line(struct str *out, const struct engine_progress *e, int64_t elapsed_ns,
                   size_t width)
{
	auto_str struct str name = STR_LIMIT(256), rest = STR_LIMIT(256);
	if (e->n_items > 1)
		str_printf(&name, "%zu/%zu ", e->item_i + 1, e->n_items);
	output_clean(&name, e->item ? e->item : "");
	if (e->total_bytes > 0)
		add_bar(&rest, e->done_bytes, e->total_bytes);
	else
		str_add(&rest, " ");
	units_binary(&rest, e->done_bytes);
	if (e->total_bytes > 0) {
		str_add(&rest, " / ");
		units_binary(&rest, e->total_bytes);
	}
	double seconds = (double)elapsed_ns / (double)SECOND;
	if (seconds >= 0.5 && e->done_bytes > 0) {
		double speed = (double)e->done_bytes / seconds;
		str_add(&rest, ", ");
		units_binary(&rest, (uint64_t)speed);
		str_add(&rest, "/s");
		if (e->total_bytes > e->done_bytes)
			add_left(&rest, (double)(e->total_bytes - e->done_bytes) / speed);
	}
	// The name gives way: it is the long part, and the same all the time.
	size_t room = width > rest.size + 1 ? width - rest.size : 1;
	size_t shown = name.size < room ? name.size : room;
	str_add_bytes(out, name.bytes ? name.bytes : "", shown);
	str_add_bytes(out, rest.bytes, rest.size < width - shown ? rest.size : width - shown);
}

static size_t screen_width(void)
{
	struct winsize size;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return 79;
	return size.ws_col - 1U; // the last column would wrap
}

void progress_clear(struct progress *p)
{
	if (p->drawn)
		fputs("\r\x1b[K", stderr);
	p->drawn = false;
}

static void add_finished(struct str *out, const struct engine_progress *e, int64_t elapsed_ns)
{
	output_clean(out, e->item ? e->item : "");
	str_add(out, ": done, ");
	units_binary(out, e->done_bytes);
	str_printf(out, " in %.1f s\n", (double)elapsed_ns / (double)SECOND);
}

void progress_step(struct progress *p, const struct engine_progress *e, int64_t now_ns,
                   size_t width, struct str *out)
{
	if (p->begun_ns == 0)
		p->begun_ns = now_ns;
	const char *item = e->item ? e->item : "";
	if (p->item_ns == 0 || p->item_i != e->item_i ||
	    strncmp(p->item, item, sizeof(p->item) - 1) != 0) {
		p->item_ns = now_ns;
		p->item_i = e->item_i;
		snprintf(p->item, sizeof(p->item), "%s", item);
		p->told = false;
	}
	bool finished = e->finished || (e->total_bytes > 0 && e->done_bytes >= e->total_bytes);
	if (now_ns - p->begun_ns < SECOND || p->told)
		return;
	if (finished) {
		str_add(out, p->drawn ? "\r\x1b[K" : "");
		add_finished(out, e, now_ns - p->item_ns);
		p->drawn = false;
		p->told = true;
	} else if (p->bar && now_ns - p->drawn_ns >= REDRAW) {
		str_add_char(out, '\r');
		progress_line(out, e, now_ns - p->item_ns, width);
		str_add(out, "\x1b[K");
		p->drawn = true;
		p->drawn_ns = now_ns;
	}
}

void progress_update(struct progress *p, const struct engine_progress *e)
{
	auto_str struct str text = STR_LIMIT(2048);
	progress_step(p, e, monotonic_ns(), p->bar ? screen_width() : 0, &text);
	if (text.size > 0)
		fwrite(text.bytes, 1, text.size, stderr);
}
