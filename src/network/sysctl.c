// SPDX-License-Identifier: Apache-2.0
#include "network/sysctl.h"
#include "base/text.h"
#include "sys/fd.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>

#define ROOT "/proc/sys/net/"

fallible sysctl_set(const char *value, const char *path, ...)
{
	va_list args;
	va_start(args, path);
	auto_free char *name = alloc_vprintf(path, args), *full = alloc_printf(ROOT "%s", name);
	va_end(args);
	auto_free char *old = NULL;
	TRY(file_read(AT_FDCWD, full, 256, &old, NULL));
	old[strcspn(old, "\n")] = 0;
	if (strcmp(old, value) == 0)
		return NULL;
	return file_write_value(AT_FDCWD, full, value);
}

static fallible keep_advertised_routes(void)
{
	DIR *dir = opendir(ROOT "ipv6/conf");
	if (!dir)
		return NULL; // no IPv6 here
	struct dirent *entry;
	struct error *e = NULL;
	while (!e && (entry = readdir(dir))) {
		if (*entry->d_name == '.' || strcmp(entry->d_name, "all") == 0 ||
		    strcmp(entry->d_name, "default") == 0)
			continue;
		auto_free char *path = alloc_printf(ROOT "ipv6/conf/%s/accept_ra", entry->d_name);
		auto_free char *old = NULL;
		e = file_read(AT_FDCWD, path, 256, &old, NULL);
		if (!e && strcmp(old, "1\n") == 0)
			e = file_write_value(AT_FDCWD, path, "2");
		if (error_is(e, ERROR_NOT_FOUND))
			error_drop(&e); // the interface went away
	}
	closedir(dir);
	return e;
}

fallible sysctl_forward(int family)
{
	if (family == AF_INET)
		return sysctl_set("1", "ipv4/ip_forward");
	auto_free char *old = NULL;
	TRY(file_read(AT_FDCWD, ROOT "ipv6/conf/all/forwarding", 256, &old, NULL));
	if (strcmp(old, "1\n") == 0)
		return NULL;
	TRY(keep_advertised_routes());
	return sysctl_set("1", "ipv6/conf/all/forwarding");
}
