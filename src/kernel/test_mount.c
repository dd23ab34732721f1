// SPDX-License-Identifier: Apache-2.0
#include "base/memory.h"
#include "kernel/idmap.h"
#include "kernel/mount.h"
#include "kernel/mount_log.h"
#include "sys/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include <cmocka.h>

#include "kernel/test_child.h"

static int open_path(const char *path)
{
	return open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
}

static int make_file(const char *path, const char *text)
{
	auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd < 0 ? -1 : (int)write(fd, text, strlen(text));
}

static bool has_text(int dirfd, const char *path, const char *wanted)
{
	char text[64] = "";
	auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	return n >= 0 && strcmp(text, wanted) == 0;
}

// ---- Options ------------------------------------------------------------------------------------

static void options(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t set, clear, recursive_set, propagation;
		size_t n_data;
		bool bind, recursive;
	} cases[] = {
		{"", 0, 0, 0, 0, 0, false, false},
		{"nosuid,noexec,nodev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV, 0,
	         0, 0, 0, false, false},
		{"ro,rw", 0, MOUNT_ATTR_RDONLY, 0, 0, 0, false, false},
		{"rw,ro", MOUNT_ATTR_RDONLY, 0, 0, 0, 0, false, false},
		{"noatime,strictatime", MOUNT_ATTR_STRICTATIME, 0x70, 0, 0, 0, false, false},
		{"strictatime,mode=755,size=65536k", MOUNT_ATTR_STRICTATIME, 0x70, 0, 0, 2, false,
	         false},
		{"rbind,rslave,rro", 0, 0, MOUNT_ATTR_RDONLY, MS_SLAVE, 0, true, true},
		{"rbind,bind", 0, 0, 0, 0, 0, true, true},
		{"private,rshared", 0, 0, 0, MS_SHARED, 0, false, false},
		{"newinstance,gid=5,,", 0, 0, 0, 0, 2, false, false},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		auto_mount_options struct mount_options o = {0};
		assert_null(mount_options_parse(&cases[i].text, 1, &o));
		assert_true(o.set == cases[i].set && o.clear == cases[i].clear);
		assert_true(o.recursive_set == cases[i].recursive_set);
		assert_true(o.propagation == cases[i].propagation);
		assert_int_equal(o.n_data, cases[i].n_data);
		assert_true(o.bind == cases[i].bind && o.recursive == cases[i].recursive);
	}
	auto_mount_options struct mount_options o = {0};
	const char *list[] = {"mode=1777", "x=a=b", "flag"};
	assert_null(mount_options_parse(list, 3, &o));
	assert_string_equal(o.data[0].value, "1777");
	assert_string_equal(o.data[1].value, "a=b");
	assert_null(o.data[2].value);
}

