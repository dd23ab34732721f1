// SPDX-License-Identifier: Apache-2.0
// pid 1 of a Windows container. In order: the server, Wine with start.exe, wait, the server's end.
//
// 1. Nothing here allocates or is told anything but by BOOT_PARAMETERS.
// 2. Wine's own variables are the whole Unix environment of Wine: what the image or the user asks
//    for reaches the program by start.exe alone (WINEPREFIX or LD_PRELOAD of an image can't get
//    here).
// 3. No Wine process is ever sent SIGQUIT: it would end a thread, not the process.
#include "boot/protocol.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SERVER "/usr/lib/wine/wineserver64"
#define LOADER "/usr/lib/wine/wine64"
// Of the template (windows/template.c says why). What Wine itself starts it starts by this, too.
#define PRELOADER LOADER "-preloader"

static char *const environment[] = {
	"WINEPREFIX=" BOOT_PREFIX,
	"WINESERVER=" SERVER,
	"WINEDEBUG=-all",
	"HOME=/",
	"PATH=/usr/lib/wine",
	"LC_ALL=C.UTF-8",
	"TZ=UTC0",
	"WINELOADERNOEXEC=1", // it would execute itself again, by its preloader
	NULL,
};

static int fail(const char *what)
{
	dprintf(2, "coracle-boot: %s: %s\n", what, strerror(errno));
	return BOOT_EXIT_FAILED;
}

static int read_parameters(struct boot_parameters *ret)
{
	int fd = open(BOOT_PARAMETERS, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ssize_t n = read(fd, ret, sizeof(*ret));
	close(fd);
	if (n == (ssize_t)sizeof(*ret) && ret->magic == BOOT_MAGIC)
		return 0;
	errno = EINVAL;
	return -1;
}

// Starting is slower by far when the scheduler puts server and client on two processors of an idle
// machine: each of their hundreds of messages wakes the other one. So all of it happens on one.
// The program's process hears from Wine that it may use all processors (start.exe sees to it), and
// so do its other threads; its first one is held here until it has had the time to start.
static struct {
	cpu_set_t before, one;
	bool is_on;
} pinned;

enum { CHILDREN = 8 }; // the program's pid is among so many behind start.exe's

static void pin(void)
{
	int here = sched_getcpu();
	if (here < 0 || sched_getaffinity(0, sizeof(pinned.before), &pinned.before) < 0)
		return;
	CPU_ZERO(&pinned.one);
	CPU_SET((unsigned)here, &pinned.one);
	pinned.is_on = !sched_setaffinity(0, sizeof(pinned.one), &pinned.one);
}

// A byte in it is a SIGIO to us. Without it the program goes where it likes from the beginning.
static void listen_to_start(void)
{
	if (mkfifo(BOOT_CREATED, 0600) < 0)
		return;
	int fd = open(BOOT_CREATED, O_RDWR | O_NONBLOCK | O_CLOEXEC); // for our life
	if (fd >= 0 && !fcntl(fd, F_SETOWN, getpid()))
		fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK | O_ASYNC);
}

static void pin_program(pid_t start)
{
	for (pid_t pid = start + 1; pinned.is_on && pid <= start + CHILDREN; pid++)
		sched_setaffinity(pid, sizeof(pinned.one), &pinned.one);
}

static pid_t start(char *const *argv, const sigset_t *mask)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	sigprocmask(SIG_SETMASK, mask, NULL);
	execve(argv[0], argv, environment);
	_exit(fail(argv[0]));
}

// The server forks, and its parent returns when the socket takes clients. What it has forked is our
// child by then, and has the next pid: nobody else is here to fork.
static int start_server(const sigset_t *mask, pid_t *ret)
{
	char *const argv[] = {SERVER, "-p", NULL};
	int status;
	pid_t pid = start(argv, mask);
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	errno = EIO;
	*ret = pid + 1;
	return WIFEXITED(status) && !WEXITSTATUS(status) && !waitpid(*ret, NULL, WNOHANG) ? 0 : -1;
}

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Once the program has started, or has had the time to.
static void unpin(pid_t start)
{
	cpu_set_t now;
	for (pid_t pid = 1; pinned.is_on && pid <= start + CHILDREN; pid++)
		if (sched_getaffinity(pid, sizeof(now), &now) == 0 && CPU_EQUAL(&now, &pinned.one))
			sched_setaffinity(pid, sizeof(pinned.before), &pinned.before);
	pinned.is_on = false;
	unlink(BOOT_CREATED);
}

