// SPDX-License-Identifier: Apache-2.0
#include "runtime/linux/plan.h"
#include "base/text.h"
#include "kernel/kernel.h"
#include "sys/sys.h"
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

void plan_warn(const struct runtime_request *request, const char *format, ...)
{
	if (!request->warn)
		return;
	va_list args;
	va_start(args, format);
	auto_free char *message = alloc_vprintf(format, args);
	va_end(args);
	request->warn(request->context, message);
}

void plan_step(const struct runtime_request *request, const char *step)
{
	if (request->step)
		request->step(request->context, step);
}

const char *plan_errno_text(int sys)
{
	static const struct {
		int sys;
		const char *text;
	} texts[] = {
		{ENOENT, "no such file or directory"},
		{EACCES, "permission denied"},
		{EPERM, "operation not permitted"},
		{ENOTDIR, "not a directory"},
		{EISDIR, "is a directory"},
		{ELOOP, "too many levels of symbolic links"},
		{ENOEXEC, "exec format error"},
		{E2BIG, "argument list too long"},
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		if (texts[i].sys == sys)
			return texts[i].text;
	}
	return strerror(sys);
}

char *plan_clean_path(struct arena *arena, const char *path)
{
	char *clean = arena_alloc(arena, strlen(path) + 2);
	size_t used = 0;
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			while (used && clean[--used] != '/')
				;
		} else if (n && !(n == 1 && p[0] == '.')) {
			clean[used++] = '/';
			memcpy(clean + used, p, n);
			used += n;
		}
		p += n;
		p += strspn(p, "/");
	}
	if (!used)
		clean[used++] = '/';
	clean[used] = 0;
	return clean;
}

// ---- Root ---------------------------------------------------------------------------------------

static const struct {
	const char *word;
	uint64_t flag;
	bool is_recursive;
} propagations[] = {
	// clang-format off
	{"private",    MS_PRIVATE},    {"rprivate",    MS_PRIVATE,    true},
	{"slave",      MS_SLAVE},      {"rslave",      MS_SLAVE,      true},
	{"shared",     MS_SHARED},     {"rshared",     MS_SHARED,     true},
	{"unbindable", MS_UNBINDABLE}, {"runbindable", MS_UNBINDABLE, true},
	// clang-format on
};

static fallible make_root(const struct runtime_root *root, struct plan *plan, int *ret)
{
	if (root->kind == RUNTIME_ROOT_OVERLAY && root->is_mapped && plan->has_user_namespace)
		return plan_mapped_overlay(root, plan, ret);
	if (root->kind == RUNTIME_ROOT_OVERLAY) {
		const struct mount_overlay overlay = {.lowers = root->lowers,
		                                      .n_lowers = root->n_lowers,
		                                      .upper = root->upper,
		                                      .work = root->work,
		                                      .is_volatile = root->is_volatile};
		TRY_AS(mount_make_overlay(&overlay, ret), "root file system");
		return NULL;
	}
	struct stat st;
	if (fstat(root->dirfd, &st) < 0)
		FAIL_ERRNO("root file system");
	if (!S_ISDIR(st.st_mode))
		return error_new(ERROR_INVALID, "root file system: not a directory");
	int sys = mount_clone(root->dirfd, "", true, ret);
	if (!sys) // what is mounted below later is none of the container's business
		sys = mount_change(*ret, 0, 0, MS_PRIVATE, true);
	if (sys)
		return error_system(sys, "root file system: clone");
	return root->is_mapped && plan->has_user_namespace ? plan_map_mount(plan, *ret) : NULL;
}

fallible plan_root(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_spec *spec = request->spec;
	plan->root_readonly = spec->root.readonly;
	plan->no_pivot = request->no_pivot;
	for (size_t i = 0; i < sizeof propagations / sizeof *propagations; i++) {
		if (text_equal(spec->linux_.rootfs_propagation, propagations[i].word)) {
			plan->root_propagation = propagations[i].flag;
			plan->root_propagation_recursive = propagations[i].is_recursive;
		}
	}
	if (spec->linux_.rootfs_propagation && !plan->root_propagation)
		return error_new(ERROR_INVALID, "rootfsPropagation=%.64s is not supported",
		                 spec->linux_.rootfs_propagation);
	return make_root(&request->root, plan, &plan->root);
}