static void bad_options(void **state)
{
	(void)state;
	auto_free char *long_value = alloc(5000), *many = alloc(2000);
	memset(long_value, 'x', 4998);
	memset(many, ',', 1999);
	for (size_t i = 0; i < 1999; i += 2)
		many[i] = 'x';
	auto_free char *too_long = alloc_printf("mount option \"%.64s…\": too long", long_value);
	const struct {
		const char *text, *message;
	} cases[] = {
		{"=x", "mount option \"=x\": no name"},
		{long_value, too_long},
		{many, "more than 256 mount options"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mount_options o;
		auto_error struct error *e = mount_options_parse(&cases[i].text, 1, &o);
		assert_non_null(e);
		assert_true(error_is(e, ERROR_INVALID));
		assert_string_equal(e->message, cases[i].message);
	}
}

// ---- Mounts -------------------------------------------------------------------------------------

static int make_ctr_mounts(void)
{
	static const struct {
		const char *type, *options;
	} mounts[] = {
		{"proc", "nosuid,noexec,nodev"},
		{"tmpfs", "nosuid,strictatime,mode=755,size=65536k"},
		{"devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"},
		{"mqueue", "nosuid,noexec,nodev"},
		{"sysfs", "nosuid,noexec,nodev,ro"},
		{"cgroup2", "ro,nosuid"},
	};
	CHECK(mkdir("t", 0755) == 0);
	for (size_t i = 0; i < sizeof(mounts) / sizeof(*mounts); i++) {
		auto_mount_options struct mount_options o = {0};
		CHECK_OK(mount_options_parse(&mounts[i].options, 1, &o));
		auto_fd int mount = -1, target = open_path("t");
		char log[128];
		errno = mount_make(mounts[i].type, NULL, &o, &mount, log, sizeof(log));
		CHECK(errno == 0);
		CHECK(mount_attach(mount, target) == 0);
		struct statvfs fs;
		CHECK(statvfs("t", &fs) == 0);
		CHECK(fs.f_flag & ST_NOSUID);
		CHECK(!(fs.f_flag & ST_RDONLY) == !(o.set & MOUNT_ATTR_RDONLY));
		CHECK(mount_detach(mount) == 0);
	}
	return CHILD_OK;
}

static int kernels_own_words(void)
{
	const char *text = "nosuch=1";
	auto_mount_options struct mount_options o = {0};
	CHECK_OK(mount_options_parse(&text, 1, &o));
	int mount = -1;
	char log[128], small[8];
	CHECK(mount_make("tmpfs", NULL, &o, &mount, log, sizeof(log)) == EINVAL);
	CHECK(strcmp(log, "tmpfs: Unknown parameter 'nosuch'") == 0);
	CHECK(mount_make("tmpfs", NULL, &o, &mount, small, sizeof(small)) == EINVAL);
	CHECK(strcmp(small, "") == 0);
	CHECK(mount_make("tmpfs", NULL, &o, &mount, NULL, 0) == EINVAL);
	CHECK(mount_make("nosuch", NULL, NULL, &mount, log, sizeof(log)) == ENODEV);
	CHECK(mount == -1);
	return CHILD_OK;
}

static int bind_read_only(void)
{
	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && make_file("a/f", "x") == 1);
	CHECK(symlink("f", "a/link") == 0 && make_file("file", "") == 0);
	auto_fd int a = open_path("a"), b = open_path("b"), mount = -1, file = -1;
	CHECK(mount_clone_readonly(a, false, &mount) == 0);
	CHECK(mount_attach(mount, b) == 0);
	CHECK(has_text(AT_FDCWD, "b/f", "x"));
	CHECK(make_file("b/f", "y") == -1 && errno == EROFS);
	CHECK(make_file("a/f", "y") == 1);
	CHECK(mount_clone(a, "link", false, &file) == ELOOP);
	CHECK(mount_clone(a, "f", false, &file) == 0);
	CHECK(mount_attach(file, b) == EINVAL);
	auto_fd int target = open_path("file");
	CHECK(mount_attach(file, target) == 0);
	CHECK(has_text(AT_FDCWD, "file", "y"));
	CHECK(mount_detach(file) == 0);
	CHECK(mount_detach(target) == EINVAL); // nothing is mounted there any more
	CHECK(mount_change(mount, 0, MOUNT_ATTR_RDONLY, MS_SLAVE, false) == 0);
	CHECK(make_file("b/f", "z") == 1);
	return CHILD_OK;
}

static int idmapped(void)
{
	CHECK(mkdir("a", 0755) == 0 && mkdir("b", 0755) == 0 && make_file("a/f", "x") == 1);
	struct id_map map = {0, 100000, 65536};
	const struct id_maps maps = {&map, &map, 1, 1};
	auto_fd int userns = -1, mount = -1, a = open_path("a"), b = open_path("b");
	CHECK_OK(idmap_make(&maps, &userns));
	CHECK(mount_clone(a, "", false, &mount) == 0);
	int sys = mount_idmap(mount, userns, false);
	if (sys == EINVAL) {
		fprintf(stderr, "SKIP: no idmapped tmpfs\n");
		return CHILD_SKIPPED;
	}
	CHECK(sys == 0 && mount_attach(mount, b) == 0);
	struct stat st;
	CHECK(stat("b/f", &st) == 0 && st.st_uid == 100000 && st.st_gid == 100000);
	CHECK(id_map_outside(&map, 1, 5) == 100005 && id_map_outside(&map, 1, 65536) == -1);
	struct id_map double_map[] = {{0, 1, 10}, {9, 100, 1}}, zero = {0, 0, 0};
	const struct id_maps overlap = {double_map, &map, 2, 1}, empty = {&map, &map, 1, 0},
			     none = {&zero, &map, 1, 1};
	CHECK_ERROR(idmap_make(&overlap, &userns), "uid map: 9:100:1 overlaps another");
	CHECK_ERROR(idmap_make(&empty, &userns), "gid map: empty");
	CHECK_ERROR(idmap_make(&none, &userns), "uid map: 0:0:0 is no range of IDs");
	return CHILD_OK;
}

