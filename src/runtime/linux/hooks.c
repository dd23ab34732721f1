// SPDX-License-Identifier: Apache-2.0
#include "runtime/linux/hooks.h"
#include "base/text.h"
#include "oci/names.h"
#include "runtime/linux/plan.h"
#include "sys/sys.h"
#include "json/json.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define CONFIG "config.json"
enum { INIT_FILE_LIMIT = 64 << 20 };

struct hooks {
	struct arena *arena;
	struct {
		struct hook *items;
		size_t n;
		const char *before, *behind; // the state around the pid: struct hook_call
	} kinds[OCI_HOOK_KINDS];
	int interrupt_fd;
	void (*warn)(void *context, const char *message);
	void *context;
};

void hooks_free(struct hooks *hooks)
{
	if (hooks)
		arena_free(hooks->arena);
}

static void hooks_cleanup_(struct hooks **hooks)
{
	hooks_free(*hooks);
}
#define auto_hooks defer(hooks_cleanup_)

// ---- Preparing ----------------------------------------------------------------------------------

static const char *const statuses[OCI_HOOK_KINDS] = {
	[OCI_HOOK_PRESTART] = "creating",         [OCI_HOOK_CREATE_RUNTIME] = "creating",
	[OCI_HOOK_CREATE_CONTAINER] = "creating", [OCI_HOOK_START_CONTAINER] = "created",
	[OCI_HOOK_POSTSTART] = "running",         [OCI_HOOK_POSTSTOP] = "stopped",
};

static char **list(struct arena *arena, const char *first, const struct oci_strings *strings)
{
	char **copy = arena_alloc(arena, (strings->n + 2) * sizeof *copy);
	size_t n = 0;
	if (first)
		copy[n++] = arena_string(arena, first);
	for (size_t i = 0; i < strings->n; i++)
		copy[n++] = strings->items[i];
	return copy;
}

// runtime.md, State. The pid stands in the middle: init knows its own alone.
static void set_state(struct hooks *hooks, enum oci_hook_kind kind, const struct oci_spec *spec,
                      const char *id, const char *bundle)
{
	auto_json struct json *head = json_new_object(), *tail = json_new_object();
	json_set_string(head, "ociVersion", OCI_SPEC_VERSION);
	json_set_string(head, "id", id);
	json_set_string(head, "status", statuses[kind]);
	json_set_string(tail, "bundle", bundle);
	struct json *notes = json_new_object();
	for (size_t i = 0; i < spec->annotations.n; i++)
		json_set_string(notes, spec->annotations.items[i].key,
		                spec->annotations.items[i].value);
	json_set(tail, "annotations", notes);
	auto_free char *before = json_to_text(head, 0, JSON_PLAIN);
	auto_free char *behind = json_to_text(tail, 0, JSON_PLAIN);
	int size = (int)strlen(before) - 1; // without its brace
	if (kind == OCI_HOOK_POSTSTOP) {
		hooks->kinds[kind].before =
			arena_printf(hooks->arena, "%.*s,%s", size, before, behind + 1);
		return;
	}
	hooks->kinds[kind].before = arena_printf(hooks->arena, "%.*s,\"pid\":", size, before);
	hooks->kinds[kind].behind = arena_printf(hooks->arena, ",%s", behind + 1);
}

static struct hooks *prepare(const struct oci_spec *spec, const char *id, const char *bundle,
                             const int *interrupt_fd)
{
	struct arena *arena = arena_new();
	struct hooks *hooks = arena_alloc(arena, sizeof *hooks);
	*hooks = (struct hooks){.arena = arena, .interrupt_fd = interrupt_fd ? *interrupt_fd : -1};
	for (enum oci_hook_kind kind = 0; kind < OCI_HOOK_KINDS; kind++) {
		const struct oci_hooks *from = &spec->hooks[kind];
		hooks->kinds[kind].n = from->n;
		hooks->kinds[kind].items = arena_alloc(arena, (from->n + 1) * sizeof(struct hook));
		for (size_t i = 0; i < from->n; i++) {
			const struct oci_hook *h = &from->items[i];
			hooks->kinds[kind].items[i] = (struct hook){
				.path = h->path,
				// Without arguments a program would not even have its own name.
				.argv = list(arena, h->args.n ? NULL : h->path, &h->args),
				.env = list(arena, NULL, &h->env),
				.timeout_s = h->timeout.set ? (int)h->timeout.value : 0,
			};
		}
		if (from->n)
			set_state(hooks, kind, spec, id, bundle);
	}
	return hooks;
}

