// SPDX-License-Identifier: Apache-2.0
// Any bytes as a layer, over a layer below with links that lead outside. Whatever is unpacked, a
// victim beside the two folders and the layer below stay as they were. In tmpfs; as root, devices
// and owners too. The first byte chooses native or overlay, and
// with overlay Linux' rules or Windows'.
#include "base/text.h"
#include "layer/layer.h"
#include "mutate_tar.h"
#include "sys/fd.h"
#include "sys/tree.h"
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char folder[] = "/dev/shm/fuzz-layer-XXXXXX";
static int top = -1;
static struct stat victim_before, lower_before;

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void remove_folder(void)
{
	auto_fd int shm = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	error_free(tree_remove(shm, folder + strlen("/dev/shm/")));
}

static void write_file(const char *path)
{
	auto_fd int fd = openat(top, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && write(fd, "kept", 4) == 4);
}

static void prepare(void)
{
	must(mkdtemp(folder));
	atexit(remove_folder);
	top = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(top >= 0 && !mkdirat(top, "lower", 0755) && !mkdirat(top, "lower/d", 0755));
	write_file("victim");
	write_file("lower/f");
	write_file("lower/d/g");
	must(!symlinkat("..", top, "lower/up") && !symlinkat("/", top, "lower/root") &&
	     !symlinkat("../victim", top, "lower/victim") && !symlinkat("d", top, "lower/l") &&
	     !symlinkat("l1", top, "lower/l2") && !symlinkat("l2", top, "lower/l1"));
	must(!fstatat(top, "victim", &victim_before, 0) &&
	     !fstatat(top, "lower", &lower_before, 0));
}

static bool same(const char *path, const struct stat *before)
{
	struct stat st;
	return !fstatat(top, path, &st, 0) && st.st_mode == before->st_mode &&
	       st.st_uid == before->st_uid && st.st_size == before->st_size &&
	       st.st_nlink == before->st_nlink && st.st_ctim.tv_sec == before->st_ctim.tv_sec &&
	       st.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

static fallible unpack(int blob, int newfd, int lowerfd, bool native, bool windows)
{
	auto_layer_stream struct layer_stream *s = NULL;
	TRY(layer_stream_new(blob, LAYER_HASH, 16 << 20, &s));
	const struct layer_unpack_request r = {.stream = s,
	                                       .new_dirfd = newfd,
	                                       .lower_dirfd = native ? -1 : lowerfd,
	                                       .native = native,
	                                       .windows = windows,
	                                       .limit_bytes = 1 << 20};
	struct layer_unpacked unpacked;
	TRY(layer_unpack(&r, &unpacked));
	struct layer_sums sums;
	return layer_stream_finish(s, &sums);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (top < 0)
		prepare();
	must(!mkdirat(top, "new", 0755));
	auto_fd int newfd = openat(top, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int lowerfd = openat(top, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int blob = memfd_create("blob", MFD_CLOEXEC);
	must(blob >= 0 && !fd_write_all(blob, data + 1, size - 1) && !lseek(blob, 0, SEEK_SET));
	error_free(unpack(blob, newfd, lowerfd, data[0] & 1, (data[0] & 3) == 2));
	must(same("victim", &victim_before) && same("lower", &lower_before));
	error_free(tree_remove(top, "new"));
	return 0;
}
