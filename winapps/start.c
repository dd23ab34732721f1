// SPDX-License-Identifier: Apache-2.0
// The first Windows process of a container: does what wineboot would have to, then runs the program
// with exactly the command line, directory and environment of BOOT_PARAMETERS, and ends with its
// code. Linked with kernel32 and ntdll alone, without a C runtime: each further DLL costs
// milliseconds of every start.
//
// What of Windows' own is used: docs of Wine's include/ddk and winternl; the offsets of
// KUSER_SHARED_DATA and PEB are Windows' (x86-64).
#include "boot/protocol.h"
#include "volumes.h"
#include <windows.h>
#include <winternl.h>

NTSYSAPI NTSTATUS NTAPI NtCreateEvent(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES, ULONG, BOOLEAN);
NTSYSAPI NTSTATUS NTAPI NtOpenSection(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES);
NTSYSAPI NTSTATUS NTAPI NtMapViewOfSection(HANDLE, HANDLE, PVOID *, ULONG_PTR, SIZE_T,
                                           PLARGE_INTEGER, SIZE_T *, ULONG, ULONG, ULONG);

static void copy(void *to, const void *from, size_t size)
{
	volatile unsigned char *t = to;
	const unsigned char *f = from;
	while (size--)
		*t++ = *f++;
}

static size_t length(const WCHAR *text)
{
	size_t n = 0;
	while (text[n])
		n++;
	return n;
}

static void print(const WCHAR *text)
{
	char bytes[3 * 1024];
	DWORD written;
	int n = WideCharToMultiByte(CP_UTF8, 0, text, (int)length(text), bytes, sizeof(bytes), NULL,
	                            NULL);
	WriteFile(GetStdHandle(STD_ERROR_HANDLE), bytes, (DWORD)n, &written, NULL);
}

static void fail(const WCHAR *what, const WCHAR *why, UINT code)
{
	print(L"coracle: ");
	print(what);
	print(L": ");
	print(why);
	print(L"\r\n");
	ExitProcess(code);
}

// --- What the engine asks for

static const WCHAR *text_at(const struct boot_parameters *p, uint32_t offset)
{
	if (offset & 1 || offset < sizeof(*p) || offset >= p->size_bytes)
		fail(L"start", L"bad parameters", BOOT_EXIT_FAILED);
	return (const WCHAR *)((const char *)p + offset);
}