static int maps_read(void)
{
	struct id_map uids[] = {{0, 100000, 10}, {20, 300000, 5}}, gid = {0, 200000, 65536};
	const struct id_maps maps = {uids, &gid, 2, 1};
	auto_fd int userns = -1;
	auto_arena struct arena *arena = arena_new();
	struct id_maps back = {0};
	bool denies_groups = true;
	CHECK_OK(idmap_make(&maps, &userns));
	CHECK_OK(idmap_read(userns, arena, &back, &denies_groups));
	CHECK(back.n_uids == 2 && !memcmp(back.uids, uids, sizeof uids));
	CHECK(back.n_gids == 1 && !memcmp(back.gids, &gid, sizeof gid));
	CHECK(!denies_groups);
	auto_fd int ours = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	CHECK_ERROR(idmap_read(ours, arena, &back, &denies_groups),
	            "enter a user namespace: Invalid argument");
	CHECK_ERROR(id_maps_read(0, arena, &back, &denies_groups), "process 0: not found");
	return CHILD_OK;
}

static int make_tree_and_attach(int *ret_mount)
{
	CHECK(mkdir("root", 0755) == 0);
	CHECK(mount_make("tmpfs", "newroot", NULL, ret_mount, NULL, 0) == 0);
	auto_fd int target = open_path("root");
	CHECK(mount_attach(*ret_mount, target) == 0);
	CHECK(mkdirat(*ret_mount, "inside", 0755) == 0);
	return CHILD_OK;
}

static int pivot(void)
{
	auto_fd int mount = -1;
	CHECK(make_tree_and_attach(&mount) == CHILD_OK);
	CHECK(mount_pivot(mount) == 0);
	CHECK(access("/inside", F_OK) == 0 && access("inside", F_OK) == 0);
	CHECK(access("/proc", F_OK) < 0 && access("/..//inside", F_OK) == 0);
	return CHILD_OK;
}

static int move_root(void)
{
	auto_fd int mount = -1;
	CHECK(make_tree_and_attach(&mount) == CHILD_OK);
	CHECK(mount_move_root(mount) == 0);
	CHECK(access("/inside", F_OK) == 0 && access("/proc", F_OK) < 0);
	return CHILD_OK;
}

// ---- Overlay ------------------------------------------------------------------------------------

static int make_layers(int *lowers, int n)
{
	CHECK(mkdir("up", 0755) == 0 && mkdir("work", 0755) == 0 && mkdir("m", 0755) == 0);
	for (int i = 0; i < n; i++) {
		auto_free char *dir = alloc_printf("l%d", i);
		auto_free char *own = alloc_printf("l%d/f%d", i, i);
		auto_free char *shared = alloc_printf("l%d/top", i);
		CHECK(mkdir(dir, 0755) == 0 && make_file(own, "x") == 1 &&
		      make_file(shared, i == 0 ? "first" : "other") == 5);
		lowers[i] = open_path(dir);
		CHECK(lowers[i] >= 0);
	}
	return CHILD_OK;
}

