// SPDX-License-Identifier: Apache-2.0
// Logs. The first byte chooses: 'e' an entry as it may stand in the file; 'w' what a container
// says, in reads of as many bytes as the second byte says, behind as many of "x" as the next two
// say: what the monitor writes is read again, line by line; it is the same in whichever reads it
// came, and UTF-8 is what it was.
#include "base/text.h"
#include "engine/log_entry.h"
#include "shim/log.h"
#include "sys/fd.h"
#include <fcntl.h>
#include <unistd.h>

enum { SAID_MAX = 128 << 10 };

static int file = -1; // the log, of which no name is left

static void open_log(void)
{
	char folder[] = "/tmp/fuzz-log-XXXXXX";
	if (!mkdtemp(folder))
		abort();
	auto_fd int dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	log_begin(dirfd, UINT64_MAX, 1);
	log_put(0, "\n", 1);
	file = openat(dirfd, LOG_NAME, O_RDWR | O_CLOEXEC);
	if (file < 0 || unlinkat(dirfd, LOG_NAME, 0) < 0 || rmdir(folder) < 0)
		abort();
}

static void say(int stream, const char *said, size_t size, size_t read_size)
{
	if (ftruncate(file, 0) < 0)
		abort();
	for (size_t at = 0; at < size; at += read_size)
		log_put(stream, said + at, size - at < read_size ? size - at : read_size);
	log_end(stream);
}

// What `coracle logs` makes of the file.
static void hear(int stream, struct str *text)
{
	static struct log_entry entry;
	off_t size = lseek(file, 0, SEEK_END);
	auto_free char *log = malloc((size_t)size + 1); // of the exact size: see below
	if (!log || pread(file, log, (size_t)size, 0) != size)
		abort();
	for (char *p = log, *end; p < log + size; p = end + 1) {
		end = memchr(p, '\n', (size_t)(log + size - p));
		if (!end || !log_entry_decode(p, end, &entry))
			abort();
		if (entry.is_error != stream || log_entry_ns(&entry) <= 0)
			abort();
		str_add_bytes(text, entry.text, entry.size);
	}
}

static void fuzz_said(const uint8_t *bytes, size_t size)
{
	if (size < 3)
		return;
	if (file < 0)
		open_log();
	size_t read_size = bytes[0] + 1U, filler = bytes[1] << 8 | bytes[2];
	auto_str struct str said = STR_LIMIT(SAID_MAX), first = STR_LIMIT(4 * SAID_MAX),
			    again = STR_LIMIT(4 * SAID_MAX);
	for (size_t i = 0; i < filler; i++)
		str_add_char(&said, 'x');
	str_add_bytes(&said, bytes + 3, size - 3);
	if (!said.size)
		return;
	int stream = bytes[0] & 1;
	say(stream, said.bytes, said.size, read_size);
	hear(stream, &first);
	say(stream, said.bytes, said.size, said.size + 1);
	hear(stream, &again);
	if (first.size != again.size || memcmp(first.bytes, again.bytes, first.size) != 0)
		abort();
	if (text_is_utf8(said.bytes, said.size) &&
	    (first.size != said.size || memcmp(first.bytes, said.bytes, said.size) != 0))
		abort();
}

// In memory of the exact size, so that a byte read too far is seen.
static void fuzz_entry(const uint8_t *bytes, size_t size)
{
	static struct log_entry entry;
	auto_free char *line = malloc(size + !size);
	if (!line)
		abort();
	memcpy(line, bytes, size);
	if (log_entry_decode(line, line + size, &entry)) {
		if (entry.size > size || strlen(entry.time) >= sizeof entry.time)
			abort();
		(void)log_entry_ns(&entry);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size && bytes[0] == 'w')
		fuzz_said(bytes + 1, size - 1);
	else if (size && bytes[0] == 'e')
		fuzz_entry(bytes + 1, size - 1);
	return 0;
}
