// SPDX-License-Identifier: Apache-2.0
// run and spec: from flags to engine's request.
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/print.h"
#include "cli/session.h"
#include "cli/units.h"
#include "engine/spec.h"
#include "oci/names.h"
#include <fcntl.h>
#include <math.h>
#include <unistd.h>

#define FILE_LIMIT ((size_t)4 << 20) // of --env-file and its like

// The lists of a request point into these; all is freed at once.
enum list {
	LABELS,
	ANNOTATIONS,
	MOUNTS,
	WITH_NS,
	CAP_ADD,
	CAP_DROP,
	DEVICES,
	VOLUMES,
	TMPFS,
	ULIMITS,
	UIDMAP,
	GIDMAP,
	SNAPSHOT_LABELS,
	LISTS
};
static const char *const list_flags[LISTS] = {
	[LABELS] = "label",
	[ANNOTATIONS] = "annotation",
	[MOUNTS] = "mount",
	[WITH_NS] = "with-ns",
	[CAP_ADD] = "cap-add",
	[CAP_DROP] = "cap-drop",
	[DEVICES] = "device",
	[VOLUMES] = "volume",
	[TMPFS] = "tmpfs",
	[ULIMITS] = "ulimit",
	[UIDMAP] = "uidmap",
	[GIDMAP] = "gidmap",
	[SNAPSHOT_LABELS] = "snapshotter-label",
};

struct request {
	struct engine_run run;
	struct engine_pull pull;
	char *docker_config;
	struct spec_request spec;
	struct spec_texts snapshot_labels;
	const char **lists[LISTS];
	struct strings env;
	char *env_file, *seccomp_profile, *blockio_config;
};

static void request_done(struct request *r)
{
	for (size_t i = 0; i < LISTS; i++)
		free(r->lists[i]);
	strings_done(&r->env);
	free(r->docker_config);
	free(r->env_file);
	free(r->seccomp_profile);
	free(r->blockio_config);
	*r = (struct request){0};
}
#define auto_request defer(request_done)

