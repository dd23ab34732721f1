// SPDX-License-Identifier: Apache-2.0
#include "engine/apparmor.h"
#include "base/memory.h"
#include "sys/fd.h"
#include "sys/process.h"
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROFILES "/sys/kernel/security/apparmor/profiles"

// A profile's name stands in its text and in two rules.
static fallible check_name(const char *name)
{
	size_t n =
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
	if (!n || name[n] || n > 200)
		return error_new(
			ERROR_USAGE,
			"AppArmor profile \"%.64s\": letters, digits, '-', '_' and '.' make a "
			"name",
			name);
	return NULL;
}

// "NAME (enforce)" in a line.
static fallible is_loaded(const char *name, bool *ret)
{
	auto_fd int fd = open(PROFILES, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) // ctr's words
		return error_new(ERROR_UNSUPPORTED, "open " PROFILES ": no such file or directory");
	if (fd < 0)
		FAIL_ERRNO(PROFILES);
	auto_free char *text = NULL;
	TRY_AS(fd_read_to_end(fd, 4 << 20, &text, NULL), PROFILES);
	size_t n = strlen(name);
	*ret = false;
	for (const char *line = text; line && !*ret; line = strchr(line, '\n')) {
		line += *line == '\n';
		*ret = !strncmp(line, name, n) && line[n] == ' ';
	}
	return NULL;
}

// What a container may, capabilities, seccomp and masked paths aside: no mounts, nothing of the
// kernel's own in /proc and /sys written (of the sysctls net and kernel.{msg,sem,shm}* may be,
// which namespaces have), signals and traces among its own.
static char *make_text(const char *name)
{
	return alloc_printf(
		"#include <tunables/global>\n"
		"profile %s flags=(attach_disconnected,mediate_deleted) {\n"
		"  #include <abstractions/base>\n"
		"  capability,\n"
		"  file,\n"
		"  network,\n"
		"  umount,\n"
		"  ptrace (read,readby,trace,tracedby) peer=%s,\n"
		"  signal (send,receive) peer=%s,\n"
		"  signal (receive) peer=unconfined,\n"
		"  deny mount,\n"
		"  deny /proc/* w,\n"
		"  deny /proc/{kcore,kmem,mem,sysrq-trigger} rwklx,\n"
		"  deny /proc/{acpi,bus,fs,irq,scsi}/** w,\n"
		"  deny /proc/sys/{abi,debug,dev,fs,user,vm}/** w,\n"
		"  deny /proc/sys/kernel/[^ms]** w,\n"
		"  deny /proc/sys/kernel/{m[^s]**,s[^eh]**,se[^m]**} w,\n"
		"  deny /sys/{block,bus,class,dev,devices,kernel,module,power}/** wklx,\n"
		"  deny /sys/{firmware,hypervisor,kernel/{debug,security,tracing}}/** rwklx,\n"
		"  deny /sys/fs/{bpf,btrfs,ext4,f2fs,fuse,pstore,resctrl,selinux,smackfs,xfs}/** wklx,\n"
		"}\n",
		name, name, name);
}

static fallible load(const char *name)
{
	auto_free char *text = make_text(name);
	auto_fd int input = memfd_create("profile", MFD_CLOEXEC);
	auto_fd int errors = memfd_create("errors", MFD_CLOEXEC);
	if (input < 0 || errors < 0)
		FAIL_ERRNO("AppArmor profile %s", name);
	TRY(fd_write_all(input, text, strlen(text)));
	if (lseek(input, 0, SEEK_SET) < 0)
		FAIL_ERRNO("AppArmor profile %s", name);
	const char *const argv[] = {"/sbin/apparmor_parser", "-Kr", NULL};
	int status;
	if (access(argv[0], X_OK) < 0)
		return error_hint(error_new(ERROR_UNSUPPORTED, "%s: not found", argv[0]),
		                  "it is in the package apparmor");
	TRY(process_run(argv, NULL, (const int[]){input, -1, errors}, &status));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return NULL;
	auto_free char *words = NULL;
	if (lseek(errors, 0, SEEK_SET) == 0)
		TRY(fd_read_to_end(errors, 1 << 16, &words, NULL));
	return error_new(ERROR_SYSTEM, "AppArmor profile %s: apparmor_parser: %.512s", name,
	                 words ? words : "");
}

fallible apparmor_have_default(const char *name)
{
	bool there = false;
	TRY(check_name(name));
	TRY(is_loaded(name, &there));
	return there ? NULL : load(name);
}
