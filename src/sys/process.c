// SPDX-License-Identifier: Apache-2.0
#include "sys/process.h"
#include "base/text.h"
#include "sys/fd.h"
#include "sys/path.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

fallible boot_id(char ret[BOOT_ID_SIZE])
{
	auto_free char *text = NULL;
	size_t size;
	TRY(file_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 128, &text, &size));
	if (size < BOOT_ID_SIZE - 1)
		return error_new(ERROR_SYSTEM, "/proc/sys/kernel/random/boot_id: \"%s\"", text);
	memcpy(ret, text, BOOT_ID_SIZE - 1);
	ret[BOOT_ID_SIZE - 1] = 0;
	return NULL;
}

// proc(5): the second field is the name in parentheses and may itself hold blanks and parentheses,
// so fields are counted behind the last one. State is field 3, the start time field 22.
static fallible read_stat(pid_t pid, char *ret_state, uint64_t *ret_start_time)
{
	auto_free char *path = alloc_printf("/proc/%d/stat", (int)pid), *text = NULL;
	struct error *e = file_read(AT_FDCWD, path, 4096, &text, NULL);
	if (e && e->sys == ESRCH)
		error_recode(e, ERROR_NOT_FOUND);
	TRY(e);
	char *field = strrchr(text, ')');
	if (!field || field[1] != ' ' || !field[2])
		return error_new(ERROR_SYSTEM, "%s: not understood", path);
	*ret_state = field[2];
	field += 2;
	for (int i = 3; i < 22 && field; i++) {
		field = strchr(field, ' ');
		field = field ? field + 1 : NULL;
	}
	char *end = field ? strchr(field, ' ') : NULL;
	if (!end)
		return error_new(ERROR_SYSTEM, "%s: not understood", path);
	*end = 0;
	return error_prefix(text_parse_u64(field, 10, UINT64_MAX, ret_start_time), "%s", path);
}

fallible process_start_time(pid_t pid, uint64_t *ret)
{
	char state;
	return read_stat(pid, &state, ret);
}

bool process_is_alive(pid_t pid, uint64_t start_time)
{
	char state;
	uint64_t start;
	auto_error struct error *e = pid > 0 ? read_stat(pid, &state, &start) : NULL;
	return pid > 0 && !e && start == start_time && state != 'Z' && state != 'X';
}

fallible process_open(pid_t pid, uint64_t start_time, int *ret)
{
	auto_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno != ESRCH)
		FAIL_ERRNO("pidfd_open %d", (int)pid);
	// Looked at after opening: now the pid can't pass to another process unnoticed.
	if (fd < 0 || !process_is_alive(pid, start_time))
		return error_new(ERROR_NOT_FOUND, "process %d has ended", (int)pid);
	*ret = fd_take(&fd);
	return NULL;
}

static void random_bytes(void *bytes, size_t size)
{
	// Up to 256 bytes come whole (getrandom(2)), once the kernel has its seed.
	while (getrandom(bytes, size, 0) != (ssize_t)size)
		if (errno != EINTR)
			abort();
}

uint64_t random_u64(void)
{
	uint64_t value = 0;
	while (!value)
		random_bytes(&value, sizeof(value));
	return value;
}

void random_guid(char ret[37])
{
	unsigned char b[16];
	random_bytes(b, sizeof(b));
	b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
	b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
	static const char hex[] = "0123456789abcdef";
	char *out = ret;
	for (int i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*out++ = '-';
		*out++ = hex[b[i] >> 4];
		*out++ = hex[b[i] & 15];
	}
	*out = 0;
}

// Ends by exec or _exit.
static void __attribute__((noreturn))
run_child(const char *const *argv, const char *const *environment, const int stdio[3])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int from[3];
	for (int i = 0; i < 3; i++) {
		int fd = !stdio ? i : stdio[i] >= 0 ? stdio[i] : null;
		from[i] = fcntl(fd, F_DUPFD_CLOEXEC, 3); // none of 0–2 may be overwritten too early
	}
	for (int i = 0; i < 3; i++)
		if (from[i] < 0 || dup2(from[i], i) < 0)
			_exit(126);
	syscall(SYS_close_range, 3, ~0U, 0);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	extern char **environ;
	execve(argv[0], (char *const *)(uintptr_t)argv,
	       environment ? (char *const *)(uintptr_t)environment : environ);
	_exit(errno == ENOENT ? 127 : 126);
}

fallible process_run(const char *const *argv, const char *const *environment, const int stdio[3],
                     int *ret_status)
{
	pid_t pid = fork();
	if (pid < 0)
		FAIL_ERRNO("fork for %s", argv[0]);
	if (!pid)
		run_child(argv, environment, stdio);
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("wait for %s", argv[0]);
	*ret_status = status;
	return NULL;
}

fallible process_libexec(char **ret)
{
	const char *given = getenv("CORACLE_LIBEXEC");
	if (given && *given) {
		*ret = alloc_string(given);
		return NULL;
	}
	auto_fd int self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	if (self < 0)
		FAIL_ERRNO("open /proc/self/exe");
	auto_free char *dir = NULL;
	TRY(path_of_fd(self, &dir));
	char *slash = strrchr(dir, '/');
	if (slash)
		*slash = 0;
	auto_free char *beside = alloc_printf("%s/coracle-shim", dir);
	*ret = access(beside, X_OK) == 0 ? alloc_string(dir)
	                                 : alloc_printf("%s/../libexec/coracle", dir);
	return NULL;
}
