// SPDX-License-Identifier: Apache-2.0
// Tables by number. Pure: the numbers are Linux', whatever host compiles this.
#include "oci/names.h"
#include "oci/private.h"
#include <string.h>

// clang-format off
static const char *const capabilities[OCI_CAPABILITIES] = { // include/uapi/linux/capability.h
	"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID",
	"CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK",
	"CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE",
	"CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
	"CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL", "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG",
	"CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
};

static const char *const rlimits[OCI_RLIMITS] = { // include/uapi/asm-generic/resource.h
	"RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS",
	"RLIMIT_NPROC", "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS",
	"RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
};

static const char *const signals[] = { // signal(7), x86 and ARM
	NULL, "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE",
	"SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT",
	"SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGXCPU",
	"SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
};

static const struct {
	const char *name;
	int number;
} signal_aliases[] = {
	{ "SIGIOT", 6 }, { "SIGCLD", 17 }, { "SIGPOLL", 29 }, { "SIGUNUSED", 31 },
};
// clang-format on
_Static_assert(N(signals) == 32, "one name for each classic signal");

#define RTMIN 34 // glibc keeps 32 and 33 for itself
#define RTMAX OCI_SIGNAL_MAX

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 32) : c;
}

static bool equal_fold(const char *a, const char *b)
{
	while (*a && upper(*a) == upper(*b)) {
		a++;
		b++;
	}
	return upper(*a) == upper(*b);
}

static bool starts_fold(const char *text, const char *prefix)
{
	while (*prefix && upper(*text) == upper(*prefix)) {
		text++;
		prefix++;
	}
	return !*prefix;
}

int oci_capability_number(const char *name)
{
	size_t prefix = starts_fold(name, "CAP_") ? 0 : strlen("CAP_");
	for (int i = 0; i < OCI_CAPABILITIES; i++)
		if (equal_fold(name, capabilities[i] + prefix))
			return i;
	return -1;
}

const char *oci_capability_name(int number)
{
	return number >= 0 && number < OCI_CAPABILITIES ? capabilities[number] : NULL;
}

int oci_rlimit_number(const char *name)
{
	for (int i = 0; i < OCI_RLIMITS; i++)
		if (!strcmp(name, rlimits[i]))
			return i;
	return -1;
}

const char *oci_rlimit_name(int number)
{
	return number >= 0 && number < OCI_RLIMITS ? rlimits[number] : NULL;
}

static struct error *invalid_signal(const char *text)
{
	char shown[SHOWN];
	return error_new(ERROR_INVALID, "invalid signal: %s", show(text, shown));
}

// "RTMIN+n", "RTMAX-n"
static int real_time_signal(const char *name)
{
	static const struct {
		const char *name;
		int number;
		char sign;
	} ends[] = {{"RTMIN", RTMIN, '+'}, {"RTMAX", RTMAX, '-'}};
	for (size_t i = 0; i < N(ends); i++) {
		if (!starts_fold(name, ends[i].name))
			continue;
		const char *rest = name + strlen(ends[i].name);
		uint64_t offset = 0;
		if (*rest && *rest != ends[i].sign)
			return -1;
		auto_error struct error *e =
			*rest ? text_parse_u64(rest + 1, 10, RTMAX - RTMIN, &offset) : NULL;
		if (e)
			return -1;
		return ends[i].number + (ends[i].sign == '+' ? (int)offset : -(int)offset);
	}
	return -1;
}

fallible oci_signal_parse(const char *text, int *ret)
{
	if (*text >= '0' && *text <= '9') {
		uint64_t number;
		auto_error struct error *e = text_parse_u64(text, 10, OCI_SIGNAL_MAX, &number);
		if (e || !number)
			return invalid_signal(text);
		*ret = (int)number;
		return NULL;
	}
	const char *name = starts_fold(text, "SIG") ? text + 3 : text;
	int found = real_time_signal(name);
	for (size_t i = 1; i < N(signals); i++)
		if (equal_fold(name, signals[i] + 3))
			found = (int)i;
	for (size_t i = 0; i < N(signal_aliases); i++)
		if (equal_fold(name, signal_aliases[i].name + 3))
			found = signal_aliases[i].number;
	if (found < 0)
		return invalid_signal(text);
	*ret = found;
	return NULL;
}

const char *oci_signal_name(int number)
{
	return number > 0 && number < (int)N(signals) ? signals[number] : NULL;
}