static int overlay_works(enum overlay_way way, int n, bool user_xattrs)
{
	int lowers[40];
	CHECK(make_layers(lowers, n) == CHILD_OK);
	auto_fd int upper = open_path("up"), work = open_path("work"), mount = -1;
	struct mount_overlay o = {lowers, (size_t)n, upper, work, true, user_xattrs};
	bool next = false;
	auto_error struct error *e = mount_overlay_by(way, &o, &mount, &next);
	if (e && next) {
		fprintf(stderr, "SKIP: way %d: %s\n", way, e->message);
		return CHILD_SKIPPED;
	}
	if (e)
		fprintf(stderr, "%s\n", e->message);
	CHECK(!e && access("l0", F_OK) == 0); // the working directory is back
	CHECK(has_text(mount, "top", "first"));
	auto_free char *last = alloc_printf("f%d", n - 1);
	CHECK(has_text(mount, last, "x"));
	auto_fd int target = open_path("m");
	CHECK(mount_attach(mount, target) == 0);
	CHECK(make_file("m/new", "y") == 1 && has_text(upper, "new", "y"));
	return CHILD_OK;
}

static int overlay_by_fd(void)
{
	return overlay_works(OVERLAY_BY_FD, 40, false);
}

static int overlay_by_name(void)
{
	return overlay_works(OVERLAY_BY_NAME, 40, false);
}

static int overlay_by_string(void)
{
	return overlay_works(OVERLAY_BY_STRING, 40, false);
}

static int overlay_user_xattrs(void)
{
	return overlay_works(OVERLAY_BY_FD, 2, true);
}

static int mapped_works(const int *lowers, int userns)
{
	auto_fd int upper = open_path("up"), work = open_path("work"), mount = -1;
	const struct mount_overlay o = {lowers, 3, upper, work, false, false};
	auto_error struct error *e = mount_make_mapped_overlay(&o, userns, &mount);
	if (e && e->code == ERROR_UNSUPPORTED) {
		fprintf(stderr, "SKIP: no idmapped tmpfs\n");
		return CHILD_SKIPPED;
	}
	if (e)
		fprintf(stderr, "%s\n", e->message);
	auto_fd int target = open_path("m");
	struct stat st;
	CHECK(!e && mount_attach(mount, target) == 0);
	CHECK(stat("m/f2", &st) == 0 && st.st_uid == 100000 && st.st_gid == 100000);
	CHECK(stat("l2/f2", &st) == 0 && st.st_uid == 0);
	CHECK(make_file("m/new", "y") == 1 && has_text(upper, "new", "y"));
	CHECK(mount_detach(mount) == 0 && unlink("up/new") == 0);
	return CHILD_OK;
}

static int overlay_mapped(void)
{
	int lowers[3];
	struct id_map map = {0, 100000, 65536};
	const struct id_maps maps = {&map, &map, 1, 1};
	auto_fd int userns = -1, view = -1;
	CHECK(make_layers(lowers, 3) == CHILD_OK);
	CHECK_OK(idmap_make(&maps, &userns));
	int outcome = mapped_works(lowers, userns);
	if (outcome != CHILD_OK)
		return outcome;
	struct stat st;
	struct mount_overlay one = {lowers, 1, -1, -1, false, false};
	CHECK_OK(mount_make_mapped_overlay(&one, userns, &view));
	CHECK(fstatat(view, "f0", &st, 0) == 0 && st.st_uid == 100000);
	auto_fd int covered = open_path("l1"), cover = -1;
	one.lowers = &covered;
	CHECK(mount_clone(lowers[0], "", false, &cover) == 0 && mount_attach(cover, covered) == 0);
	auto_error struct error *e = mount_make_mapped_overlay(&one, userns, &view);
	CHECK(e && strstr(e->message, "/l1: is covered by a mount"));
	return CHILD_OK;
}

