// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"
#include "cli/output.h"
#include "cli/units.h"
#include "engine/engine.h"
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define REDRAW (SECOND / 10)
#define BAR_WIDTH 20
#define BAR_WIDTH_NARROW 10 // where the name would have to give way
#define BAR_FULL "===================="
enum { DIGEST_SHOWN = 12 }; // digits of one

static int64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static void add_bar(struct str *out, uint64_t done, uint64_t total, int width)
{
	double part = done < total ? (double)done / (double)total : 1;
	int full = (int)(part * width);
	str_printf(out, " [%.*s%s%*s] %3d%% ", full, BAR_FULL, full < width ? ">" : "",
	           full < width ? width - full - 1 : 0, "", (int)(part * 100));
}

// A digest is known by its beginning.
static void add_short(struct str *out, const char *item)
{
	const char *digest = item ? strstr(item, "sha256:") : NULL;
	const char *digits = digest ? digest + strlen("sha256:") : "";
	size_t n = strspn(digits, "0123456789abcdef");
	if (n < 2 * DIGEST_SHOWN) {
		output_clean(out, item ? item : "");
		return;
	}
	auto_free char *whole = alloc_printf("%.*s%.*s%s", (int)(digest - item), item, DIGEST_SHOWN,
	                                     digits, digits + n);
	output_clean(out, whole);
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

static void add_figures(struct str *rest, const struct engine_progress *e, int64_t elapsed_ns,
                        uint64_t from_bytes, int bar_width)
{
	if (e->total_bytes > 0)
		add_bar(rest, e->done_bytes, e->total_bytes, bar_width);
	else
		str_add(rest, " ");
	units_binary(rest, e->done_bytes);
	if (e->total_bytes > 0) {
		str_add(rest, " / ");
		units_binary(rest, e->total_bytes);
	}
	double seconds = (double)elapsed_ns / (double)SECOND;
	if (seconds < 0.5 || e->done_bytes <= from_bytes)
		return;
	double speed = (double)(e->done_bytes - from_bytes) / seconds;
	str_add(rest, ", ");
	units_binary(rest, (uint64_t)speed);
	str_add(rest, "/s");
	if (e->total_bytes > e->done_bytes)
		add_left(rest, (double)(e->total_bytes - e->done_bytes) / speed);
}

void progress_line(struct str *out, const struct engine_progress *e, int64_t elapsed_ns,
                   uint64_t from_bytes, size_t width)
{
	auto_str struct str name = STR_LIMIT(256), rest = STR_LIMIT(256);
	if (e->n_items > 1)
		str_printf(&name, "%zu/%zu ", e->item_i + 1, e->n_items);
	add_short(&name, e->item);
	add_figures(&rest, e, elapsed_ns, from_bytes, BAR_WIDTH);
	if (name.size + rest.size > width) {
		rest.size = 0;
		add_figures(&rest, e, elapsed_ns, from_bytes, BAR_WIDTH_NARROW);
	}
	// Then the name gives way: it is the long part, and the same all the time.
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

// The cursor stands behind the last bar.
static void add_clear(struct progress *p, struct str *out)
{
	if (!p->n_drawn)
		return;
	str_add_char(out, '\r');
	if (p->n_drawn > 1)
		str_printf(out, "\x1b[%zuA", p->n_drawn - 1);
	str_add(out, p->n_drawn > 1 ? "\x1b[J" : "\x1b[K");
	p->n_drawn = 0;
}

// --- interrupted --------------------------------------------------------------------------------

// Bars on the screen, at most: for a handler, which may come between any two steps of ours.
static volatile sig_atomic_t n_on_screen;

void progress_wipe(void)
{
	static const char up[] = "\x1b[A", clear[] = "\r\x1b[J";
	char text[PROGRESS_ITEMS * (sizeof(up) - 1) + sizeof(clear)];
	size_t size = 0;
	if (n_on_screen < 1)
		return;
	for (int i = 1; i < n_on_screen && i < PROGRESS_ITEMS; i++, size += sizeof(up) - 1)
		memcpy(text + size, up, sizeof(up) - 1);
	memcpy(text + size, clear, sizeof(clear) - 1);
	ignore(write(STDERR_FILENO, text, size + sizeof(clear) - 1)); // or it stays as it is
}

static void wipe_and_die(int number)
{
	progress_wipe();
	signal(number, SIG_DFL);
	raise(number);
}

// Only signals that would end us anyway.
static void wipe_when_interrupted(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const struct sigaction wipe = {.sa_handler = wipe_and_die};
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
		struct sigaction before;
		if (!sigaction(signals[i], NULL, &before) && before.sa_handler == SIG_DFL)
			ignore(sigaction(signals[i], &wipe, NULL)); // no such signal: nothing to do
	}
}

static void put(const struct str *text, size_t n_before, size_t n_after)
{
	n_on_screen = (sig_atomic_t)(n_before > n_after ? n_before : n_after);
	fwrite(text->bytes, 1, text->size, stderr);
	n_on_screen = (sig_atomic_t)n_after;
}

void progress_clear(struct progress *p)
{
	auto_str struct str out = STR_LIMIT(64);
	size_t before = p->n_drawn;
	add_clear(p, &out);
	if (out.size)
		put(&out, before, 0);
}

// --- steps --------------------------------------------------------------------------------------

static void add_finished(struct str *out, const struct progress *p, const struct engine_progress *e,
                         int64_t elapsed_ns)
{
	if (p->bar)
		add_short(out, e->item);
	else
		output_clean(out, e->item ? e->item : "");
	str_add(out, ": done, ");
	units_binary(out, e->done_bytes);
	str_printf(out, " in %.1f s\n", (double)elapsed_ns / (double)SECOND);
}

static bool is_item(const struct progress_item *i, const struct engine_progress *e)
{
	return i->item_i == e->item_i &&
	       !strncmp(i->name, e->item ? e->item : "", sizeof(i->name) - 1);
}

// Where the item stands in the list; at its end if it is new. Too many: the oldest goes.
static struct progress_item *find_item(struct progress *p, const struct engine_progress *e,
                                       int64_t now_ns)
{
	for (size_t i = 0; i < p->n_items; i++)
		if (is_item(&p->items[i], e))
			return &p->items[i];
	if (p->n_items == PROGRESS_ITEMS)
		memmove(p->items, p->items + 1, --p->n_items * sizeof(*p->items));
	struct progress_item *item = &p->items[p->n_items++];
	*item = (struct progress_item){.item_i = e->item_i, .begun_ns = now_ns};
	snprintf(item->name, sizeof(item->name), "%s", e->item ? e->item : "");
	return item;
}

static void remove_item(struct progress *p, struct progress_item *item)
{
	p->told[p->n_told++ % PROGRESS_ITEMS] = *item;
	size_t behind = (size_t)(p->items + p->n_items - (item + 1));
	memmove(item, item + 1, behind * sizeof(*item));
	p->n_items--;
}

static bool is_told(const struct progress *p, const struct engine_progress *e)
{
	size_t n = p->n_told < PROGRESS_ITEMS ? p->n_told : PROGRESS_ITEMS;
	for (size_t i = 0; i < n; i++)
		if (is_item(&p->told[i], e))
			return true;
	return false;
}

// Items that nobody speaks of any more are left out.
static void draw(struct progress *p, int64_t now_ns, size_t width, struct str *out)
{
	size_t n = p->n_drawn, drawn = 0;
	str_add_char(out, '\r');
	if (n > 1)
		str_printf(out, "\x1b[%zuA", n - 1);
	for (size_t i = 0; i < p->n_items; i++) {
		const struct progress_item *item = &p->items[i];
		if (now_ns - item->seen_ns > 2 * SECOND)
			continue;
		const struct engine_progress e = {.item = item->name,
		                                  .item_i = item->item_i,
		                                  .n_items = item->n_items,
		                                  .done_bytes = item->done_bytes,
		                                  .total_bytes = item->total_bytes};
		str_add(out, drawn++ ? "\n" : "");
		progress_line(out, &e, now_ns - item->mark_ns, item->mark_bytes, width);
		str_add(out, "\x1b[K");
	}
	str_add(out, drawn < n ? "\x1b[J" : "");
	p->n_drawn = drawn;
	p->drawn_ns = now_ns;
}

void progress_step(struct progress *p, const struct engine_progress *e, int64_t now_ns,
                   size_t width, struct str *out)
{
	if (p->begun_ns == 0)
		p->begun_ns = now_ns;
	bool finished = e->finished || (e->total_bytes > 0 && e->done_bytes >= e->total_bytes);
	bool is_quick = now_ns - p->begun_ns < SECOND;
	if (finished && is_told(p, e))
		return;
	struct progress_item *item = find_item(p, e, now_ns);
	item->n_items = e->n_items;
	item->done_bytes = e->done_bytes;
	item->total_bytes = e->total_bytes;
	item->seen_ns = now_ns;
	if (now_ns - item->begun_ns < SECOND / 2) {
		item->mark_ns = now_ns;
		item->mark_bytes = e->done_bytes;
	}
	if (finished && !is_quick) {
		add_clear(p, out);
		add_finished(out, p, e, now_ns - item->begun_ns);
	}
	if (finished)
		remove_item(p, item);
	else if (p->bar && !is_quick && now_ns - p->drawn_ns >= REDRAW)
		draw(p, now_ns, width, out);
}

void progress_update(struct progress *p, const struct engine_progress *e)
{
	auto_str struct str text = STR_LIMIT(16384);
	size_t before = p->n_drawn;
	progress_step(p, e, monotonic_ns(), p->bar ? screen_width() : 0, &text);
	if (p->n_drawn && !p->is_watched) {
		wipe_when_interrupted();
		p->is_watched = true;
	}
	if (text.size > 0)
		put(&text, before, p->n_drawn);
}