fallible hooks_make(const struct runtime_request *request, struct hooks **ret)
{
	auto_free char *bundle = NULL;
	TRY(path_of_fd(request->state_dirfd, &bundle));
	auto_json struct json *document = oci_spec_to_json(request->spec);
	auto_free char *text = json_to_text(document, 0, JSON_PLAIN);
	TRY_AS(publish_bytes(request->state_dirfd, CONFIG, text, strlen(text), 0600,
	                     PUBLISH_REPLACE),
	       "hooks");
	struct hooks *hooks = prepare(request->spec, request->id, bundle, request->interrupt_fd);
	hooks->warn = request->warn;
	hooks->context = request->context;
	*ret = hooks;
	return NULL;
}

bool hooks_precede_pivot(const struct hooks *hooks)
{
	return hooks &&
	       (hooks->kinds[OCI_HOOK_PRESTART].n || hooks->kinds[OCI_HOOK_CREATE_RUNTIME].n ||
	        hooks->kinds[OCI_HOOK_CREATE_CONTAINER].n);
}

// ---- What went wrong ----------------------------------------------------------------------------

// Its last words as one line.
static const char *said_line(char *said)
{
	for (char *p = said; *p; p++)
		*p = *p == '\n' || *p == '\r' || *p == '\t' ? ' ' : *p;
	for (size_t n = strlen(said); n && said[n - 1] == ' '; n--)
		said[n - 1] = 0;
	return said + strspn(said, " ");
}

// `result` is hook_run()'s.
static fallible failed(enum oci_hook_kind kind, const struct hook *hook, int result,
                       const char *text)
{
	auto_free char *said = alloc_string(text);
	const char *line = said_line(said), *between = *line ? ": " : "";
	auto_free char *name = alloc_printf("%s hook %.256s", oci_hook_names[kind], hook->path);
	if (result == ETIMEDOUT)
		return error_new(ERROR_SYSTEM, "%s: killed after %d s%s%s", name, hook->timeout_s,
		                 between, line);
	if (result == ECANCELED)
		return error_new(ERROR_SYSTEM, "%s: interrupted", name);
	if (result > 0)
		return error_because(
			error_new(ERROR_SYSTEM, "%s: %s", name, plan_errno_text(result)), result);
	if (WIFEXITED(-result))
		return error_new(ERROR_SYSTEM, "%s: exit status %d%s%s", name, WEXITSTATUS(-result),
		                 between, line);
	return error_new(ERROR_SYSTEM, "%s: killed by %s%s%s", name,
	                 oci_signal_name(WTERMSIG(-result)), between, line);
}

struct error *hooks_error(const struct hooks *hooks, enum oci_hook_kind kind,
                          const struct shim_report *r)
{
	if (!hooks || r->index < 0 || (size_t)r->index >= hooks->kinds[kind].n)
		return error_new(ERROR_SYSTEM, "%s hook", oci_hook_names[kind]);
	return failed(kind, &hooks->kinds[kind].items[r->index], r->sys, r->text);
}

// ---- Running ------------------------------------------------------------------------------------

static int enter_outside(void *context)
{
	(void)context;
	umask(0022);
	return chdir("/") < 0 ? errno : 0;
}

static int enter_inside(void *context)
{
	const int *root = context;
	umask(0022);
	return fchdir(*root) < 0 ? errno : 0;
}

static struct hook_call call_of(const struct hooks *hooks, enum oci_hook_kind kind, pid_t pid)
{
	return (struct hook_call){.before = hooks->kinds[kind].before,
	                          .behind = hooks->kinds[kind].behind,
	                          .pid = pid,
	                          .interrupt_fd = hooks->interrupt_fd,
	                          .enter = enter_outside};
}

static fallible run_one(const struct hooks *hooks, enum oci_hook_kind kind, size_t i, pid_t pid,
                        bool *ret_interrupted)
{
	char said[HOOK_TEXT];
	struct hook_call call = call_of(hooks, kind, pid);
	call.hook = hooks->kinds[kind].items[i];
	int result = hook_run(&call, said);
	*ret_interrupted = result == ECANCELED;
	return result ? failed(kind, &call.hook, result, said) : NULL;
}

fallible hooks_run(const struct hooks *hooks, enum oci_hook_kind kind, pid_t pid)
{
	bool is_interrupted;
	for (size_t i = 0; i < hooks->kinds[kind].n; i++)
		TRY(run_one(hooks, kind, i, pid, &is_interrupted));
	return NULL;
}

