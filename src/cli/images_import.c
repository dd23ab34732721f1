// SPDX-License-Identifier: Apache-2.0
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/session.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static fallible open_archive(const char *path, int *ret_fd)
{
	int fd = text_equal(path, "-") ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
	                               : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		int sys = errno;
		struct error *e = error_system(sys, "open %s", path);
		return sys == ENOENT ? error_hint(error_recode(e, ERROR_NOT_FOUND),
		                                  "an archive is what docker save, podman save or "
		                                  "skopeo copy write; - is standard input")
		                     : e;
	}
	*ret_fd = fd;
	return NULL;
}

static fallible check_archive(int fd, const char *path)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("stat %s", path);
	if (S_ISDIR(st.st_mode))
		return error_hint(
			error_new(ERROR_INVALID, "%s: is a directory, not an archive", path),
			"a folder with an OCI layout is imported by tar -C FOLDER -c . | "
			"coracle images import -");
	return NULL;
}

static void close_fd(const int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

#define FORM                                                                        \
	"an archive is an OCI layout or what docker save writes, as tar, plain or " \
	"compressed by gzip or zstd"

// What the archive's first bytes tell the user; they are compared, and no more than that: the
// worker alone reads archives. A pipe can't be read twice, and the general hint is true for all.
static const char *archive_hint(int fd)
{
	// clang-format off
	static const struct {
		off_t offset;
		const char *magic, *hint;
	} kinds[] = {
		{0,   "\xfd" "7zXZ",      "it is compressed by xz: xz -dc FILE | coracle images import -"},
		{0,   "BZh",              "it is compressed by bzip2: bzip2 -dc FILE | coracle images import -"},
		{0,   "\x04\x22\x4d\x18", "it is compressed by lz4: lz4 -dc FILE | coracle images import -"},
		{0,   "PK\x03\x04",       "it is a zip archive; " FORM},
		{0,   "\x1f\x8b",         NULL},
		{0,   "\x28\xb5\x2f\xfd", NULL},
		{257, "ustar",            NULL},
	};
	// clang-format on
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		char bytes[8];
		size_t size = strlen(kinds[i].magic);
		if (pread(fd, bytes, size, kinds[i].offset) == (ssize_t)size &&
		    memcmp(bytes, kinds[i].magic, size) == 0)
			return kinds[i].hint;
	}
	return FORM;
}

// The error names the archive where it is what the archive says that can't be accepted.
static struct error *of_archive(struct error *e, int fd, const char *path)
{
	if (!error_is(e, ERROR_INVALID) && !error_is(e, ERROR_CORRUPT) &&
	    !error_is(e, ERROR_UNSUPPORTED) && !error_is(e, ERROR_LIMIT))
		return e;
	const char *hint = archive_hint(fd);
	if (!hint && text_starts(e->message, "not an image archive"))
		hint = "an archive is what docker save, podman save or skopeo copy write; docker "
		       "export writes only the files";
	if (hint)
		e = error_hint(e, "%s", hint);
	return error_prefix(e, "%s", text_equal(path, "-") ? "standard input" : path);
}

fallible command_images_import(struct invocation *in)
{
	TRY(argument_needed(in, 0, "please provide an archive to import"));
	const char *path = argument(in, 0);
	defer(close_fd) int fd = -1;
	TRY(open_archive(path, &fd));
	TRY(check_archive(fd, path));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	size_t n_labels;
	auto_free const char **labels = flag_texts(in, "label", &n_labels);
	struct engine_import request = {
		.fd = fd,
		.base_name = optional(flag_text(in, "base-name")),
		.index_name = optional(flag_text(in, "index-name")),
		.digests = flag_bool(in, "digests"),
		.skip_digest_for_named = flag_bool(in, "skip-digest-for-named"),
		.all_platforms = flag_bool(in, "all-platforms"),
		.platform = optional(flag_text(in, "platform")),
		.no_unpack = flag_bool(in, "no-unpack"),
		.local = flag_bool(in, "local"),
		.sync_fs = flag_bool(in, "sync-fs"),
		.compress_blobs = flag_bool(in, "compress-blobs"),
		.discard_unpacked_layers = flag_bool(in, "discard-unpacked-layers"),
		.labels = labels,
		.n_labels = n_labels,
		.snapshotter = session_snapshotter(&s),
	};
	auto_strings struct strings names = {0};
	struct error *e = engine_import(s.engine, &request, &names);
	if (e)
		return of_archive(e, fd, path);
	for (size_t i = 0; i < names.n; i++) {
		auto_str struct str line = STR_LIMIT(65536), clean = STR_LIMIT(65536);
		output_clean(&clean, names.items[i]);
		str_printf(&line, "%-40s\tsaved\t\n", clean.bytes); // as ctr's last screen
		output_str(&line);
	}
	return NULL;
}
