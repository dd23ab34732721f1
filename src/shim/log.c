// SPDX-License-Identifier: Apache-2.0
#include "shim/log.h"
#include "base/defer.h"
#include "shim/protocol.h"
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_SIZE = 128,                          // what stands around the text of a line
	ENTRY_MAX = 6 * LOG_LINE_MAX + FRAME_SIZE, // every byte a \u00XX
	BATCH_FULL = 32 << 10, // written from here on: pages that stay untouched cost nothing
	BATCH_SIZE = BATCH_FULL + ENTRY_MAX,
	NOTE_MAX = FRAME_SIZE + 160,
	RESERVE = 8 << 20, // twice what SQLite's log grows to between checkpoints
};

static struct log {
	int dirfd, fd; // fd -1: none is open
	uint64_t cap, size;
	unsigned n_files;
	uint64_t n_lost; // lines, since the last that went out
	int why;         // errno of the last loss
	char time[40];
	struct line { // the beginning of a line whose end hasn't come
		size_t size;
		char bytes[LOG_LINE_MAX];
	} lines[LOG_STREAMS];
	size_t used, n_lines; // of the batch: entries that are not in the file yet
	char batch[BATCH_SIZE];
} l = {.dirfd = -1, .fd = -1};

static const char *const streams[LOG_STREAMS] = {"stdout", "stderr"};

// ---- Files --------------------------------------------------------------------------------------

static void name_file(char name[8], unsigned i)
{
	memcpy(name, LOG_NAME, sizeof LOG_NAME);
	if (i) {
		name[3] = '.';
		name[4] = (char)('0' + i);
		name[5] = 0;
	}
}

static void rotate(void)
{
	char from[8], to[8];
	if (l.n_files == 1)
		ignore(unlinkat(l.dirfd, LOG_NAME, 0));
	for (unsigned i = l.n_files - 1; i > 0; i--) {
		name_file(from, i - 1);
		name_file(to, i);
		ignore(renameat(l.dirfd, from, l.dirfd, to)); // the first times there is none
	}
	close(l.fd);
	l.fd = -1;
}

static bool is_open(void)
{
	if (l.fd < 0) {
		l.fd = openat(l.dirfd, LOG_NAME,
		              O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
		off_t end = l.fd < 0 ? 0 : lseek(l.fd, 0, SEEK_END);
		l.size = end < 0 ? 0 : (uint64_t)end;
	}
	return l.fd >= 0;
}

// The file system is that of the database, without which nobody could even stop the container: the
// last eight megabytes, of a small one the second half, are never a log's.
static bool has_room(size_t size)
{
	struct statvfs fs;
	if (fstatvfs(l.fd, &fs) < 0)
		return true; // writing will say what is wrong
	uint64_t half = (uint64_t)fs.f_blocks * fs.f_frsize / 2;
	uint64_t reserve = half < RESERVE ? half : RESERVE;
	return (uint64_t)fs.f_bavail * fs.f_frsize >= reserve + size;
}

// All of it, or nothing.
static bool write_whole(const char *bytes, size_t size)
{
	ssize_t n = write(l.fd, bytes, size);
	if (n == (ssize_t)size) {
		l.size += size;
		return true;
	}
	l.why = n < 0 ? errno : ENOSPC;
	if (n > 0)
		ignore(ftruncate(l.fd, (off_t)l.size)); // else a line is cut: readers pass it over
	return false;
}

static char *add(char *to, const char *text)
{
	size_t size = strlen(text);
	memcpy(to, text, size);
	return to + size;
}

static char *add_number(char *to, uint64_t value, unsigned width)
{
	char digits[24];
	unsigned n = 0;
	do {
		digits[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value || n < width);
	while (n)
		*to++ = digits[--n];
	return to;
}

static char *add_frame(char *to, int stream)
{
	to = add(to, "\",\"stream\":\"");
	to = add(to, streams[stream]);
	to = add(to, "\",\"time\":\"");
	to = add(to, l.time);
	return add(to, "\"}\n");
}

static bool tell_losses(void)
{
	char note[NOTE_MAX], *end = add(note, "{\"log\":\"coracle: ");
	end = add_number(end, l.n_lost, 1);
	end = add(end, " lines lost: ");
	end = add(end, strerror(l.why));
	end = add_frame(add(end, "\\n"), 1);
	return write_whole(note, (size_t)(end - note));
}

static void flush(void)
{
	if (!l.n_lines)
		return;
	if (l.fd >= 0 && l.size && l.size + l.used > l.cap)
		rotate();
	bool is_written = is_open();
	if (!is_written || !has_room(NOTE_MAX + l.used)) {
		l.why = is_written ? ENOSPC : errno;
		is_written = false;
	}
	if (is_written && l.n_lost) {
		is_written = tell_losses();
		l.n_lost = is_written ? 0 : l.n_lost;
	}
	if (!is_written || !write_whole(l.batch, l.used))
		l.n_lost += l.n_lines;
	l.used = l.n_lines = 0;
}

// ---- Lines --------------------------------------------------------------------------------------

// The length of the UTF-8 character at `p`, 0 if it is none (RFC 3629: no surrogates, no overlong).
static size_t character(const unsigned char *p, size_t size)
{
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || n > size)
		return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return n;
}

static char *add_escaped(char *to, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char short_form = c == '\n'               ? 'n'
	                  : c == '\t'             ? 't'
	                  : c == '\r'             ? 'r'
	                  : c == '"' || c == '\\' ? (char)c
	                                          : 0;
	*to++ = '\\';
	if (short_form) {
		*to++ = short_form;
		return to;
	}
	to = add(to, "u00");
	*to++ = hex[c >> 4];
	*to++ = hex[c & 15];
	return to;
}

static char *add_text(char *to, const char *bytes, size_t size)
{
	const unsigned char *p = (const unsigned char *)bytes, *end = p + size;
	while (p < end) {
		if (*p >= 0x20 && *p < 0x7f && *p != '"' && *p != '\\') {
			*to++ = (char)*p++;
			continue;
		}
		if (*p < 0x80) {
			to = add_escaped(to, *p++);
			continue;
		}
		size_t n = character(p, (size_t)(end - p));
		if (!n) {
			to = add(to, "\\ufffd");
			p++;
			continue;
		}
		memcpy(to, p, n);
		to += n;
		p += n;
	}
	return to;
}

// One entry, of one or two parts (the beginning that was kept, and what came now).
static void put_line(int stream, const char *bytes, size_t size)
{
	struct line *kept = &l.lines[stream];
	size_t most = 6 * (kept->size + size) + FRAME_SIZE;
	uint64_t room = l.cap < BATCH_FULL ? l.cap : BATCH_FULL;
	if (l.used + most > room)
		flush();
	if (kept->size) { // in one piece, since a character may be divided between them
		memcpy(kept->bytes + kept->size, bytes, size);
		bytes = kept->bytes;
		size += kept->size;
	}
	char *to = add_text(add(l.batch + l.used, "{\"log\":\""), bytes, size);
	l.used = (size_t)(add_frame(to, stream) - l.batch);
	l.n_lines++;
	kept->size = 0;
}

// The current time by the calendar, once for all lines of one read.
static void note_time(void)
{
	struct timespec now;
	struct tm date;
	clock_gettime(CLOCK_REALTIME, &now);
	if (!gmtime_r(&now.tv_sec, &date)) // a clock beyond the year 2147483647
		date = (struct tm){.tm_year = 70, .tm_mday = 1};
	const struct {
		char before;
		int value;
	} parts[] = {{0, date.tm_year + 1900}, {'-', date.tm_mon + 1}, {'-', date.tm_mday},
	             {'T', date.tm_hour},      {':', date.tm_min},     {':', date.tm_sec}};
	char *to = l.time;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (i)
			*to++ = parts[i].before;
		to = add_number(to, (uint64_t)parts[i].value, i ? 2 : 4);
	}
	*to++ = '.';
	to = add_number(to, (uint64_t)now.tv_nsec, 9);
	*to++ = 'Z';
	*to = 0;
}

