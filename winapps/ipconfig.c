// SPDX-License-Identifier: Apache-2.0
// ipconfig: what Windows prints, of what the engine says about the container's network. Adapters'
// names exist nowhere in the kernel, so the engine writes them down (BOOT_NETWORK): a line for each
// value, `adapter NAME` before its others. The link-local address is the kernel's.
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

enum { TEXT_LIMIT = 16384 };

static void read_unix(const wchar_t *path, char text[TEXT_LIMIT])
{
	DWORD got = 0;
	HANDLE file =
		CreateFileW(path, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	if (file != INVALID_HANDLE_VALUE) {
		DWORD n;
		while (got < TEXT_LIMIT - 1 &&
		       ReadFile(file, text + got, TEXT_LIMIT - 1 - got, &n, NULL) && n)
			got += n;
		CloseHandle(file);
	}
	text[got] = 0;
}

// "fe800000000000000000000000000001 02 40 20 80 eth0": address, index, prefix, scope, flags, name.
static bool find_link_local(char ret[64])
{
	static char text[TEXT_LIMIT];
	read_unix(L"\\\\?\\unix\\proc\\net\\if_inet6", text);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		unsigned part[8], index;
		if (sscanf(line, "%4x%4x%4x%4x%4x%4x%4x%4x %x", &part[0], &part[1], &part[2],
		           &part[3], &part[4], &part[5], &part[6], &part[7], &index) != 9 ||
		    part[0] != 0xfe80)
			continue;
		// The middle of a link-local address is zeros (RFC 4291, 2.5.6).
		snprintf(ret, 64, "fe80::%x:%x:%x:%x%%%u", part[4], part[5], part[6], part[7],
		         index);
		return true;
	}
	return false;
}

static const struct {
	const char *key, *label;
} lines[] = {
	{"suffix", "Connection-specific DNS Suffix  . :"},
	{"link-local", "Link-local IPv6 Address . . . . . :"},
	{"ipv4", "IPv4 Address. . . . . . . . . . . :"},
	{"mask", "Subnet Mask . . . . . . . . . . . :"},
	{"gateway", "Default Gateway . . . . . . . . . :"},
};

static void print_line(const char *line)
{
	size_t n = strcspn(line, " ");
	const char *value = line[n] ? line + n + 1 : "";
	if (n == 7 && !memcmp(line, "adapter", 7)) {
		printf("\nEthernet adapter %s:\n\n", value);
		return;
	}
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		if (strlen(lines[i].key) != n || memcmp(line, lines[i].key, n))
			continue;
		printf("   %s %s\n", lines[i].label, value);
		char local[64];
		if (!i && find_link_local(local))
			printf("   %s %s\n", lines[1].label, local);
	}
}

static void print_host(void)
{
	char name[256] = "";
	DWORD size = sizeof(name);
	GetComputerNameExA(ComputerNameDnsHostname, name, &size);
	printf("   Host Name . . . . . . . . . . . . : %s\n", name);
	printf("   Primary Dns Suffix  . . . . . . . : \n");
	printf("   Node Type . . . . . . . . . . . . : Hybrid\n");
	printf("   IP Routing Enabled. . . . . . . . : No\n");
	printf("   WINS Proxy Enabled. . . . . . . . : No\n");
}

int main(int argc, char **argv)
{
	static char text[TEXT_LIMIT];
	bool all = argc == 2 && !_stricmp(argv[1], "/all");
	if (argc > 1 && !all) {
		printf("\nError: unrecognized or incomplete command line.\n\n"
		       "USAGE:\n    ipconfig [/all]\n");
		return argc == 2 && !strcmp(argv[1], "/?") ? 0 : 1;
	}
	printf("\nWindows IP Configuration\n\n");
	if (all)
		print_host();
	read_unix(L"\\\\?\\unix\\coracle\\network", text);
	for (char *line = text; *line;) {
		size_t n = strcspn(line, "\n");
		char *next = line + n + (line[n] != 0);
		line[n] = 0;
		print_line(line);
		line = next;
	}
	return 0;
}