static void close_fd(const int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

// The whole of a file that the user names, so that what the engine gets doesn't depend on where we
// are. NULL stays for "".
static fallible read_named(const char *path, char **ret)
{
	if (!*path)
		return NULL;
	defer(close_fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("open %s", path);
	auto_str struct str text = STR_LIMIT(FILE_LIMIT);
	char part[16384];
	for (;;) {
		ssize_t n = read(fd, part, sizeof(part));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			FAIL_ERRNO("read %s", path);
		if (n == 0)
			break;
		str_add_bytes(&text, part, (size_t)n);
		if (text.over)
			return error_new(ERROR_LIMIT, "%s: larger than %zu MiB", path,
			                 FILE_LIMIT >> 20);
	}
	if (text.size > 0 && strlen(text.bytes) != text.size)
		return error_new(ERROR_INVALID, "%s: has a zero byte", path);
	*ret = str_take(&text);
	return NULL;
}

static void fill_lists(const struct invocation *in, struct request *r)
{
	struct spec_texts *into[LISTS] = {
		[LABELS] = &r->spec.labels,
		[MOUNTS] = &r->spec.mounts,
		[ANNOTATIONS] = &r->spec.annotations,
		[CAP_ADD] = &r->spec.cap_add,
		[CAP_DROP] = &r->spec.cap_drop,
		[WITH_NS] = &r->spec.with_ns,
		[DEVICES] = &r->spec.devices,
		[VOLUMES] = &r->spec.volumes,
		[TMPFS] = &r->spec.tmpfs,
		[ULIMITS] = &r->spec.ulimits,
		[UIDMAP] = &r->spec.uidmap,
		[GIDMAP] = &r->spec.gidmap,
		[SNAPSHOT_LABELS] = &r->snapshot_labels,
	};
	for (size_t i = 0; i < LISTS; i++) {
		r->lists[i] = flag_texts(in, list_flags[i], &into[i]->n);
		into[i]->items = r->lists[i];
	}
}

static fallible fill_limits(const struct invocation *in, struct spec_request *spec)
{
	if (!isfinite(flag_float(in, "cpus")) || flag_float(in, "cpus") < 0)
		return error_new(ERROR_USAGE, "--cpus %s: not a number of CPUs",
		                 flag_text(in, "cpus"));
	if (flag_int(in, "cpu-shares") < 0)
		return error_new(ERROR_USAGE, "--cpu-shares %s: less than 0",
		                 flag_text(in, "cpu-shares"));
	spec->memory_limit = flag_uint(in, "memory-limit");
	spec->cpus = flag_float(in, "cpus");
	spec->cpu_shares = (struct oci_u64){flag_given(in, "cpu-shares"),
	                                    (uint64_t)flag_int(in, "cpu-shares")};
	spec->cpu_quota = (struct oci_i64){flag_given(in, "cpu-quota"), flag_int(in, "cpu-quota")};
	spec->cpu_period = flag_uint(in, "cpu-period");
	spec->cpuset_cpus = optional(flag_text(in, "cpuset-cpus"));
	spec->cpuset_mems = optional(flag_text(in, "cpuset-mems"));
	return NULL;
}

static fallible read_blockio(const char *path, struct request *r)
{
	struct error *e = read_named(path, &r->blockio_config);
	if (e && e->sys == ENOENT) { // Go's words
		error_drop(&e);
		e = error_new(ERROR_NOT_FOUND, "open %s: no such file or directory", path);
	}
	if (e)
		return error_prefix(
			e, "blockio-config-file error: failed to read config file \"%s\"", path);
	r->spec.blockio_file = path;
	r->spec.blockio_config = r->blockio_config;
	return NULL;
}

static fallible fill_spec(const struct invocation *in, struct request *r)
{
	struct spec_request *spec = &r->spec;
	fill_lists(in, r);
	flag_environment(in, &r->env);
	spec->env = (struct spec_texts){(const char *const *)r->env.items, r->env.n};
	TRY(fill_limits(in, spec));
	if (flag_given(in, "shm-size"))
		TRY_AS(units_parse_size(flag_text(in, "shm-size"), &spec->shm_size_bytes),
		       "--shm-size");
	TRY(read_named(flag_text(in, "env-file"), &r->env_file));
	TRY(read_named(flag_text(in, "seccomp-profile"), &r->seccomp_profile));
	TRY(read_blockio(flag_text(in, "blockio-config-file"), r));
	spec->env_file = r->env_file;
	spec->seccomp_profile = r->seccomp_profile;
	spec->entrypoint = optional(flag_text(in, "entrypoint"));
	spec->cwd = optional(flag_text(in, "cwd"));
	spec->user = optional(flag_text(in, "user"));
	spec->hostname = optional(flag_text(in, "hostname"));
	spec->rootfs_propagation = optional(flag_text(in, "rootfs-propagation"));
	spec->rdt_class = optional(flag_text(in, "rdt-class"));
	spec->blockio_class = optional(flag_text(in, "blockio-class"));
	spec->apparmor_profile = optional(flag_text(in, "apparmor-profile"));
	spec->apparmor_default_profile = optional(flag_text(in, "apparmor-default-profile"));
	spec->runc_systemd_cgroup = flag_bool(in, "runc-systemd-cgroup");
	spec->net_host = flag_bool(in, "net-host");
	spec->privileged = flag_bool(in, "privileged");
	spec->tty = flag_bool(in, "tty");
	spec->init = flag_bool(in, "init");
	spec->privileged_without_host_devices = flag_bool(in, "privileged-without-host-devices");
	spec->read_only = flag_bool(in, "read-only");
	spec->allow_new_privs = flag_bool(in, "allow-new-privs");
	spec->seccomp = flag_bool(in, "seccomp");
	spec->no_seccomp = flag_bool(in, "no-seccomp");
	spec->profile_needs_seccomp = spec->cap_prefix_required = in->ctr;
	spec->binds_bind = !in->ctr;
	spec->cgroup = flag_given(in, "cgroup") ? flag_text(in, "cgroup") : NULL;
	spec->has_rootfs = flag_bool(in, "rootfs");
	return NULL;
}

// With --config the spec's flags have nothing to say. ctr ignores them without a word.
static void warn_of_ignored(const struct invocation *in)
{
	static const char counting[] =
		"config label runtime cni rm detach tty null-io log-uri fifo-dir "
		"pid-file name interactive snapshotter stop-signal";
	for (size_t i = 0; i < in->n_settings; i++) {
		const struct setting *s = &in->settings[i];
		if (s->level + 1 != in->depth || words_have(counting, s->flag->name))
			continue;
		auto_free char *text = alloc_printf("--%s is ignored with --config", s->flag->name);
		output_log(in, "warning", text, NULL);
	}
}

// What ctr hands to runc or to a sandbox has nobody to go to; said, since ctr's users rely on it.
static void warn_of_idle(const struct invocation *in)
{
	static const struct {
		const char *flag, *why;
	} idle[] = {
		{"runc-binary", "coracle is its own runtime"},
		{"runc-root", "coracle is its own runtime"},
		{"sandbox", "the container is recorded for it, and joins nothing"},
	};
	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++) {
		if (!*flag_text(in, idle[i].flag))
			continue;
		auto_free char *text = alloc_printf("--%s %s: %s", idle[i].flag,
		                                    flag_text(in, idle[i].flag), idle[i].why);
		output_log(in, "warning", text, NULL);
	}
}

// What image, ID and command are: arguments, but for --config and docker's --name.
static fallible fill_arguments(const struct invocation *in, struct request *r)
{
	size_t next = 0;
	const char *config = flag_text(in, "config"), *name = flag_text(in, "name");
	if (*config && in->n_args > (*name ? 0 : 1))
		return error_new(ERROR_USAGE,
		                 "with spec config file, only container id should be provided");
	if (!*config) {
		TRY(argument_needed(in, next, "image ref must be provided"));
		r->run.image = in->args[next++];
	}
	if (!*name) {
		TRY(argument_needed(in, next, "container id must be provided"));
		name = in->args[next++];
	}
	if (!in->ctr && *name == '-')
		return error_hint(
			error_new(ERROR_USAGE, "container ID \"%s\" begins with a dash", name),
			"flags come before the image: what stands behind it is the ID "
			"and the command");
	r->run.id = name;
	r->run.is_named = *flag_text(in, "name");
	r->run.config = optional(config);
	if (next < in->n_args)
		r->spec.args = (struct spec_texts){(const char *const *)in->args + next,
		                                   in->n_args - next};
	return NULL;
}

// As for every command that starts a process: where its output goes.
static fallible fill_log(const struct invocation *in, struct engine_run *run)
{
	run->log_uri = optional(flag_text(in, "log-uri"));
	TRY_AS(units_parse_size(flag_text(in, "log-size"), &run->log_size_bytes), "--log-size");
	uint64_t files = flag_uint(in, "log-files");
	if (files < 1 || files > UINT16_MAX)
		return error_new(ERROR_USAGE, "--log-files %llu: not a number of files",
		                 (unsigned long long)files);
	run->log_files = (unsigned)files;
	return NULL;
}

static fallible fill(const struct invocation *in, const struct session *s, struct request *r)
{
	TRY(fill_arguments(in, r));
	if (r->run.config)
		warn_of_ignored(in);
	warn_of_idle(in);
	TRY(fill_spec(in, r));
	r->run.sandbox = optional(flag_text(in, "sandbox"));
	r->run.snapshot_labels = r->snapshot_labels.items;
	r->run.n_snapshot_labels = r->snapshot_labels.n;
	r->run.spec = &r->spec;
	r->run.platform = optional(flag_text(in, "platform"));
	r->run.snapshotter = session_snapshotter(s);
	r->run.labels = r->spec.labels.items;
	r->run.n_labels = r->spec.labels.n;
	r->run.stop_signal = optional(flag_text(in, "stop-signal"));
	int number;
	if (r->run.stop_signal)
		TRY_AS(oci_signal_parse(r->run.stop_signal, &number), "--stop-signal");
	r->run.cni = flag_bool(in, "cni");
	r->run.no_pivot = flag_bool(in, "no-pivot");
	r->run.cgroup = r->spec.cgroup;
	r->run.runtime = flag_given(in, "runtime") ? optional(flag_text(in, "runtime")) : NULL;
	return NULL;
}

// What is said of the process when it is started.
static fallible fill_start(const struct invocation *in, struct engine_run *run)
{
	run->null_io = flag_bool(in, "null-io");
	run->detach = flag_bool(in, "detach");
	run->detach_keys = flag_text(in, "detach-keys");
	run->pid_file = optional(flag_text(in, "pid-file"));
	for (int fd = 0; fd < 3; fd++)
		run->stdio[fd] = in->closed[fd] ? -1 : fd;
	return fill_log(in, run);
}

// ctr pulls nothing by itself.
static fallible fill_pull(const struct invocation *in, struct request *r)
{
	const char *when = flag_text(in, "pull");
	if (!*when)
		when = in->ctr ? "never" : "missing";
	bool always = !strcmp(when, "always");
	if (!always && strcmp(when, "missing") != 0 && strcmp(when, "never") != 0)
		return error_new(ERROR_USAGE, "--pull %s: missing, always or never", when);
	if (!strcmp(when, "never"))
		return NULL;
	r->docker_config = docker_config_folder();
	r->pull.registry.docker_config = r->docker_config;
	r->run.pull = &r->pull;
	r->run.pull_always = always;
	return NULL;
}

fallible command_run_run(struct invocation *in)
{
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_request struct request r = {0};
	TRY(fill(in, &s, &r));
	r.run.remove = flag_bool(in, "rm");
	TRY(fill_start(in, &r.run));
	TRY(fill_pull(in, &r));
	return engine_run(s.engine, &r.run, &in->status);
}

fallible command_run_spec(struct invocation *in)
{
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_request struct request r = {0};
	TRY(fill(in, &s, &r));
	TRY(fill_start(in, &r.run));
	auto_free char *spec = NULL;
	TRY(engine_spec(s.engine, &r.run, &spec));
	print_json_text(spec);
	return NULL;
}

fallible command_run_create(struct invocation *in)
{
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	auto_request struct request r = {0};
	TRY(fill(in, &s, &r));
	TRY(fill_pull(in, &r));
	return engine_container_create(s.engine, &r.run);
}

// As ctr a task that has ended must be removed before; as coracle it makes room.
fallible command_run_start(struct invocation *in)
{
	struct engine_run run = {.no_pivot = flag_bool(in, "no-pivot")};
	TRY(argument_needed(in, 0, "container id must be provided"));
	run.id = in->args[0];
	TRY(fill_start(in, &run));
	auto_session struct session s = {0};
	TRY(session_open(in, &s));
	return engine_task_start(s.engine, &run, !in->ctr, &in->status);
}