void hooks_run_all(const struct hooks *hooks, enum oci_hook_kind kind, pid_t pid)
{
	bool is_interrupted = false;
	for (size_t i = 0; i < hooks->kinds[kind].n && !is_interrupted; i++) {
		struct error *e = run_one(hooks, kind, i, pid, &is_interrupted);
		if (e && hooks->warn)
			hooks->warn(hooks->context, e->message);
		error_drop(&e); // it was said
	}
}

int hooks_run_inside(const struct hooks *hooks, int root, int interrupt_fd, int *ret_index,
                     char said[HOOK_TEXT])
{
	struct hook_call call = call_of(hooks, OCI_HOOK_CREATE_CONTAINER, getpid());
	int sys = 0;
	call.interrupt_fd = interrupt_fd;
	call.enter = enter_inside;
	call.context = &root;
	for (size_t i = 0; i < hooks->kinds[OCI_HOOK_CREATE_CONTAINER].n && !sys; i++) {
		*ret_index = (int)i;
		call.hook = hooks->kinds[OCI_HOOK_CREATE_CONTAINER].items[i];
		sys = hook_run(&call, said);
	}
	return sys;
}

static void add_text(struct str *s, const char *text)
{
	str_add_bytes(s, text, strlen(text) + 1);
}

static size_t count(char *const *texts)
{
	size_t n = 0;
	while (texts[n])
		n++;
	return n;
}

static void add_hook(struct str *s, const struct hook *hook)
{
	const size_t numbers[] = {(size_t)hook->timeout_s, count(hook->argv), count(hook->env)};
	char *const *const lists[] = {hook->argv, hook->env};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		str_printf(s, "%zu", numbers[i]);
		str_add_char(s, 0);
	}
	add_text(s, hook->path);
	for (size_t l = 0; l < 2; l++)
		for (size_t i = 0; lists[l][i]; i++)
			add_text(s, lists[l][i]);
}

fallible hooks_for_init(const struct hooks *hooks, int *ret_fd)
{
	const enum oci_hook_kind kind = OCI_HOOK_START_CONTAINER;
	if (!hooks->kinds[kind].n)
		return NULL;
	auto_str struct str text = STR_LIMIT(INIT_FILE_LIMIT);
	add_text(&text, hooks->kinds[kind].before);
	add_text(&text, hooks->kinds[kind].behind);
	for (size_t i = 0; i < hooks->kinds[kind].n; i++)
		add_hook(&text, &hooks->kinds[kind].items[i]);
	if (text.over)
		return error_new(ERROR_LIMIT, "hooks: more than %d bytes", INIT_FILE_LIMIT);
	auto_fd int fd = memfd_create("hooks", MFD_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("hooks");
	TRY_AS(fd_write_all(fd, text.bytes, text.size), "hooks");
	*ret_fd = fd_take(&fd);
	return NULL;
}

fallible hooks_await(const struct hooks *hooks, int fd)
{
	struct pollfd p[] = {{fd, POLLIN, 0}, {hooks->interrupt_fd, POLLIN, 0}};
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("hooks");
	return p[0].revents ? NULL : error_new(ERROR_SYSTEM, "hooks: interrupted");
}

// ---- After the end ------------------------------------------------------------------------------

static fallible run_poststop(const struct runtime_poststop *request, const char *text, size_t size)
{
	auto_oci_spec struct oci_spec *spec = NULL;
	auto_free char *bundle = NULL;
	TRY(oci_spec_parse(text, size, &spec));
	TRY(path_of_fd(request->state_dirfd, &bundle));
	auto_hooks struct hooks *hooks = prepare(spec, request->id, bundle, request->interrupt_fd);
	hooks->warn = request->warn;
	hooks->context = request->context;
	hooks_run_all(hooks, OCI_HOOK_POSTSTOP, 0);
	return NULL;
}

fallible runtime_poststop(const struct runtime_poststop *request)
{
	auto_free char *text = NULL;
	size_t size = 0;
	struct error *e =
		file_read(request->state_dirfd, CONFIG, OCI_SPEC_SIZE_LIMIT, &text, &size);
	if (error_is(e, ERROR_NOT_FOUND)) {
		error_free(e);
		return NULL;
	}
	if (!e)
		e = run_poststop(request, text, size);
	// What can't be read now can't be later, and would keep the ID for ever.
	if (unlinkat(request->state_dirfd, CONFIG, 0) < 0 && errno != ENOENT)
		e = error_join(e, error_system(errno, "remove"));
	return error_prefix(e, CONFIG);
}