static int overlay_refuses(void)
{
	int lowers[3], many[501];
	CHECK(make_layers(lowers, 3) == CHILD_OK);
	auto_fd int upper = open_path("up"), mount = -1, file = open_path("l0/f0");
	struct mount_overlay o = {lowers, 0, -1, -1, false, false};
	CHECK_ERROR(mount_make_overlay(&o, &mount), "overlay without a layer");
	o.n_lowers = 3;
	o.upper = upper;
	CHECK_ERROR(mount_make_overlay(&o, &mount),
	            "overlay needs both an upper and a work directory");
	o.upper = -1;
	for (size_t i = 0; i < 501; i++)
		many[i] = lowers[i % 3];
	o.lowers = many;
	o.n_lowers = 501;
	CHECK_ERROR(mount_make_overlay(&o, &mount),
	            "overlay of 501 layers: at most 500 are possible");
	o.n_lowers = 200; // too long for one string
	bool next;
	CHECK_ERROR(mount_overlay_by(OVERLAY_BY_STRING, &o, &mount, &next),
	            "overlay of 200 layers: too many for this kernel");
	int with_file[] = {lowers[0], file};
	o.lowers = with_file;
	o.n_lowers = 2;
	auto_error struct error *e = mount_make_overlay(&o, &mount);
	CHECK(e && strstr(e->message, "overlay of 2 layers"));
	CHECK(mount == -1);
	return CHILD_OK;
}

static int overlay_views(void)
{
	int lowers[2];
	CHECK(make_layers(lowers, 2) == CHILD_OK);
	for (size_t n = 1; n <= 2; n++) {
		struct mount_overlay o = {lowers, n, -1, -1, false, false};
		auto_fd int mount = -1, target = open_path("m");
		CHECK_OK(mount_make_overlay(&o, &mount));
		CHECK(mount_attach(mount, target) == 0);
		CHECK(has_text(AT_FDCWD, "m/top", "first"));
		CHECK(make_file("m/new", "x") == -1 && errno == EROFS);
		CHECK(mount_detach(mount) == 0);
	}
	return CHILD_OK;
}

// A layer that says "this directory was renamed from /secret": must not show it.
static int overlay_forged_redirect(void)
{
	int lowers[2];
	CHECK(make_layers(lowers, 2) == CHILD_OK);
	CHECK(mkdir("l1/secret", 0755) == 0 && make_file("l1/secret/f", "s") == 1);
	CHECK(mkdir("l0/public", 0755) == 0);
	if (setxattr("l0/public", "trusted.overlay.redirect", "/secret", 7, 0) < 0) {
		perror("SKIP: no trusted xattrs");
		return CHILD_SKIPPED;
	}
	auto_fd int upper = open_path("up"), work = open_path("work"), mount = -1;
	struct mount_overlay o = {lowers, 2, upper, work, false, false};
	CHECK_OK(mount_make_overlay(&o, &mount));
	CHECK(!has_text(mount, "public/f", "s"));
	return CHILD_OK;
}

#define MOUNT_TEST(f)                      \
	static void test_##f(void **state) \
	{                                  \
		(void)state;               \
		IN_CHILD(f, 1);            \
	}
MOUNT_TEST(make_ctr_mounts)
MOUNT_TEST(kernels_own_words)
MOUNT_TEST(bind_read_only)
MOUNT_TEST(idmapped)
MOUNT_TEST(maps_read)
MOUNT_TEST(pivot)
MOUNT_TEST(move_root)
MOUNT_TEST(overlay_by_fd)
MOUNT_TEST(overlay_by_name)
MOUNT_TEST(overlay_by_string)
MOUNT_TEST(overlay_user_xattrs)
MOUNT_TEST(overlay_refuses)
MOUNT_TEST(overlay_mapped)
MOUNT_TEST(overlay_views)
MOUNT_TEST(overlay_forged_redirect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(bad_options),
		cmocka_unit_test(test_make_ctr_mounts),
		cmocka_unit_test(test_kernels_own_words),
		cmocka_unit_test(test_bind_read_only),
		cmocka_unit_test(test_idmapped),
		cmocka_unit_test(test_maps_read),
		cmocka_unit_test(test_pivot),
		cmocka_unit_test(test_move_root),
		cmocka_unit_test(test_overlay_by_fd),
		cmocka_unit_test(test_overlay_by_name),
		cmocka_unit_test(test_overlay_by_string),
		cmocka_unit_test(test_overlay_user_xattrs),
		cmocka_unit_test(test_overlay_refuses),
		cmocka_unit_test(test_overlay_mapped),
		cmocka_unit_test(test_overlay_views),
		cmocka_unit_test(test_overlay_forged_redirect),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