// ---- Namespaces ---------------------------------------------------------------------------------

static fallible join(struct plan *plan, const struct oci_namespace *ns,
                     const struct namespace_kind *kind)
{
	struct stat st;
	if (lstat(ns->path, &st) < 0) // runc's words
		return error_new(ERROR_NOT_FOUND, "namespace path: lstat %s: %s", ns->path,
		                 plan_errno_text(errno));
	int fd = -1;
	TRY_AS(namespace_open(kind, ns->path, &fd), "namespace path");
	if (ns->type == OCI_NAMESPACE_PID)
		plan->pid_namespace = fd; // holds for children only: entered by init's parent
	else if (ns->type == OCI_NAMESPACE_USER)
		plan->user_namespace = fd;
	else
		plan->joins[plan->n_joins++] = (struct plan_join){fd, kind->clone_flag};
	return NULL;
}

static fallible take_namespace(struct plan *plan, const struct oci_namespace *ns, bool has_netns)
{
	static const char *const types[OCI_NAMESPACE_TYPES] = {
		[OCI_NAMESPACE_PID] = "pid",       [OCI_NAMESPACE_NETWORK] = "network",
		[OCI_NAMESPACE_MOUNT] = "mount",   [OCI_NAMESPACE_IPC] = "ipc",
		[OCI_NAMESPACE_UTS] = "uts",       [OCI_NAMESPACE_USER] = "user",
		[OCI_NAMESPACE_CGROUP] = "cgroup", [OCI_NAMESPACE_TIME] = "time",
	};
	const struct namespace_kind *kind = namespace_find(types[ns->type]);
	if (ns->type == OCI_NAMESPACE_TIME)
		return error_new(ERROR_UNSUPPORTED,
		                 "linux.namespaces: time namespaces are not supported yet");
	if (ns->type == OCI_NAMESPACE_MOUNT && ns->path)
		return error_new(ERROR_UNSUPPORTED,
		                 "linux.namespaces: joining a mount namespace is not supported");
	if (ns->type == OCI_NAMESPACE_NETWORK && has_netns)
		return NULL;
	plan->has_user_namespace |= ns->type == OCI_NAMESPACE_USER;
	if (ns->path)
		return join(plan, ns, kind);
	if (ns->type == OCI_NAMESPACE_CGROUP)
		plan->new_cgroup_namespace = true;
	else
		plan->clone_flags |= kind->clone_flag;
	plan->new_network |= ns->type == OCI_NAMESPACE_NETWORK;
	return NULL;
}

