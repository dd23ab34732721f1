// SPDX-License-Identifier: Apache-2.0
#include "network/later.h"
#include "network/link.h"
#include "network/owner.h"
#include "sys/process.h"
#include <sys/syscall.h>
#include <sys/wait.h>

void later_done(struct later *l)
{
	strings_done(&l->links);
	strings_done(&l->records);
	strings_done(&l->claims);
}

// All of them wait for one barrier of the kernel if they go as a group.
static fallible delete_links(const struct later *l)
{
	auto_netlink struct netlink n = NETLINK_CLOSED;
	auto_request struct netlink_request r = NETLINK_REQUEST;
	if (!l->links.n)
		return NULL;
	TRY(netlink_open(NETLINK_ROUTE, &n));
	if (l->links.n == 1) {
		link_delete(&r, l->links.items[0]);
		return netlink_talk(&n, &r, NULL, NULL);
	}
	uint32_t group = (uint32_t)random_u64() | 1u << 30; // nobody else's, by its size
	for (size_t i = 0; i < l->links.n; i++)
		link_set_group(&r, l->links.items[i], group);
	link_delete_group(&r, group);
	return netlink_talk(&n, &r, NULL, NULL);
}

fallible later_run(const struct later *l, int store)
{
	struct error *e = delete_links(l);
	for (size_t i = 0; i < l->records.n && !e; i++)
		e = owner_remove(store, l->records.items[i], l->claims.items[i]);
	return e;
}

static void __attribute__((noreturn)) run_child(const struct later *l, int store)
{
	pid_t pid = fork(); // twice: init is the parent, nobody here has to reap
	if (pid)
		_exit(pid < 0);
	setsid();
	// The caller's standard output may be a pipe whose reader waits for its end.
	if (store > 0)
		syscall(SYS_close_range, 0, store - 1, 0);
	syscall(SYS_close_range, store + 1, ~0U, 0);
	struct error *e = later_run(l, store);
	_exit(e != NULL); // the record stays then, for gc
}

fallible later_fork(const struct later *l, int store)
{
	if (!l->links.n)
		return later_run(l, store);
	pid_t pid = fork();
	if (pid < 0)
		FAIL_ERRNO("fork");
	if (!pid)
		run_child(l, store);
	int status;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("wait");
	return status ? error_new(ERROR_SYSTEM, "fork: no process to delete interfaces in") : NULL;
}
