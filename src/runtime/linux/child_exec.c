// SPDX-License-Identifier: Apache-2.0
// The process itself: working directory, HOME, limits, which file to execute.
#include "runtime/linux/child.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { PASSWD_LIMIT = 1 << 20 };

int child_make_cwd(struct child *c)
{
	auto_fd int made = -1;
	return child_make_target(c->root, c->plan->cwd, false, false, &made);
}

int child_cwd(struct child *c)
{
	auto_fd int fd = -1;
	int sys = child_open(c->root, c->plan->cwd, O_PATH | O_DIRECTORY, 0, &fd);
	if (sys)
		return sys;
	if (fchdir(fd) < 0)
		return errno;
	// A working directory outside of the root would be a way out (CVE-2024-21626). The kernel
	// says so itself: "(unreachable)/…".
	char where[4096];
	if (syscall(SYS_getcwd, where, sizeof where) < 0)
		return errno;
	return where[0] == '/' ? 0 : EXDEV;
}

// ---- HOME ---------------------------------------------------------------------------------------

struct passwd_line { // a line of /etc/passwd, a byte at a time
	uint64_t uid;
	unsigned field;
	bool has_uid, is_bad;
	size_t n_home;
};

// True at the end of the line that is wanted.
static bool take_byte(struct passwd_line *l, char byte, uid_t wanted, char *home, size_t size)
{
	if (byte == '\n') {
		bool found = l->field >= 5 && l->has_uid && !l->is_bad && l->uid == wanted;
		if (found)
			home[l->n_home] = 0;
		else
			*l = (struct passwd_line){0};
		return found;
	}
	if (byte == ':') {
		l->field++;
		return false;
	}
	if (l->field == 2) {
		l->is_bad |= byte < '0' || byte > '9' || l->uid > UINT32_MAX;
		l->has_uid = true;
		l->uid = l->uid * 10 + (uint64_t)(byte - '0');
	} else if (l->field == 5) {
		if (l->n_home + 1 < size)
			home[l->n_home++] = byte;
		else
			l->is_bad = true;
	}
	return false;
}

// The user's home by the image's passwd. What isn't a regular file there, or isn't understood, is
// as if it weren't there: foreign input can't stop a start, let alone a FIFO.
static bool find_home(int root, uid_t uid, char *home, size_t size)
{
	auto_fd int fd = -1;
	struct stat st;
	if (child_open(root, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd) ||
	    fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	struct passwd_line line = {0};
	char bytes[4096];
	for (size_t total = 0; total < PASSWD_LIMIT;) {
		ssize_t n = read(fd, bytes, sizeof bytes);
		if (n <= 0) // the last line may lack its end
			return n == 0 && take_byte(&line, '\n', uid, home, size);
		for (ssize_t i = 0; i < n; i++) {
			if (take_byte(&line, bytes[i], uid, home, size))
				return true;
		}
		total += (size_t)n;
	}
	return false;
}

int child_home(struct child *c)
{
	if (c->plan->has_home)
		return 0;
	memcpy(c->home, "HOME=/", sizeof "HOME=/");
	char found[sizeof c->home - 5];
	if (find_home(c->root, c->plan->uid, found, sizeof found) && found[0])
		memcpy(c->home + 5, found, strlen(found) + 1);
	c->plan->env[c->plan->n_env] = c->home;
	return 0;
}

// ---- Limits, program ----------------------------------------------------------------------------

int child_rlimits(struct child *c)
{
	for (size_t i = 0; i < c->plan->n_rlimits; i++) {
		const struct plan_rlimit *l = &c->plan->rlimits[i];
		c->index = (int)i;
		int resource = l->resource;
		if (setrlimit((__rlimit_resource_t)resource, &l->value) == 0)
			continue;
		struct rlimit have;
		if (errno != EPERM || !l->is_default ||
		    getrlimit((__rlimit_resource_t)resource, &have) < 0)
			return errno;
		have.rlim_cur =
			l->value.rlim_cur < have.rlim_max ? l->value.rlim_cur : have.rlim_max;
		if (setrlimit((__rlimit_resource_t)resource, &have) < 0)
			return errno;
	}
	return 0;
}

// In the container, as its user, by the spec's PATH. What can't be executed doesn't end the search,
// but is what is reported if nothing better comes.
int child_find_program(struct child *c)
{
	int best = ENOENT;
	for (size_t i = 0; i < c->plan->n_candidates; i++) {
		const char *candidate = c->plan->candidates[i];
		struct stat st;
		c->index = (int)i;
		if (stat(candidate, &st) < 0) {
			if (errno != ENOENT && errno != ENOTDIR)
				best = errno;
			continue;
		}
		if (S_ISREG(st.st_mode) && faccessat(AT_FDCWD, candidate, X_OK, AT_EACCESS) == 0) {
			c->program = candidate;
			return 0;
		}
		best = EACCES;
	}
	return best;
}