fallible plan_namespaces(const struct runtime_request *request, struct plan *plan)
{
	const struct oci_spec *spec = request->spec;
	const struct oci_namespaces *list = &spec->linux_.namespaces;
	plan->joins = arena_alloc(plan->arena, (list->n + 1) * sizeof *plan->joins);
	plan->clone_flags = CLONE_NEWNS;
	for (size_t i = 0; i < list->n; i++)
		TRY(take_namespace(plan, &list->items[i], request->netns_fd >= 0));
	if (request->netns_fd >= 0) {
		int fd = fcntl(request->netns_fd, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			FAIL_ERRNO("network namespace");
		plan->joins[plan->n_joins++] = (struct plan_join){fd, CLONE_NEWNET};
	}
	plan->hostname = spec->hostname && *spec->hostname ? spec->hostname : NULL;
	plan->domainname = spec->domainname && *spec->domainname ? spec->domainname : NULL;
	if ((plan->hostname || plan->domainname) && !oci_spec_namespace(spec, OCI_NAMESPACE_UTS))
		return error_new(ERROR_INVALID,
		                 "hostname: can't be set without a UTS namespace of its own");
	return NULL;
}

// ---- sysctl -------------------------------------------------------------------------------------

// What belongs to a namespace; anything else would change the host. As runc.
static const struct {
	const char *prefix;
	enum oci_namespace_type type;
} sysctl_kinds[] = {
	{"net.", OCI_NAMESPACE_NETWORK},          {"fs.mqueue.", OCI_NAMESPACE_IPC},
	{"kernel.msg", OCI_NAMESPACE_IPC},        {"kernel.sem", OCI_NAMESPACE_IPC},
	{"kernel.shm", OCI_NAMESPACE_IPC},        {"kernel.hostname", OCI_NAMESPACE_UTS},
	{"kernel.domainname", OCI_NAMESPACE_UTS},
};

static bool is_own_sysctl(const struct oci_spec *spec, const char *key)
{
	for (size_t i = 0; i < sizeof sysctl_kinds / sizeof *sysctl_kinds; i++) {
		if (text_starts(key, sysctl_kinds[i].prefix))
			return oci_spec_namespace(spec, sysctl_kinds[i].type) != NULL;
	}
	return false;
}

fallible plan_sysctls(const struct oci_spec *spec, struct plan *plan)
{
	const struct oci_pairs *list = &spec->linux_.sysctl;
	plan->sysctls = arena_alloc(plan->arena, (list->n + 1) * sizeof *plan->sysctls);
	for (size_t i = 0; i < list->n; i++) {
		const char *key = list->items[i].key;
		char *name = arena_string(plan->arena, key);
		// "net/ipv4/conf/eth0.1/…" has dots in names, as sysctl(8) takes it.
		if (!strchr(name, '/') || strcspn(name, ".") < strcspn(name, "/")) {
			for (char *p = name; *p; p++)
				*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
		}
		char *dotted = arena_string(plan->arena, name);
		for (char *p = dotted; *p; p++)
			*p = *p == '/' ? '.' : *p;
		if (strstr(name, "..") || !is_own_sysctl(spec, dotted))
			return error_new(ERROR_INVALID,
			                 "sysctl \"%.64s\" is not in a separate kernel namespace",
			                 key);
		plan->sysctls[plan->n_sysctls++] = (struct plan_sysctl){
			arena_printf(plan->arena, "sys/%s", name), list->items[i].value};
	}
	return NULL;
}

// ---- All ----------------------------------------------------------------------------------------

fallible plan_refuse(const struct oci_spec *spec)
{
	const struct oci_linux *l = &spec->linux_;
	const struct {
		bool is_wanted;
		const char *what;
	} wishes[] = {
		{spec->process.selinux_label && *spec->process.selinux_label,
	         "process.selinuxLabel: SELinux is"},
		{l->mount_label && *l->mount_label, "linux.mountLabel: SELinux is"},
		{l->monotonic_offset.set || l->boottime_offset.set, "linux.timeOffsets are"},
		{spec->windows.present, "windows: Windows containers are"},
	};
	for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
		if (wishes[i].is_wanted)
			return error_new(ERROR_UNSUPPORTED, "%s not supported yet", wishes[i].what);
	}
	if (!spec->process.present)
		return error_new(ERROR_INVALID, "process: missing");
	return NULL;
}

static struct plan *plan_new(void)
{
	struct arena *arena = arena_new();
	struct plan *plan = arena_alloc(arena, sizeof *plan);
	*plan = (struct plan){.arena = arena,
	                      .pid_namespace = -1,
	                      .root = -1,
	                      .null_mount = -1,
	                      .init_program = -1,
	                      .entrances = {-1, -1, -1, -1, -1, -1, -1, -1},
	                      .filter_fd = -1,
	                      .hooks_fd = -1,
	                      .code = -1,
	                      .proc = -1,
	                      .user_namespace = -1,
	                      .id_mapping = -1,
	                      .rdt_tasks = -1,
	                      .null = -1,
	                      .stdio = {-1, -1, -1},
	                      .console = -1,
	                      .report = -1,
	                      .go = -1,
	                      .sync = -1};
	return plan;
}

// Nothing else would keep a container's root from the host's disks.
static void plan_without_mknod(struct plan *plan)
{
	struct capability_sets *c = &plan->capabilities;
	uint64_t *const sets[] = {&c->bounding, &c->permitted, &c->effective, &c->inheritable,
	                          &c->ambient};
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		*sets[i] &= ~(UINT64_C(1) << CAP_MKNOD);
}

