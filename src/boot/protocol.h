// SPDX-License-Identifier: Apache-2.0
// What stands between the engine and the first two processes of a Windows container: coracle-boot
// (Linux, pid 1) and start.exe (Windows, run by Wine). One file, written by windows/, bound
// read-only at BOOT_PARAMETERS; both read it. Compiles with musl and with mingw-w64.
//
// The file is a struct boot_parameters, then texts at the offsets in it: UTF-16, little-endian,
// each with a zero behind it; the environment is NAME=VALUE texts and one more zero. Numbers are
// little-endian. Written by the engine only: it is trusted, yet read with its sizes checked.
#pragma once
#include <stdint.h>

#define BOOT_PARAMETERS "/coracle/start"
#define BOOT_PROGRAM "/coracle/coracle-boot"
#define BOOT_START "/coracle/start.exe"
// A code that Linux' 8 bits can't hold: 4 bytes, little-endian, from start.exe to boot. Any program
// in there may write it, too: whose code would it be but the container's?
#define BOOT_CODE "/tmp/coracle-code"
// A FIFO of boot's: a byte of start.exe says that the program is there, and about to be let go.
#define BOOT_CREATED "/tmp/coracle-created"
// In boot's environment: the number of the eventfd that takes the code plus one
// (runtime/runtime.h).
#define BOOT_CODE_VARIABLE "CORACLE_CODE"
#define BOOT_NETWORK "/coracle/network"
#define BOOT_PREFIX "/prefix"
#define BOOT_DRIVE "/Files"
#define BOOT_DRIVES "/drives" // d, e, …: what is mounted there

enum {
	BOOT_MAGIC = 0x31425243, // "CRB1"
	BOOT_SIZE_LIMIT = 1 << 20,
	// Exit codes of boot and start themselves, as a shell has them.
	BOOT_EXIT_FAILED = 125,
	BOOT_EXIT_NOT_EXECUTABLE = 126,
	BOOT_EXIT_NO_PROGRAM = 127,
};

enum boot_flags {
	BOOT_KEEP_REGISTRY = 1, // Wine's server is let time to save; else it is killed
};

struct boot_parameters {
	uint32_t magic, size_bytes; // of the whole file
	uint32_t flags;
	uint32_t major, minor, build;                  // of the Windows that the image is for
	uint32_t command_line, directory, environment; // byte offsets of the texts, even
	uint32_t reserved;
};

// A 32-bit code as a process of Linux can have it: its low 8 bits, but never 0 for a failure.
static inline int boot_exit_code(uint32_t code)
{
	return code && !(code & 0xff) ? 1 : (int)(code & 0xff);
}
