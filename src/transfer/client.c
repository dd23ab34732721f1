// SPDX-License-Identifier: Apache-2.0
// Starts the worker and listens to it. Nothing that it says is believed: texts are cleaned, counts
// bounded, descriptors looked at before they are used.
#include "transfer/client.h"
#include "kernel/mount.h"
#include "kernel/namespace.h"
#include "kernel/process.h"
#include "oci/digest.h"
#include "sys/fd.h"
#include "transfer/client_private.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

void client_clean_text(char *text)
{
	bool is_utf8 = text_is_utf8(text, strlen(text));
	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		// C1 controls are 0xc2 0x80…0x9f in UTF-8; terminals obey some of them.
		bool is_c1 = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;
		if (*c < 0x20 || *c == 0x7f || (*c >= 0x80 && !is_utf8) || is_c1)
			*c = '?';
		if (is_c1)
			c[1] = '?';
	}
}

fallible client_free_bytes(int dirfd, uint64_t *ret)
{
	struct statvfs fs;
	if (fstatvfs(dirfd, &fs) < 0)
		FAIL_ERRNO("free space");
	if (__builtin_mul_overflow((uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, ret) ||
	    *ret > INT64_MAX)
		*ret = INT64_MAX;
	return NULL;
}

struct error *client_space_error(struct error *e, bool limit_is_space)
{
	// EFBIG: the limit of bytes; the others have nothing to do with the disk.
	if (!limit_is_space || !error_is(e, ERROR_LIMIT) || e->sys != EFBIG)
		return e;
	struct error *full = error_system(ENOSPC, "%s", e->message);
	error_free(e);
	return full;
}

fallible client_mount(int dirfd, bool writable, int *ret)
{
	auto_fd int mount = -1;
	uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	if (!writable)
		attributes |= MOUNT_ATTR_RDONLY;
	int sys = mount_clone(dirfd, "", false, &mount);
	if (!sys)
		sys = mount_change(mount, attributes, 0, MS_PRIVATE, false);
	if (sys)
		return error_system(sys, "bind a folder for the worker");
	*ret = fd_take(&mount);
	return NULL;
}

// --- the child ----------------------------------------------------------------------------------

// What the child needs, all made before it is born: it may only make system calls.
struct birth {
	const char *program;
	const char *argv[3];
	int fds[WORKER_GROWN + 1]; // by their numbers in the worker; -1: closed
};

#if defined(__SANITIZE_ADDRESS__)
enum { KEEP_STDERR = 1 };
#else
enum { KEEP_STDERR = 0 };
#endif

// Errors reach the parent as an ERROR packet.
static _Noreturn void give_up(int socket, int sys, const char *what)
{
	struct packet p = {.kind = PACKET_ERROR, .code = ERROR_SYSTEM, .sys = sys};
	memcpy(p.text, what, strnlen(what, sizeof(p.text) - 1));
	ignore(send(socket, &p, sizeof(p), MSG_NOSIGNAL)); // it hears of the end anyway
	_exit(127);
}

// First out of the way, then to their numbers.
static int place_fds(int *fds, int n)
{
	enum { ASIDE = 64 };
	for (int i = 0; i < n; i++)
		if (fds[i] >= 0 && (fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, ASIDE)) < 0)
			return errno == EINVAL ? EMFILE : errno; // our limit ends below them
	for (int i = 0; i < n; i++) {
		if (fds[i] < 0)
			close(i);
		else if (dup2(fds[i], i) < 0)
			return errno;
	}
	return process_close_from(n);
}

static _Noreturn void be_worker(struct birth *b)
{
	static char *const no_environment[] = {NULL};
	int socket = b->fds[WORKER_SOCKET];
	// The parent's death is ours. If it is dead already the socket is, and the worker sees
	// that.
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		give_up(socket, errno, "death signal");
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	int sys = place_fds(b->fds, WORKER_GROWN + 1);
	if (sys)
		give_up(socket, sys, "descriptors of the worker");
	execve(b->program, (char *const *)(uintptr_t)b->argv, no_environment);
	give_up(WORKER_SOCKET, errno, b->program);
}

