// SPDX-License-Identifier: Apache-2.0
// Copies of trees.
#include "base/text.h"
#include "snapshot/copy.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>
// cmocka last: it wants the headers above
#include <cmocka.h>

#define assert_fine(call)                                                           \
	do {                                                                        \
		struct error *error_ = (call);                                      \
		if (error_)                                                         \
			fail_msg("%s:%d: %s", __FILE__, __LINE__, error_->message); \
	} while (0)

struct trees {
	char folder[64];
	int dirfd, from, to;
};

static int make_trees(void **arg)
{
	struct trees *t = alloc(sizeof(*t));
	snprintf(t->folder, sizeof(t->folder), "/tmp/coracle-copy-XXXXXX");
	if (!mkdtemp(t->folder))
		return -1;
	t->dirfd = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_fine(path_make_dir_at(t->dirfd, "from", 0755, &t->from));
	assert_fine(path_make_dir_at(t->dirfd, "to", 0755, &t->to));
	*arg = t;
	return 0;
}

static int remove_trees(void **arg)
{
	struct trees *t = *arg;
	close(t->dirfd);
	close(t->from);
	close(t->to);
	auto_fd int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_error struct error *e = tree_remove(tmp, t->folder + sizeof("/tmp/") - 1);
	free(t);
	return e ? -1 : 0;
}

static void write_at(int dirfd, const char *name, const char *text, off_t at)
{
	auto_fd int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
}

static void copies_attributes(void **arg)
{
	struct trees *t = *arg;
	const struct timespec times[2] = {{1000, 7}, {-5, 123456789}};
	write_at(t->from, "f", "text", 0);
	assert_int_equal(mkdirat(t->from, "d", 0700), 0);
	assert_int_equal(symlinkat("/nowhere", t->from, "l"), 0);
	assert_int_equal(mkfifoat(t->from, "p", 0600), 0);
	static const char *const names[] = {"f", "d", "l", "p"};
	for (size_t i = 0; i < 4; i++) {
		if (geteuid() == 0)
			assert_int_equal(fchownat(t->from, names[i], 12, 34, AT_SYMLINK_NOFOLLOW),
			                 0);
		if (i != 2)
			assert_int_equal(fchmodat(t->from, names[i], 04751, 0), 0);
		assert_int_equal(utimensat(t->from, names[i], times, AT_SYMLINK_NOFOLLOW), 0);
	}
	assert_fine(copy_tree(t->from, t->to, t->dirfd));
	for (size_t i = 0; i < 4; i++) {
		struct stat a, b;
		assert_int_equal(fstatat(t->from, names[i], &a, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(fstatat(t->to, names[i], &b, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(a.st_mode, b.st_mode);
		assert_int_equal(a.st_uid, b.st_uid);
		assert_int_equal(a.st_gid, b.st_gid);
		assert_int_equal(a.st_size, b.st_size);
		assert_int_equal(a.st_mtim.tv_sec, b.st_mtim.tv_sec);
		assert_int_equal(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
	}
	char target[16] = "";
	assert_int_equal(readlinkat(t->to, "l", target, sizeof(target) - 1), 8);
	assert_string_equal(target, "/nowhere");
}

static void copies_what_root_makes(void **arg)
{
	struct trees *t = *arg;
	if (geteuid() != 0) {
		print_message("devices and capabilities need root\n");
		skip();
	}
	static const unsigned char capability[20] = {1, 0, 0, 2, 0, 32}; // cap_net_raw=ep
	write_at(t->from, "ping", "x", 0);
	auto_free char *from = alloc_printf("%s/from/ping", t->folder);
	auto_free char *to = alloc_printf("%s/to/ping", t->folder);
	assert_int_equal(mknodat(t->from, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
	assert_int_equal(mknodat(t->from, "white", S_IFCHR, makedev(0, 0)), 0);
	assert_int_equal(setxattr(from, "security.capability", capability, 20, 0), 0);
	assert_int_equal(setxattr(from, "user.a", "1", 1, 0), 0);
	assert_fine(copy_tree(t->from, t->to, t->dirfd));
	struct stat st;
	assert_int_equal(fstatat(t->to, "null", &st, 0), 0);
	assert_int_equal(st.st_rdev, makedev(1, 3));
	assert_int_equal(fstatat(t->to, "white", &st, 0), 0);
	assert_int_equal(st.st_rdev, 0);
	unsigned char copied[32];
	assert_int_equal(getxattr(to, "security.capability", copied, sizeof(copied)), 20);
	assert_memory_equal(copied, capability, 20);
	assert_int_equal(getxattr(to, "user.a", copied, sizeof(copied)), 1);
}

static void copies_hard_links_and_holes(void **arg)
{
	struct trees *t = *arg;
	assert_int_equal(mkdirat(t->from, "d", 0755), 0);
	write_at(t->from, "one", "text", 0);
	assert_int_equal(linkat(t->from, "one", t->from, "d/two", 0), 0);
	assert_int_equal(symlinkat("x", t->from, "s1"), 0);
	assert_int_equal(linkat(t->from, "s1", t->from, "d/s2", 0), 0);
	write_at(t->from, "holes", "end", 64 << 20);
	write_at(t->from, "holes", "middle", 1 << 20);
	assert_fine(copy_tree(t->from, t->to, t->dirfd));
	struct stat a, b;
	assert_int_equal(fstatat(t->to, "one", &a, 0), 0);
	assert_int_equal(fstatat(t->to, "d/two", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(a.st_nlink, 2);
	assert_int_equal(fstatat(t->to, "s1", &a, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(fstatat(t->to, "d/s2", &b, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(fstatat(t->to, "holes", &a, 0), 0);
	assert_int_equal(a.st_size, (64 << 20) + 3);
	assert_true(a.st_blocks * 512 < 1 << 20);
	auto_fd int fd = openat(t->to, "holes", O_RDONLY | O_CLOEXEC);
	char text[8] = "";
	assert_int_equal(pread(fd, text, 6, 1 << 20), 6);
	assert_string_equal(text, "middle");
	assert_int_equal(faccessat(t->dirfd, ".links", F_OK, 0), -1);
}

static void copies_any_depth(void **arg)
{
	struct trees *t = *arg;
	char name[256];
	memset(name, 'n', 255);
	name[255] = 0;
	int at = dup(t->from);
	for (int i = 0; i < 60; i++) { // paths of 15 KiB
		assert_int_equal(mkdirat(at, name, 0755), 0);
		int below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(at);
		at = below;
	}
	write_at(at, "deep", "x", 0);
	close(at);
	assert_fine(copy_tree(t->from, t->to, t->dirfd));
	at = dup(t->to);
	for (int i = 0; i < 60; i++) {
		int below = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(below >= 0);
		close(at);
		at = below;
	}
	assert_int_equal(faccessat(at, "deep", F_OK, 0), 0);
	close(at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define COPY_TEST(name) cmocka_unit_test_setup_teardown(name, make_trees, remove_trees)
		COPY_TEST(copies_attributes),
		COPY_TEST(copies_what_root_makes),
		COPY_TEST(copies_hard_links_and_holes),
		COPY_TEST(copies_any_depth),
	};
	return cmocka_run_group_tests_name("snapshot: copies", tests, NULL, NULL);
}
