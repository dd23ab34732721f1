// SPDX-License-Identifier: Apache-2.0
// The hooks that coracle-init is given: protocol.h, HOOKS.
#include "shim/init_hooks.h"
#include "base/defer.h"
#include "shim/number.h"
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct texts { // a file of them
	char *at, *end;
};

static char *next(struct texts *t)
{
	if (t->at >= t->end)
		return t->end - 1; // the file's last byte is a zero
	char *text = t->at;
	t->at += strlen(text) + 1;
	return text;
}

static uint64_t next_number(struct texts *t)
{
	const char *text = next(t);
	uint64_t value = 0;
	return number_parse(&text, 10, &value) ? value : 0;
}

static char *const *next_list(struct texts *t, uint64_t n, char ***pointers)
{
	char **list = *pointers;
	for (uint64_t i = 0; i < n; i++)
		list[i] = next(t);
	*pointers += n + 1; // zeroes: the list's end
	return list;
}

static int map_texts(int fd, struct texts *ret, char ***ret_pointers)
{
	struct stat st;
	if (fstat(fd, &st) < 0)
		return errno;
	size_t size = (size_t)st.st_size, room = size * sizeof(char *); // more than it has texts
	ret->at = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	*ret_pointers =
		mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ret->at == MAP_FAILED || *ret_pointers == MAP_FAILED)
		return errno;
	ret->end = ret->at + size;
	return 0;
}

int init_run_hooks(int fd, int (*enter)(void *context), void *context, struct shim_report *ret)
{
	struct texts texts = {NULL, NULL};
	char **pointers = NULL;
	ret->index = -1;
	int sys = map_texts(fd, &texts, &pointers);
	if (sys)
		return sys;
	struct hook_call call = {
		.pid = getpid(), .interrupt_fd = -1, .enter = enter, .context = context};
	call.before = next(&texts);
	call.behind = next(&texts);
	while (texts.at < texts.end && !sys) {
		ret->index++;
		call.hook.timeout_s = (int)next_number(&texts);
		uint64_t n_args = next_number(&texts), n_env = next_number(&texts);
		call.hook.path = next(&texts);
		call.hook.argv = next_list(&texts, n_args, &pointers);
		call.hook.env = next_list(&texts, n_env, &pointers);
		sys = hook_run(&call, ret->text);
	}
	return sys;
}