static fallible spawn(const struct client_job *job, int request, int socket, int *ret_pidfd)
{
	auto_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		FAIL_ERRNO("/dev/null");
	struct birth b = {job->transfer->program,
	                  {job->transfer->program, job->role, NULL},
	                  {null, null, KEEP_STDERR ? STDERR_FILENO : null, socket, request,
	                   job->answer, job->input, job->target, job->lower, job->grown}};
	const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWPID;
	const struct namespace_clone clone = {.flags = namespaces |
	                                               (job->network ? 0 : CLONE_NEWNET),
	                                      .cgroup = -1,
	                                      .exit_signal = SIGCHLD};
	pid_t pid;
	int sys = namespace_clone(&clone, &pid, ret_pidfd);
	if (sys)
		return error_system(sys, "start the worker");
	if (!pid)
		be_worker(&b);
	return NULL;
}

// --- listening ----------------------------------------------------------------------------------

struct client_worker {
	struct client_job *job;
	int socket, pidfd;
	uint64_t target_mount; // its mount ID
	size_t n_wants;
	bool awaits_lower;
	bool done;
	struct error *error; // what the worker says went wrong
};

static fallible mount_id(int fd, uint64_t *ret)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
		FAIL_ERRNO("mount of a folder");
	if (!(st.stx_mask & STATX_MNT_ID))
		return error_new(ERROR_UNSUPPORTED,
		                 "this kernel doesn't tell mounts apart (5.8 does)");
	*ret = st.stx_mnt_id;
	return NULL;
}

// The worker may name any directory of its own; only one on its target's mount is looked at.
static fallible check_directory(const struct client_worker *l, int fd, const char *role)
{
	struct stat st;
	uint64_t mount;
	if (fd < 0 || strcmp(l->job->role, role) != 0)
		return error_new(ERROR_CORRUPT, "the worker broke the protocol");
	if (fstat(fd, &st) < 0)
		FAIL_ERRNO("opaque directory");
	TRY(mount_id(fd, &mount));
	if (!S_ISDIR(st.st_mode) || mount != l->target_mount)
		return error_new(ERROR_CORRUPT, "the worker named a directory that isn't its own");
	return NULL;
}

static fallible mark_opaque(const struct client_worker *l, int fd)
{
	TRY(check_directory(l, fd, "unpack"));
	if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) < 0)
		FAIL_ERRNO("mark an opaque directory");
	return NULL;
}

static fallible broke(void)
{
	return error_new(ERROR_CORRUPT, "the worker broke the protocol");
}

