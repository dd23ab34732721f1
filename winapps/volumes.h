// SPDX-License-Identifier: Apache-2.0
// The volume of a drive: its label, serial number and file system. Wine asks its mount manager for
// them, a driver in a process of its services; without one `dir` ends with "Invalid function.".
// start.exe, which waits anyhow, answers in its place. Drivers' requests go through the server's
// own protocol, which each version of Wine has its own of: what stands here is 8.0's
// (server/protocol.def there), and with another one nothing is done.
#pragma once
#include <windows.h>
#include <winternl.h>

NTSYSAPI NTSTATUS NTAPI NtCreateSymbolicLinkObject(PHANDLE, ACCESS_MASK, POBJECT_ATTRIBUTES,
                                                   PUNICODE_STRING);

#define VOLUMES_OF_WINE "8.0"
#define VOLUMES_DEVICE L"\\Device\\MountPointManager"
#define VOLUMES_LINK L"\\??\\MountPointManager"

enum {
	// NTSTATUS; ntstatus.h doesn't go with windows.h
	NOT_SUPPORTED = (int)0xc00000bb,
	BUFFER_OVERFLOW = (int)0x80000005,
	PENDING = 0x103,
	CREATE_DEVICE_MANAGER = 236,
	CREATE_DEVICE = 237,
	GET_NEXT_DEVICE_REQUEST = 239,
	IRP_CREATE = 1,
	IRP_IOCTL = 6,
	QUERY_UNIX_DRIVE = 'm' << 16 | FILE_READ_ACCESS << 14 | 33 << 2,
	SERIAL_NUMBER = 0x5caffe10, // of drive A; any will do
};

struct server_call {
	union {
		struct {
			int kind;
			unsigned size, reply_size; // of what data[] and reply_data hold
			unsigned fields[13];
		} request;
		struct {
			unsigned error, size;
			unsigned fields[14];
		} reply;
	};
	unsigned n_data;
	void *reply_data;
	struct {
		const void *at;
		unsigned size;
	} data[5];
};

struct unix_drive {
	unsigned size, type, file_system, serial;
	unsigned long long device;
	WCHAR letter;
	unsigned short mount_point, path, label; // where these texts begin
	WCHAR no_text;
};

struct volumes {
	HANDLE manager; // signalled when somebody asks; NULL: this Wine's protocol isn't known
	unsigned(__cdecl *call)(void *);
	unsigned previous, status; // the request that is to be answered by the next call
	struct unix_drive drive;
	unsigned size;
};

static unsigned send_call(const struct volumes *v, struct server_call *call, const void *data,
                          size_t size)
{
	if (size) {
		call->n_data = 1;
		call->data[0].at = data;
		call->data[0].size = (unsigned)size;
		call->request.size = (unsigned)size;
	}
	return v->call(call);
}

static void volumes_open(struct volumes *v)
{
	HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
	const char *(__cdecl * version)(void) = (void *)GetProcAddress(ntdll, "wine_get_version");
	v->call = (void *)GetProcAddress(ntdll, "wine_server_call");
	for (size_t i = 0; version && i < sizeof(VOLUMES_OF_WINE) - 1; i++)
		if (version()[i] != VOLUMES_OF_WINE[i])
			return;
	if (!version || !v->call)
		return;
	struct server_call call = {.request.kind = CREATE_DEVICE_MANAGER};
	call.request.fields[0] = SYNCHRONIZE;
	if (send_call(v, &call, NULL, 0))
		return;
	HANDLE manager = (HANDLE)(ULONG_PTR)call.reply.fields[0];
	call = (struct server_call){.request.kind = CREATE_DEVICE};
	call.request.fields[1] = 1; // our name of the device; fields[0] is the folder of the next
	call.request.fields[3] = (unsigned)(ULONG_PTR)manager;
	if (send_call(v, &call, VOLUMES_DEVICE, sizeof(VOLUMES_DEVICE) - sizeof(WCHAR)))
		return;
	HANDLE link;
	UNICODE_STRING name, target;
	OBJECT_ATTRIBUTES attributes;
	RtlInitUnicodeString(&name, VOLUMES_LINK);
	RtlInitUnicodeString(&target, VOLUMES_DEVICE);
	InitializeObjectAttributes(&attributes, &name, 0, NULL, NULL);
	if (!NtCreateSymbolicLinkObject(&link, GENERIC_ALL, &attributes, &target))
		v->manager = manager;
}

static void answer_request(struct volumes *v, const unsigned *request)
{
	WCHAR letter = v->drive.letter;
	unsigned kind = request[0], code = request[1], room = request[2];
	if (kind == IRP_CREATE) // a handle of the file, which nothing here needs
		NtClose((HANDLE)(ULONG_PTR)request[6]);
	v->size = 0;
	v->status = kind == IRP_IOCTL ? (unsigned)NOT_SUPPORTED : 0;
	if (kind != IRP_IOCTL || code != QUERY_UNIX_DRIVE)
		return;
	v->drive = (struct unix_drive){
		.size = sizeof(v->drive),
		.type = DRIVE_FIXED, // file_system 0 is NTFS
		.serial = (unsigned)(SERIAL_NUMBER + (letter | 32) - 'a'),
		.letter = letter,
		.label = offsetof(struct unix_drive, no_text),
	};
	v->drive.mount_point = v->drive.path = v->drive.label;
	v->size = room < sizeof(v->drive) ? room : sizeof(v->drive);
	v->status = 0;
}

// Gives the last answer and takes the next question, if there is one.
static unsigned next_request(struct volumes *v, void *buffer, size_t size, struct server_call *ret)
{
	struct unix_drive sent = v->drive;
	const unsigned fields[] = {(unsigned)(ULONG_PTR)v->manager,
	                           v->previous,
	                           v->status,
	                           0,
	                           0,
	                           0,
	                           v->status,
	                           v->size};
	*ret = (struct server_call){.request.kind = GET_NEXT_DEVICE_REQUEST};
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		ret->request.fields[i] = fields[i];
	ret->request.reply_size = (unsigned)size;
	ret->reply_data = buffer;
	unsigned status = send_call(v, ret, &sent, v->size);
	v->previous = v->status = v->size = 0;
	return status;
}

// Answers all that have asked. Who asks is the container's: a question of any size is taken, so
// that the manager doesn't stay signalled.
static void volumes_serve(struct volumes *v)
{
	for (;;) {
		struct server_call call;
		unsigned status = next_request(v, &v->drive, sizeof(v->drive), &call);
		if (status == (unsigned)BUFFER_OVERFLOW) {
			size_t size = call.reply.fields[12];
			void *buffer = VirtualAlloc(NULL, size, MEM_COMMIT, PAGE_READWRITE);
			status = buffer ? next_request(v, buffer, size, &call) : 1;
			if (buffer)
				VirtualFree(buffer, 0, MEM_RELEASE);
			call.reply.fields[1] = 0; // a question that isn't known here
		}
		if (status == (unsigned)PENDING)
			return;
		if (status) {
			v->manager = NULL;
			return;
		}
		v->previous = call.reply.fields[8];
		answer_request(v, call.reply.fields);
	}
}
