// SPDX-License-Identifier: Apache-2.0
// Where the output of a detached container goes, and reading it back: shim/log.h has the format.
// The files are our monitor's, but what stands in them came from a container: entries that aren't
// what the monitor writes are passed over.
#include "engine/life.h"
#include "engine/log_entry.h"
#include "engine/logger.h"
#include "engine/run.h"
#include "sys/path.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILES_MAX = 9, // of one log
	USUAL_FILES = 3,
	USUAL_SIZE = 10 << 20,
	SMALLEST_SIZE = 4 << 10,
	BUFFER_SIZE = 256 << 10, // holds the longest entry
};

// --- Where it goes

static fallible open_log_file(const char *path, int *ret)
{
	const char *slash = strrchr(path, '/');
	if (*path != '/' || !slash[1])
		return error_new(ERROR_INVALID,
		                 "log URI file://%s: not the absolute path of a file", path);
	auto_free char *folder = alloc_bytes(path, (size_t)(slash - path) + (slash == path));
	auto_fd int dir = -1;
	TRY_AS(path_make_dirs(folder, 0755, &dir), "log %s", path);
	// A FIFO that nobody reads is an error, not a wait without end.
	auto_fd int fd = openat(dir, slash + 1,
	                        O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_CLOEXEC, 0644);
	if (fd < 0)
		FAIL_ERRNO("log %s", path);
	if (fcntl(fd, F_SETFL, O_APPEND) < 0)
		FAIL_ERRNO("log %s", path);
	*ret = fd_take(&fd);
	return NULL;
}

fallible run_open_log(const struct engine_run *r, struct runtime_log *ret, int *ret_fd)
{
	*ret = (struct runtime_log){.fd = -1};
	uint64_t size = r->log_size_bytes ? r->log_size_bytes : USUAL_SIZE;
	unsigned files = r->log_files ? r->log_files : USUAL_FILES;
	if (size < SMALLEST_SIZE || files > FILES_MAX)
		return error_new(ERROR_USAGE,
		                 "a log has 1 to %d files of %d bytes and more, not %u of %llu",
		                 FILES_MAX, SMALLEST_SIZE, files, (unsigned long long)size);
	if (r->null_io)
		return NULL;
	const char *uri = r->log_uri;
	if (uri && text_starts(uri, "file://")) {
		TRY(open_log_file(uri + strlen("file://"), ret_fd));
		ret->kind = RUNTIME_LOG_FILE;
		ret->fd = *ret_fd;
	} else if (uri && !logger_is_meant(uri)) {
		return error_new(ERROR_INVALID, "unknown STDIO scheme %.*s", (int)strcspn(uri, ":"),
		                 uri);
	} else if (r->detach && !uri) {
		*ret = (struct runtime_log){
			.kind = RUNTIME_LOG_KEPT, .size_bytes = size, .n_files = files, .fd = -1};
	}
	return NULL;
}

// --- Entries

struct reader {
	const struct engine_logs *request;
	int dirfd, fd;    // the folder, and the file that is read; -1: none
	bool is_over;     // whoever reads wants no more
	uint64_t skipped; // entries still to be passed over
	size_t begin, end;
	char *buffer; // [BUFFER_SIZE]
	struct log_entry *entry;
};

static void show(struct reader *r, const char *p, const char *end)
{
	struct log_entry *entry = r->entry;
	if (!log_entry_decode(p, end, entry))
		return;
	if (r->request->since_ns && log_entry_ns(entry) < r->request->since_ns)
		return;
	const struct engine_log_line line = {entry->text, entry->size, entry->time,
	                                     entry->is_error};
	r->is_over = !r->request->line(r->request->context, &line);
}