fallible plan_make(const struct runtime_request *request, bool enforces_devices, struct plan **ret)
{
	const struct oci_spec *spec = request->spec;
	TRY(plan_refuse(spec));
	auto_plan struct plan *plan = plan_new();
	TRY(plan_namespaces(request, plan));
	TRY(plan_id_maps(request, plan));
	TRY(plan_rdt(spec, plan));
	TRY(plan_apparmor(spec, plan));
	TRY(plan_process(request, plan));
	TRY(plan_seccomp(request, plan));
	TRY(plan_sysctls(spec, plan));
	TRY(plan_root(request, plan));
	TRY(plan_mounts(request, plan));
	TRY(plan_devices(spec, plan));
	TRY(plan_early_mounts(plan));
	plan->masked = spec->linux_.masked_paths.items;
	plan->n_masked = spec->linux_.masked_paths.n;
	plan->readonly = spec->linux_.readonly_paths.items;
	plan->n_readonly = spec->linux_.readonly_paths.n;
	if (!enforces_devices) {
		plan_without_mknod(plan);
		int sys = mount_change(plan->root, MOUNT_ATTR_NODEV, 0, 0, false);
		if (sys)
			return error_system(sys, "root file system: nodev");
	}
	*ret = take(&plan);
	return NULL;
}

static fallible duplicate(int fd, int *ret)
{
	*ret = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (*ret < 0)
		FAIL_ERRNO("process");
	return NULL;
}

// Init was started without CAP_MKNOD if its group couldn't keep it from devices: no one else gets
// it either.
static fallible has_mknod(pid_t init, bool *ret)
{
	auto_free char *path = alloc_printf("/proc/%d/status", (int)init), *text = NULL;
	TRY(file_read(AT_FDCWD, path, 1 << 16, &text, NULL));
	const char *line = strstr(text, "\nCapBnd:\t");
	uint64_t set = 0;
	if (line) {
		auto_free char *number = alloc_bytes(line + 9, strcspn(line + 9, "\n"));
		TRY_AS(text_parse_u64(number, 16, UINT64_MAX, &set), "%s", path);
	}
	*ret = set >> CAP_MKNOD & 1;
	return NULL;
}

fallible plan_make_exec(const struct runtime_request *request, int init_pidfd, pid_t init,
                        struct plan **ret)
{
	const struct oci_spec *spec = request->spec;
	TRY(plan_refuse(spec));
	auto_plan struct plan *plan = plan_new();
	plan->is_exec = true;
	// Those that the container shares with us are entered as well, which changes nothing; only
	// one's own user namespace can't be.
	uint64_t all = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
	plan->has_user_namespace = oci_spec_namespace(spec, OCI_NAMESPACE_USER) != NULL;
	if (plan->has_user_namespace) {
		all |= CLONE_NEWUSER;
		TRY(id_maps_read(init, plan->arena, &plan->ids, &plan->denies_groups));
	}
	TRY(plan_rdt(spec, plan));
	TRY(plan_apparmor(spec, plan));
	plan->joins = arena_alloc(plan->arena, sizeof *plan->joins);
	plan->joins[0] = (struct plan_join){-1, all};
	plan->n_joins = 1;
	TRY(duplicate(init_pidfd, &plan->joins[0].fd));
	TRY(duplicate(init_pidfd, &plan->pid_namespace));
	TRY(plan_process(request, plan));
	bool may_mknod = false;
	TRY(has_mknod(init, &may_mknod));
	if (!may_mknod)
		plan_without_mknod(plan);
	TRY(plan_seccomp(request, plan));
	TRY(plan_null(plan));
	*ret = take(&plan);
	return NULL;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void plan_close(struct plan *plan)
{
	close_fd(&plan->root);
	close_fd(&plan->pid_namespace);
	close_fd(&plan->user_namespace);
	close_fd(&plan->id_mapping);
	close_fd(&plan->null_mount);
	close_fd(&plan->null);
	close_fd(&plan->init_program);
	close_fd(&plan->filter_fd);
	close_fd(&plan->hooks_fd);
	close_fd(&plan->code);
	close_fd(&plan->proc);
	for (size_t i = 0; i < plan->n_devices; i++)
		close_fd(&plan->devices[i].source);
	for (size_t i = 0; i < plan->n_joins; i++)
		close_fd(&plan->joins[i].fd);
	for (size_t i = 0; i < CGROUP_ENTRANCES; i++)
		close_fd(&plan->entrances[i]);
	for (size_t i = 0; i < plan->n_mounts; i++)
		close_fd(&plan->mounts[i].source);
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	plan_close(plan);
	close_fd(&plan->rdt_tasks);
	for (size_t i = 0; i < plan->n_mounts; i++)
		mount_options_done(&plan->mounts[i].options);
	seccomp_filter_done(&plan->filter);
	arena_free(plan->arena);
}