static fallible send_answer(int socket, enum want_kind kind, const int *fds, size_t n_fds)
{
	enum { FDS_MAX = 2 };
	struct want_answer answer = {.kind = kind};
	struct iovec part = {&answer, sizeof(answer)};
	union {
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
	if (n_fds) {
		m.msg_control = control.bytes;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	ssize_t n;
	do
		n = sendmsg(socket, &m, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	// A worker that died meanwhile is heard of by the end of its packets.
	if (n < 0 && errno != EPIPE && errno != ECONNRESET)
		FAIL_ERRNO("answer the worker");
	return NULL;
}

// A redirect would mean that the directory's content lies elsewhere: coracle's mounts make none.
static fallible answer_opaque(const struct client_worker *l, int fd)
{
	char value[2];
	TRY(check_directory(l, fd, "diff"));
	if (fgetxattr(fd, "trusted.overlay.redirect", value, 0) >= 0)
		return error_new(ERROR_UNSUPPORTED, "a directory was renamed by overlay's "
		                                    "redirect_dir, which a layer can't show");
	bool is_opaque = fgetxattr(fd, "trusted.overlay.opaque", value, sizeof(value)) == 1 &&
	                 value[0] == 'y';
	return send_answer(l->socket, (enum want_kind)is_opaque, NULL, 0);
}

static fallible take_want(struct client_worker *l, const struct packet *p)
{
	const struct transfer_blobs *blobs = l->job->blobs;
	auto_fd int fd = -1, grown = -1;
	enum transfer_want kind = TRANSFER_FETCH;
	if (!blobs || !oci_digest_is_sha256(p->text) || ++l->n_wants > BLOBS_MAX ||
	    p->total > INT64_MAX)
		return broke();
	TRY(oci_digest_check(p->text));
	const struct transfer_wanted wanted = {.digest = p->text,
	                                       .size_bytes = p->total,
	                                       .is_document = p->item_i & WANT_DOCUMENT,
	                                       .patiently = p->item_i & WANT_PATIENTLY};
	TRY(blobs->want(blobs->arg, &wanted, &kind, &fd, &grown));
	const int fds[] = {fd, grown};
	return send_answer(l->socket, (enum want_kind)kind, fds, fd < 0 ? 0 : grown < 0 ? 1 : 2);
}

static fallible take_got(const struct client_worker *l, const struct packet *p)
{
	const struct transfer_blobs *blobs = l->job->blobs;
	if (!blobs || !oci_digest_is_sha256(p->text))
		return broke();
	TRY(oci_digest_check(p->text));
	return blobs->got(blobs->arg, p->text);
}

static fallible take_described(const struct client_worker *l)
{
	struct transfer_archive *a = NULL;
	if (!l->job->blobs || !l->job->blobs->described || l->job->is_described)
		return broke();
	l->job->is_described = true;
	TRY_AS(client_read_answer(l->job->answer, -1, &a), "answer of the worker");
	return l->job->blobs->described(l->job->blobs->arg, a, &l->job->beside);
}

static fallible take_lower(struct client_worker *l)
{
	if (!l->job->lower_comes || l->awaits_lower)
		return broke();
	l->awaits_lower = true;
	return NULL;
}

static void take_error(struct client_worker *l, const struct packet *p)
{
	static const char *const none = "no reason given";
	if (l->error)
		return;
	bool is_code = p->code >= 0 && p->code < ERROR_CODES;
	// The text of a system error that was made before exec lacks its reason.
	bool is_bare = p->code == ERROR_SYSTEM && p->sys > 0 && !strstr(p->text, strerror(p->sys));
	l->error = is_bare ? error_system(p->sys, "%s", p->text)
	                   : error_new(is_code ? (enum error_code)p->code : ERROR_CORRUPT, "%s",
	                               *p->text ? p->text : none);
	l->error->sys = p->sys;
}

static fallible take_packet(struct client_worker *l, struct packet *p, int fd)
{
	const struct transfer *t = l->job->transfer;
	p->text[sizeof(p->text) - 1] = 0;
	client_clean_text(p->text);
	switch (p->kind) {
	case PACKET_PROGRESS:
		if (t->progress)
			t->progress(t->arg,
			            &(struct transfer_progress){p->text, p->item_i, p->n_items,
			                                        p->done, p->total});
		return NULL;
	case PACKET_WARN:
		if (t->warn)
			t->warn(t->arg, p->text);
		return NULL;
	case PACKET_DEBUG:
		if (t->debug)
			t->debug(t->arg, p->text);
		return NULL;
	case PACKET_OPAQUE:
		return mark_opaque(l, fd);
	case PACKET_WANT:
		return take_want(l, p);
	case PACKET_DESCRIBED:
		return take_described(l);
	case PACKET_LOWER:
		return take_lower(l);
	case PACKET_GOT:
		return take_got(l, p);
	case PACKET_ASK_OPAQUE:
		return answer_opaque(l, fd);
	case PACKET_ERROR:
		take_error(l, p);
		return NULL;
	case PACKET_DONE:
		l->job->done = p->done;
		l->job->total = p->total;
		l->done = true;
		return NULL;
	default:
		return broke();
	}
}

// One packet and at most one descriptor. *ret_ended: the worker has closed its end.
static fallible receive(int socket, struct packet *p, int *ret_fd, bool *ret_ended)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec part = {p, sizeof(*p)};
	struct msghdr m = {.msg_iov = &part,
	                   .msg_iovlen = 1,
	                   .msg_control = control.bytes,
	                   .msg_controllen = sizeof(control.bytes)};
	ssize_t n;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*ret_ended = !n || (n < 0 && errno == ECONNRESET);
	if (*ret_ended)
		return NULL;
	if (n < 0)
		FAIL_ERRNO("listen to the worker");
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
	if (n != (ssize_t)sizeof(*p) || m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
		return error_new(ERROR_CORRUPT, "the worker broke the protocol");
	return NULL;
}

static struct error *describe_end(int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return error_new(ERROR_SYSTEM, "the worker was killed (out of memory?)");
	if (WIFSIGNALED(status))
		return error_new(ERROR_SYSTEM, "the worker crashed: %s",
		                 strsignal(WTERMSIG(status)));
	return error_new(ERROR_SYSTEM, "the worker ended with status %d", WEXITSTATUS(status));
}

// --- both ---------------------------------------------------------------------------------------

static fallible make_request(const struct json *request, int *ret)
{
	auto_fd int fd = memfd_create("request", MFD_CLOEXEC);
	if (fd < 0)
		FAIL_ERRNO("request of the worker");
	auto_free char *text = json_to_text(request, 0, JSON_PLAIN);
	TRY_AS(fd_write_all(fd, text, strlen(text)), "request of the worker");
	if (lseek(fd, 0, SEEK_SET) < 0)
		FAIL_ERRNO("request of the worker");
	*ret = fd_take(&fd);
	return NULL;
}

fallible client_start(struct client_job *job, struct client_worker **ret)
{
	int pair[2];
	auto_fd int request = -1;
	uint64_t target_mount = 0;
	TRY(make_request(job->request, &request));
	if (job->target >= 0)
		TRY(mount_id(job->target, &target_mount));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		FAIL_ERRNO("socket of the worker");
	auto_fd int ours = pair[0], theirs = pair[1]; // else its end would never be seen
	auto_fd int pidfd = -1;
	TRY(spawn(job, request, theirs, &pidfd));
	struct client_worker *w = alloc(sizeof(*w));
	*w = (struct client_worker){.job = job,
	                            .socket = fd_take(&ours),
	                            .pidfd = fd_take(&pidfd),
	                            .target_mount = target_mount};
	*ret = w;
	return NULL;
}

void client_kill(struct client_worker *w)
{
	int status;
	if (!w)
		return;
	pidfd_signal(w->pidfd, SIGKILL);
	pidfd_wait_exit(w->pidfd, PIDFD_REAP, &status);
	close(w->socket);
	close(w->pidfd);
	error_free(w->error);
	free(w);
}

fallible client_wait(struct client_worker *const *workers, size_t n, int stop_fd, size_t *ret_i)
{
	struct pollfd p[CLIENT_WORKERS_MAX + 1] = {{.fd = stop_fd, .events = POLLIN}};
	for (size_t i = 0; i < n; i++)
		p[i + 1] = (struct pollfd){.fd = workers[i]->socket, .events = POLLIN};
	while (poll(p, n + 1, -1) < 0)
		if (errno != EINTR)
			FAIL_ERRNO("listen to the worker");
	if (p[0].revents)
		return error_new(ERROR_SYSTEM, "interrupted");
	for (size_t i = 0; i < n; i++)
		if (p[i + 1].revents)
			*ret_i = i;
	return NULL;
}

static fallible end(struct client_worker *w)
{
	int status = 0;
	int sys = pidfd_wait_exit(w->pidfd, PIDFD_REAP, &status);
	if (sys)
		return error_system(sys, "wait for the worker");
	if (w->error)
		return take(&w->error);
	return w->done && !status ? NULL : describe_end(status);
}

fallible client_listen(struct client_worker **w, bool *ret_ended)
{
	struct packet p;
	auto_fd int fd = -1;
	bool ended = false;
	*ret_ended = false;
	TRY(receive((*w)->socket, &p, &fd, &ended));
	if (!ended)
		return take_packet(*w, &p, fd);
	*ret_ended = true;
	struct error *e = end(*w);
	client_kill(take(w)); // reaped already
	return e;
}

bool client_awaits_lower(const struct client_worker *w)
{
	return w->awaits_lower;
}

// In the worker's mount namespace: 0 or an errno. Nothing but it could have mounted there.
static int attach_lower(int pidfd, int mount)
{
	int sys = namespace_enter_process(pidfd, CLONE_NEWNS);
	if (sys)
		return sys;
	int target = open("/lower", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return target < 0 ? errno : mount_attach(mount, target);
}

fallible client_give_lower(struct client_worker *w, int mount)
{
	const struct namespace_clone clone = {.cgroup = -1, .exit_signal = SIGCHLD};
	pid_t pid;
	auto_fd int pidfd = -1;
	int status = 0;
	w->awaits_lower = false;
	w->job->lower_comes = false;
	int sys = namespace_clone(&clone, &pid, &pidfd);
	if (!sys && !pid)
		_exit(attach_lower(w->pidfd, mount));
	if (!sys)
		sys = pidfd_wait_exit(pidfd, PIDFD_REAP, &status);
	if (!sys)
		sys = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	// A worker that died meanwhile is heard of by the end of its packets.
	if (sys && sys != ESRCH)
		return error_system(sys, "mount what is below");
	return send_answer(w->socket, 0, NULL, 0);
}

fallible client_run(struct client_job *job)
{
	struct client_worker *w;
	TRY(client_start(job, &w));
	struct error *e = NULL;
	for (bool ended = false; !e && !ended;) {
		size_t i;
		e = client_wait(&w, 1, job->transfer->stop_fd, &i);
		if (!e)
			e = client_listen(&w, &ended);
	}
	client_kill(w);
	return e;
}
