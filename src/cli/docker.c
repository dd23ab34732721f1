// SPDX-License-Identifier: Apache-2.0
#include "cli/docker.h"
#include "cli/help.h"

// Docker's word, at the top or below container and image; what does the same here. A row without
// it: nothing does. A second command answers while the first is not there.
// clang-format off
static const struct {
	const char *words, *ours, *otherwise;
} commands[] = {
	{"rmi",              "images rm"},
	{"load import",      "images import"},
	{"save export",      "images export"},
	{"tag",              "images tag"},
	{"pull",             "images pull"},
	{"push",             "images push"},
	{"history",          "images inspect"},
	{"inspect",          "containers info"},
	{"create",           "containers create"},
	{"run",              "run"},
	{"ps",               "ps",     "containers ls"},
	{"logs",             "logs"},
	{"rm",               "rm",     "containers rm"},
	{"kill",             "kill",   "tasks kill"},
	{"stop",             "stop",   "tasks kill"},
	{"start",            "start",  "tasks start"},
	{"exec",             "exec",   "tasks exec"},
	{"attach",           "attach", "tasks attach"},
	{"top",              "top",    "tasks ps"},
	{"stats",            "stats",  "tasks metrics"},
	{"pause",            "pause",  "tasks pause"},
	{"unpause resume",   "unpause", "tasks resume"},
	{"checkpoint",       "tasks checkpoint"},
	{"restore",          "containers restore"},
	{"diff",             "snapshots diff"},
	{"mount umount",     "images mount"},
	{"events",           "events"},
	{"restart",          "restart"},
	{"rename",           "rename"},
	{"wait",             "wait"},
	{"cp",               "cp"},
	{"commit",           "commit"},
	{"login",            "login"},
	{"logout",           "logout"},
	{"network",          "network"},
	{"volume",           "volume"},
	{"prune builder build buildx buildah compose config context generate healthcheck "
	 "init kube machine manifest node play plugin pod port search secret service "
	 "stack swarm system trust update untag unshare"},
};

// Flags of docker run, and the hint.
static const struct {
	const char *words, *hint;
} run_flags[] = {
	{"network net",      "--net-host uses the network of the host, --cni gives the container its own"},
	{"volume v",         "--mount type=bind,src=DIR,dst=DIR does that"},
	{"h",                "did you mean --hostname?"},
	{"cgroup-parent",    "--cgroup PATH puts the container into a group"},
	{"pid ipc uts userns", "--with-ns TYPE:PATH joins a namespace"},
	{"security-opt",     "--seccomp-profile FILE, --no-seccomp and --allow-new-privs do that"},
	{"log-driver log-opt", "--log-uri URI says where output goes"},
	{"name",             "the container's ID stands behind the image"},
};

// Those that nothing here does.
static const char flags_not_yet[] =
	"publish p publish-all P expose add-host dns dns-search dns-option dns-opt restart "
	"link link-local-ip ip ip6 mac-address network-alias sysctl pids-limit memory-swap "
	"memory-reservation memory-swappiness kernel-memory oom-kill-disable oom-score-adj group-add "
	"stop-timeout volumes-from volume-driver storage-opt health-cmd "
	"health-interval health-retries health-timeout no-healthcheck blkio-weight cidfile domainname "
	"attach cgroupns label-file device-cgroup-rule isolation sig-proxy detach-keys "
	"use-api-socket pod";
// clang-format on

// The command that the words "images rm" name, below the program; NULL if there is none.
static const struct command *named(const char *words)
{
	const struct command *c = command_find("");
	for (size_t size; c && words && *words; words += size + (words[size] == ' ')) {
		size = strcspn(words, " ");
		auto_free char *word = alloc_bytes(words, size);
		c = command_child(c, word);
	}
	return words ? c : NULL;
}

static bool is_there(const struct command *c)
{
	return c && help_shows_command(c);
}

static bool takes_dockers_words(const struct command *c)
{
	return !*c->path || text_equal(c->path, "containers") || text_equal(c->path, "images") ||
	       text_equal(c->path, "tasks");
}

bool docker_command_hint(const struct invocation *in, const char *word, struct str *ret)
{
	if (!takes_dockers_words(in->command))
		return false;
	size_t i = 0, n = sizeof(commands) / sizeof(*commands);
	while (i < n && !words_have(commands[i].words, word))
		i++;
	if (i == n)
		return false;
	const char *ours = commands[i].ours;
	if (!is_there(named(ours)) && is_there(named(commands[i].otherwise)))
		ours = commands[i].otherwise;
	if (is_there(named(ours)))
		str_printf(ret, "did you mean %s %s?", in->program, ours);
	else if (in->ctr) // which never had it
		return false;
	else
		str_printf(ret,
		           "%s is not in coracle yet; coracle help shows the commands that are "
		           "there",
		           word);
	return true;
}

static bool runs(const struct command *c)
{
	return text_equal(c->path, "run") || text_equal(c->path, "spec") ||
	       text_equal(c->path, "containers create");
}

bool docker_flag_hint(const struct invocation *in, const char *name, struct str *ret)
{
	const struct flag *f = command_flag(in->command, name, true);
	if (f && !(f->bits & FLAG_DOCKER)) { // ctr: docker's spelling of a flag that it has
		str_printf(ret, "did you mean --%s?", f->name);
		return true;
	}
	if (!runs(in->command))
		return false;
	for (size_t i = 0; i < sizeof(run_flags) / sizeof(*run_flags); i++)
		if (words_have(run_flags[i].words, name)) {
			str_add(ret, run_flags[i].hint);
			return true;
		}
	if (in->ctr || !words_have(flags_not_yet, name))
		return false;
	str_printf(ret,
	           "%s%s is not in coracle yet; coracle %s --help shows the flags that are "
	           "there",
	           name[1] ? "--" : "-", name, in->command->path);
	return true;
}