// Where a line of more than LOG_LINE_MAX is divided, of which `kept` has the beginning and `bytes`
// what follows: not inside of a character.
static size_t cut(const struct line *kept, const char *bytes)
{
	for (size_t at = LOG_LINE_MAX; at > LOG_LINE_MAX - 4; at--) {
		char c = at < kept->size ? kept->bytes[at] : bytes[at - kept->size];
		if ((c & 0xc0) != 0x80)
			return at;
	}
	return LOG_LINE_MAX; // these are no characters
}

// Puts one line of LOG_LINE_MAX or a little less; returns how many of `bytes` are in it.
static size_t put_full(int stream, const char *bytes)
{
	struct line *kept = &l.lines[stream];
	size_t at = cut(kept, bytes);
	if (at >= kept->size) {
		size_t taken = at - kept->size;
		put_line(stream, bytes, taken);
		return taken;
	}
	char begun[4]; // a character whose first bytes came before: it goes with the next line
	size_t n = kept->size - at;
	memcpy(begun, kept->bytes + at, n);
	kept->size = at;
	put_line(stream, "", 0);
	memcpy(kept->bytes, begun, n);
	kept->size = n;
	return 0;
}

void log_put(int stream, const char *bytes, size_t size)
{
	struct line *kept = &l.lines[stream];
	note_time();
	while (size) {
		size_t room = LOG_LINE_MAX - kept->size, seen = size < room ? size : room;
		const char *end = memchr(bytes, '\n', seen);
		if (!end && size <= room) { // no end yet, and there may be one
			memcpy(kept->bytes + kept->size, bytes, size);
			kept->size += size;
			break;
		}
		size_t taken = end ? (size_t)(end - bytes) + 1 : 0;
		if (end)
			put_line(stream, bytes, taken);
		else
			taken = put_full(stream, bytes);
		bytes += taken;
		size -= taken;
	}
	flush();
}

void log_end(int stream)
{
	if (!l.lines[stream].size)
		return;
	note_time();
	put_line(stream, "", 0);
	flush();
}

void log_begin(int dirfd, uint64_t size_bytes, unsigned n_files)
{
	l.dirfd = dirfd;
	l.cap = size_bytes;
	l.n_files = n_files < 1 ? 1 : n_files > LOG_FILES_MAX ? LOG_FILES_MAX : n_files;
}
