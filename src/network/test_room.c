// SPDX-License-Identifier: Apache-2.0
#include "network/test_room.h"
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char *const plugin_dirs[] = {"/run/room/bin", NULL};
const struct network_paths paths = {.conf_dir = "/run/room/net.d",
                                    .plugin_dirs = plugin_dirs,
                                    .cache_dir = "/run/room/results",
                                    .lease_dir = "/run/room/networks",
                                    .owner_dir = "/run/room/owner",
                                    .netns_dir = "/run/netns",
                                    .resolv_conf = "/run/room/resolv.conf",
                                    .plugin_timeout_ms = 20000};
char warnings[4096];

static void __attribute__((noreturn)) give_up(void)
{
	fflush(stderr);
	_exit(1);
}

void must(struct error *e)
{
	if (!e)
		return;
	fprintf(stderr, "unexpected error: %s\n", e->message);
	give_up();
}

void must_fail(struct error *e, const char *part)
{
	if (!e || !strstr(e->message, part)) {
		fprintf(stderr, "wanted an error with \"%s\", got: %s\n", part,
		        e ? e->message : "none");
		give_up();
	}
	error_free(e);
}

void check(bool ok, const char *format, ...)
{
	if (ok)
		return;
	va_list args;
	va_start(args, format);
	fputs("check failed: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	give_up();
}

bool shell_ok(const char *line)
{
	const char *const argv[] = {"/bin/sh", "-c", line, NULL};
	int status;
	must(process_run(argv, NULL, NULL, &status));
	return status == 0;
}

void shell(const char *line)
{
	check(shell_ok(line), "%s", line);
}

struct network_config *load(const char *text, bool is_list)
{
	struct network_config *config;
	must(network_config_parse(text, strlen(text), "test", is_list, &config));
	return config;
}

static void warn(void *context, const char *message)
{
	(void)context;
	size_t n = strlen(warnings);
	snprintf(warnings + n, sizeof(warnings) - n, "%s\n", message);
}

struct life life_begin(const char *id)
{
	struct life l = {0};
	snprintf(l.name, sizeof(l.name), "%s", id);
	char guid[NETWORK_GUID_SIZE];
	must(network_guid_new(guid));
	snprintf(l.netns, sizeof(l.netns), "%s", guid);
	l.attachment = (struct network_attachment){.store_id = "store",
	                                           .ns = "default",
	                                           .id = strdup(id),
	                                           .instance = random_u64(),
	                                           .warn = warn};
	must(network_namespace_create(&paths, "store", guid, &l.attachment.netns_fd));
	l.attachment.netns_path = network_namespace_path(&paths, guid);
	l.attachment.ifname = "eth0";
	return l;
}

void life_end(struct life *l)
{
	fd_cleanup_(&l->attachment.netns_fd);
	must(network_namespace_delete(&paths, "store", l->netns));
}

bool ping(const struct life *from, const char *to)
{
	auto_free char *line = alloc_printf(
		"nsenter --net=/run/netns/cni-%s busybox ping -c 1 -W 2 %s >/dev/null 2>&1",
		from->netns, to);
	return shell_ok(line);
}

static bool eventually(const char *condition)
{
	auto_free char *line = alloc_printf("{ %s; } >/dev/null", condition);
	// DEL leaves things for after its answer, and namespaces die in the kernel's own time.
	for (int i = 0; i < 1000; i++) {
		if (shell_ok(line))
			return true;
		usleep(10000);
	}
	return false;
}

void nothing_left(void)
{
	static const struct {
		const char *what, *line;
	} kinds[] = {
		// clang-format off
		{"a record", "! ls /run/room/owner/store 2>/dev/null | grep -v netns-"},
		{"a lease", "! find /run/room/networks -type f -o -type l 2>/dev/null | "
			    "grep -v -e /lock$ -e /last_reserved_ip"},
		{"a cache", "! find /run/room/results -type f 2>/dev/null | grep ."},
		{"an element", "! nft list ruleset | grep store/"},
		{"an interface", "! ip -o link show type veth | grep -e cor"},
		// clang-format on
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		check(eventually(kinds[i].line), "%s is left", kinds[i].what);
}

static void enter_room(void)
{
	check(unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "unshare");
	check(mount(NULL, "/", NULL, MS_PRIVATE | MS_REC, NULL) == 0, "private mounts");
	check(mount("room", "/run", "tmpfs", 0, NULL) == 0, "tmpfs");
	shell("mkdir -p /run/room/bin /run/room/net.d && ip link set lo up");
}

void in_a_room(void (*body)(void))
{
	if (geteuid() != 0) {
		fputs("skipped: needs root for namespaces\n", stderr);
		skip();
	}
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		enter_room();
		body();
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}