static const struct boot_parameters *read_parameters(void)
{
	DWORD got = 0;
	HANDLE file = CreateFileW(L"\\\\?\\unix"
	                          L"\\coracle\\start",
	                          GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
	// No more than needed: Wine touches every page of a buffer that it reads into.
	DWORD size = file == INVALID_HANDLE_VALUE ? 0 : GetFileSize(file, NULL);
	struct boot_parameters *p = NULL;
	if (size >= sizeof(*p) && size <= BOOT_SIZE_LIMIT)
		p = VirtualAlloc(NULL, size + 4, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
	if (!p || !ReadFile(file, p, size, &got, NULL) || got != size || p->magic != BOOT_MAGIC ||
	    p->size_bytes > got)
		fail(L"start", L"no parameters", BOOT_EXIT_FAILED);
	CloseHandle(file);
	return p;
}

// --- What wineboot would do

static void name_object(OBJECT_ATTRIBUTES *attributes, UNICODE_STRING *name, const WCHAR *text)
{
	*name = (UNICODE_STRING){(USHORT)(length(text) * 2), (USHORT)(length(text) * 2 + 2),
	                         (WCHAR *)text};
	InitializeObjectAttributes(attributes, name, OBJ_OPENIF, NULL, NULL);
}

// Every Windows process without a Wine parent starts wineboot unless this event is there and set.
// The handle stays open as long as the container lives.
static void hold_wineboot_event(void)
{
	HANDLE event;
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	name_object(&attributes, &name, L"\\KernelObjects\\__wineboot_event");
	NtCreateEvent(&event, EVENT_ALL_ACCESS, &attributes, 0 /* notification */, TRUE);
}

static void cpuid(unsigned leaf, unsigned r[4])
{
	__asm__("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "0"(leaf), "2"(0));
}

static void fill_features(unsigned char *features)
{
	unsigned r[4], extended[4] = {0};
	cpuid(1, r);
	cpuid(0x80000001, extended);
	const struct {
		unsigned char feature, is_there; // PF_*, winnt.h
	} table[] = {
		{2, r[3] >> 8 & 1},          // COMPARE_EXCHANGE_DOUBLE
		{3, r[3] >> 23 & 1},         // MMX
		{6, r[3] >> 25 & 1},         // XMMI
		{7, extended[3] >> 31 & 1},  // 3DNOW
		{8, r[3] >> 4 & 1},          // RDTSC
		{9, r[3] >> 6 & 1},          // PAE
		{10, r[3] >> 26 & 1},        // XMMI64
		{12, extended[3] >> 20 & 1}, // NX
		{13, r[2] & 1},              // SSE3
		{14, r[2] >> 13 & 1},        // COMPARE_EXCHANGE128
		{17, r[2] >> 26 & 1},        // XSAVE
		{36, r[2] >> 9 & 1},         // SSSE3
		{37, r[2] >> 19 & 1},        // SSE4_1
		{38, r[2] >> 20 & 1},        // SSE4_2
		{39, r[2] >> 28 & 1},        // AVX
		{23, 1},                     // FASTFAIL
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		features[table[i].feature] = table[i].is_there;
}

// The page that every process sees at 0x7ffe0000; without it a program finds no SSE2, no version
// and no system folder.
static void fill_shared_data(const struct boot_parameters *p)
{
	HANDLE section;
	UNICODE_STRING name;
	OBJECT_ATTRIBUTES attributes;
	void *view = NULL;
	SIZE_T size = 0;
	name_object(&attributes, &name, L"\\KernelObjects\\__wine_user_shared_data");
	if (NtOpenSection(&section, SECTION_MAP_WRITE | SECTION_MAP_READ, &attributes) < 0)
		return;
	if (NtMapViewOfSection(section, GetCurrentProcess(), &view, 0, 0, NULL, &size, 1, 0,
	                       PAGE_READWRITE) < 0)
		return;
	unsigned char *data = view;
	SYSTEM_INFO info;
	GetSystemInfo(&info);
	copy(data + 0x30, L"C:\\Windows", sizeof(L"C:\\Windows"));
	*(ULONG *)(data + 0x4) = 1 << 24;    // TickCountMultiplier
	*(ULONG *)(data + 0x244) = 2 << 20;  // LargePageMinimum
	*(ULONG *)(data + 0x260) = p->build; // NtBuildNumber
	*(ULONG *)(data + 0x264) = 3;        // NtProductType: server
	*(UCHAR *)(data + 0x268) = TRUE;     // ProductTypeIsValid
	*(USHORT *)(data + 0x26a) = 9;       // NativeProcessorArchitecture: AMD64
	*(ULONG *)(data + 0x26c) = p->major;
	*(ULONG *)(data + 0x270) = p->minor;
	fill_features(data + 0x274);
	*(ULONG *)(data + 0x3c0) = info.dwNumberOfProcessors;
	*(ULONG *)(data + 0x3c4) = 1; // ActiveGroupCount
	UnmapViewOfFile(view);
	CloseHandle(section);
}

// --- The program

// CreateProcess looks for programs by the PATH of the caller, which has to be the program's then.
static void take_path(const WCHAR *environment)
{
	for (const WCHAR *entry = environment; *entry; entry += length(entry) + 1) {
		if ((entry[0] | 32) == 'p' && (entry[1] | 32) == 'a' && (entry[2] | 32) == 't' &&
		    (entry[3] | 32) == 'h' && entry[4] == '=') {
			SetEnvironmentVariableW(L"PATH", entry + 5);
			return;
		}
	}
}

static size_t block_size(const WCHAR *environment)
{
	const WCHAR *at = environment;
	while (*at)
		at += length(at) + 1;
	return (size_t)(at + 1 - environment) * sizeof(WCHAR);
}

// Wine adds variables of its own to every environment that it starts a process with; the block in
// the suspended process is laid over by what was asked for, which is never longer.
static void set_environment(HANDLE process, const WCHAR *environment)
{
	PROCESS_BASIC_INFORMATION basic;
	unsigned char *parameters;
	void *block;
	SIZE_T done;
	if (NtQueryInformationProcess(process, ProcessBasicInformation, &basic, sizeof(basic),
	                              NULL))
		return;
	if (!ReadProcessMemory(process, (char *)basic.PebBaseAddress + 0x20, &parameters,
	                       sizeof(parameters), &done) ||
	    !ReadProcessMemory(process, parameters + 0x80, &block, sizeof(block), &done))
		return;
	WriteProcessMemory(process, block, environment, block_size(environment), &done);
}

static const WCHAR *reason(DWORD error)
{
	switch (error) {
	case ERROR_FILE_NOT_FOUND:
	case ERROR_PATH_NOT_FOUND:
		return L"The system cannot find the file specified.";
	case ERROR_ACCESS_DENIED:
		return L"Access is denied.";
	case ERROR_DIRECTORY:
		return L"The directory name is invalid.";
	case ERROR_BAD_EXE_FORMAT:
		return L"The file is not an application that runs here (64-bit Windows).";
	default:
		return L"The process could not be created.";
	}
}

#define UNIX L"\\\\?\\unix"

static void leave(const WCHAR *path, DWORD how, const void *bytes, DWORD size)
{
	DWORD written;
	HANDLE file = CreateFileW(path, GENERIC_WRITE, 0, NULL, how, 0, NULL);
	if (file == INVALID_HANDLE_VALUE)
		return;
	WriteFile(file, bytes, size, &written, NULL);
	CloseHandle(file);
}

// What boot can't have as our own code.
static void leave_code(uint32_t code)
{
	leave(UNIX L"\\tmp\\coracle-code", CREATE_ALWAYS, &code, sizeof(code));
}

// boot pinned us all, and Wine hands that down. For Windows the program may use every processor;
// until it has started boot keeps it where the server is all the same.
static void let_go_slowly(HANDLE process)
{
	DWORD_PTR mine, all;
	if (GetProcessAffinityMask(GetCurrentProcess(), &mine, &all))
		SetProcessAffinityMask(process, all);
	leave(UNIX L"\\tmp\\coracle-created", OPEN_EXISTING, "", 1);
}

static void wait_for(HANDLE process, struct volumes *volumes)
{
	const HANDLE handles[] = {process, volumes->manager};
	while (WaitForMultipleObjects(volumes->manager ? 2 : 1, handles, FALSE, INFINITE) ==
	       WAIT_OBJECT_0 + 1)
		volumes_serve(volumes);
}

void start_main(void);
void start_main(void)
{
	const struct boot_parameters *p = read_parameters();
	const WCHAR *command_line = text_at(p, p->command_line);
	const WCHAR *directory = text_at(p, p->directory);
	const WCHAR *environment = text_at(p, p->environment);
	hold_wineboot_event();
	fill_shared_data(p);
	struct volumes volumes = {0};
	volumes_open(&volumes);
	take_path(environment);

	STARTUPINFOW startup = {.cb = sizeof(startup), .dwFlags = STARTF_USESTDHANDLES};
	startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
	startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
	startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
	PROCESS_INFORMATION process;
	// Wine would start it elsewhere, and say so on standard error.
	if (!SetCurrentDirectoryW(directory))
		fail(directory, reason(ERROR_DIRECTORY), BOOT_EXIT_NOT_EXECUTABLE);
	// The command line is the caller's to write into.
	if (!CreateProcessW(NULL, (WCHAR *)command_line, NULL, NULL, TRUE,
	                    CREATE_SUSPENDED | CREATE_UNICODE_ENVIRONMENT, (WCHAR *)environment,
	                    directory, &startup, &process)) {
		DWORD error = GetLastError();
		fail(command_line, reason(error),
		     error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND
		             ? BOOT_EXIT_NO_PROGRAM
		             : BOOT_EXIT_NOT_EXECUTABLE);
	}
	set_environment(process.hProcess, environment);
	let_go_slowly(process.hProcess);
	ResumeThread(process.hThread);
	CloseHandle(process.hThread);
	CloseHandle(GetStdHandle(STD_INPUT_HANDLE));
	CloseHandle(GetStdHandle(STD_OUTPUT_HANDLE));
	CloseHandle(GetStdHandle(STD_ERROR_HANDLE));
	wait_for(process.hProcess, &volumes);
	DWORD code = BOOT_EXIT_FAILED;
	GetExitCodeProcess(process.hProcess, &code);
	if (code > 255)
		leave_code(code);
	ExitProcess((UINT)boot_exit_code(code));
}