// Shows what the file has got since the last time.
static fallible read_on(struct reader *r)
{
	while (r->fd >= 0 && !r->is_over) {
		ssize_t n = read(r->fd, r->buffer + r->end, BUFFER_SIZE - r->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("log");
		if (n == 0)
			break;
		r->end += (size_t)n;
		char *line_end;
		while (!r->is_over &&
		       (line_end = memchr(r->buffer + r->begin, '\n', r->end - r->begin))) {
			if (r->skipped)
				r->skipped--;
			else
				show(r, r->buffer + r->begin, line_end);
			r->begin = (size_t)(line_end - r->buffer) + 1;
		}
		memmove(r->buffer, r->buffer + r->begin, r->end - r->begin);
		r->end -= r->begin;
		r->begin = 0;
		if (r->end == BUFFER_SIZE) // no entry of the monitor's
			r->end = 0;
	}
	return NULL;
}

// --- Files

static void name_file(char name[8], unsigned i)
{
	snprintf(name, 8, i ? "log.%u" : "log", i);
}

static int open_file(int dirfd, unsigned i)
{
	char name[8];
	name_file(name, i);
	return openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_same_file(int a, int b)
{
	struct stat x, y;
	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino &&
	       x.st_dev == y.st_dev;
}

struct log_files { // the newest first
	int fds[FILES_MAX];
	unsigned n;
};

static void files_done(struct log_files *f)
{
	while (f->n)
		close(f->fds[--f->n]);
}

// Opened from the newest: one that is renamed meanwhile is met twice, never missed.
static void open_files(int dirfd, struct log_files *ret)
{
	for (unsigned i = 0; i < FILES_MAX; i++) {
		int fd = open_file(dirfd, i);
		if (fd >= 0 && ret->n && is_same_file(fd, ret->fds[ret->n - 1]))
			close(fd);
		else if (fd >= 0)
			ret->fds[ret->n++] = fd;
	}
}

static uint64_t count_lines(const struct log_files *files, char *buffer)
{
	uint64_t lines = 0;
	for (unsigned i = 0; i < files->n; i++) {
		ssize_t n;
		while ((n = read(files->fds[i], buffer, BUFFER_SIZE)) > 0) {
			for (const char *p = buffer;
			     (p = memchr(p, '\n', (size_t)(buffer + n - p))); p++)
				lines++;
		}
		lseek(files->fds[i], 0, SEEK_SET);
	}
	return lines;
}

static fallible read_files(struct reader *r, struct log_files *files)
{
	if (r->request->tail >= 0) {
		uint64_t lines = count_lines(files, r->buffer);
		uint64_t wanted = (uint64_t)r->request->tail;
		r->skipped = lines > wanted ? lines - wanted : 0;
	}
	while (files->n) {
		fd_cleanup_(&r->fd);
		r->fd = files->fds[--files->n];
		r->end = 0;
		TRY(read_on(r));
	}
	return NULL;
}

// The file that was read may have been renamed since: then the next newer one is next. Only now
// nothing is written to the old one any more: what came since we met its end, all of it perhaps, is
// read first.
static fallible next_file(struct reader *r, bool *ret_is_next)
{
	*ret_is_next = false;
	auto_fd int newer = -1;
	for (unsigned i = 0; i < FILES_MAX; i++) {
		auto_fd int fd = open_file(r->dirfd, i);
		if (fd < 0)
			break;
		if (r->fd >= 0 && is_same_file(fd, r->fd))
			break;
		fd_cleanup_(&newer);
		newer = fd_take(&fd);
	}
	if (newer < 0)
		return NULL;
	if (r->fd >= 0)
		TRY(read_on(r));
	fd_cleanup_(&r->fd);
	r->fd = fd_take(&newer);
	r->end = 0;
	*ret_is_next = true;
	return NULL;
}

static fallible read_news(struct reader *r)
{
	for (bool is_next = true; is_next && !r->is_over;) {
		TRY(read_on(r));
		if (!r->is_over)
			TRY(next_file(r, &is_next));
	}
	return NULL;
}

// Until the container's end; then what it has said is in the log, also if the folder is gone.
static fallible follow(struct reader *r, int inotify, struct runtime_task *task)
{
	int ended = -1;
	struct error *gone = task ? runtime_watch(task, &ended) : NULL;
	if (!error_is(gone, ERROR_NOT_FOUND))
		TRY(gone);
	error_drop(&gone); // it ends this very moment
	for (;;) {
		TRY(read_news(r));
		if (ended < 0 || r->is_over)
			return NULL;
		struct pollfd p[] = {
			{inotify, POLLIN, 0}, {ended, POLLIN, 0}, {STDOUT_FILENO, 0, 0}};
		if (poll(p, r->request->stops_with_output ? 3 : 2, -1) < 0 && errno != EINTR)
			FAIL_ERRNO("log");
		if (p[2].revents & POLLERR) // `| head`: nobody reads any more
			return NULL;
		char events[4096];
		while (read(inotify, events, sizeof events) > 0)
			;
		if (p[1].revents)
			return read_news(r);
	}
}

static fallible open_task(struct engine *e, const char *id, struct life *life, int *ret_dirfd)
{
	TRY(life_of_task(e, id, life));
	if (*life->task->log_uri)
		return error_new(ERROR_NOT_FOUND, "container \"%s\": its output goes to %s", id,
		                 life->task->log_uri);
	return store_open_state_dir(e->store, e->ns, id, ret_dirfd);
}

fallible engine_logs(struct engine *e, const struct engine_logs *request)
{
	defer(life_forget) struct life life = {0};
	auto_fd int dirfd = -1;
	TRY(open_task(e, request->id, &life, &dirfd));
	auto_fd int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	auto_free char *path = alloc_printf("/proc/self/fd/%d", dirfd);
	if (inotify < 0 || inotify_add_watch(inotify, path, IN_MODIFY | IN_CREATE) < 0)
		FAIL_ERRNO("log of %s", request->id);
	auto_free char *buffer = alloc(BUFFER_SIZE);
	auto_free struct log_entry *entry = alloc(sizeof *entry);
	struct reader r = {
		.request = request, .dirfd = dirfd, .fd = -1, .buffer = buffer, .entry = entry};
	defer(files_done) struct log_files files = {0};
	open_files(dirfd, &files);
	if (!files.n && !life.task->detached && !life.task->terminal)
		return error_hint(error_new(ERROR_NOT_FOUND,
		                            "container \"%s\" has no log: its output went to "
		                            "the command that started it",
		                            request->id),
		                  "run -d keeps one");
	struct error *error = read_files(&r, &files);
	if (!error && request->follow)
		error = follow(&r, inotify, life.monitor);
	fd_cleanup_(&r.fd);
	return error;
}