// Reaps until `pid` has ended. A signal to us ends it: who sends one wants the container gone. So
// does the end of the server: whoever has asked it something waits for ever.
static int wait_for(pid_t pid, pid_t server, const sigset_t *signals)
{
	const struct timespec started = {.tv_nsec = 200 * 1000 * 1000};
	const struct timespec *timeout = &started;
	int asked = 0;
	for (;;) {
		int status;
		pid_t gone = waitpid(-1, &status, WNOHANG);
		if (gone == pid)
			return asked ? 128 + asked : code_of(status);
		if (gone == server) {
			// Whoever ended it may have ended the program, too.
			if (waitpid(pid, &status, WNOHANG) == pid)
				return asked ? 128 + asked : code_of(status);
			if (asked)
				return 128 + asked;
			dprintf(2, "coracle-boot: Wine's server has ended\n");
			return BOOT_EXIT_FAILED;
		}
		if (gone > 0)
			continue;
		if (gone < 0 && errno == ECHILD)
			return BOOT_EXIT_FAILED;
		int number =
			timeout ? sigtimedwait(signals, NULL, timeout) : sigwaitinfo(signals, NULL);
		if (number < 0 && errno == EAGAIN) {
			unpin(pid);
			timeout = NULL;
		} else if (number == SIGIO) {
			pin_program(pid);
		} else if (number > 0 && number != SIGCHLD && !asked) {
			asked = number;
			kill(pid, SIGKILL);
		}
	}
}

// start.exe's 32-bit code, if it left one, to the monitor. `code` is what it ended with.
static void tell_whole_code(int code, int fd)
{
	uint32_t whole;
	int file = open(BOOT_CODE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (file < 0)
		return;
	ssize_t n = read(file, &whole, sizeof(whole));
	close(file);
	uint64_t told = (uint64_t)whole + 1;
	if (n == (ssize_t)sizeof(whole) && boot_exit_code(whole) == code &&
	    write(fd, &told, sizeof(told)) < 0)
		dprintf(2, "coracle-boot: exit code: %s\n", strerror(errno));
}

static int code_descriptor(void)
{
	const char *text = getenv(BOOT_CODE_VARIABLE);
	int fd = text ? (int)strtol(text, NULL, 10) : -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
}

// Everybody goes; the server saves the registry first if somebody will read it.
static void end_all(int number, const sigset_t *signals)
{
	const struct timespec second = {.tv_sec = 1};
	kill(-1, number);
	for (int seconds = 0;;) {
		pid_t gone = waitpid(-1, NULL, WNOHANG);
		if (gone < 0 && errno == ECHILD)
			return;
		if (gone > 0)
			continue;
		if (sigtimedwait(signals, NULL, &second) < 0 && errno == EAGAIN && ++seconds == 5)
			kill(-1, SIGKILL);
	}
}

int main(void)
{
	struct boot_parameters parameters;
	sigset_t signals, before;
	sigemptyset(&signals);
	static const int wanted[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGIO};
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		sigaddset(&signals, wanted[i]);
	// Blocked, so that the kernel keeps them for us: pid 1 has no default actions.
	sigprocmask(SIG_BLOCK, &signals, &before);
	int code_fd = code_descriptor();
	if (read_parameters(&parameters) < 0)
		return fail(BOOT_PARAMETERS);
	umask(022);
	// Wine wants its drive as working directory: anything else is a message on standard error.
	if (chdir(BOOT_DRIVE) < 0)
		return fail(BOOT_DRIVE);
	pin();
	listen_to_start();
	pid_t server = -1;
	if (start_server(&before, &server) < 0)
		return fail(SERVER);
	char *const argv[] = {PRELOADER, LOADER, BOOT_START, NULL};
	pid_t program = start(argv, &before);
	if (program < 0)
		return fail(LOADER);
	int code = wait_for(program, server, &signals);
	tell_whole_code(code, code_fd);
	bool saves = parameters.flags & BOOT_KEEP_REGISTRY && kill(server, 0) == 0;
	end_all(saves ? SIGTERM : SIGKILL, &signals);
	return code;
}
