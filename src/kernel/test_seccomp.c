// SPDX-License-Identifier: Apache-2.0
// The default filter is proved by running it: both programs, ours and the one libseccomp makes of
// ctr's own document, are interpreted for every call number and for the edges of the arguments.
#include "base/memory.h"
#include "kernel/capability.h"
#include "kernel/process.h"
#include "kernel/seccomp.h"
#include <errno.h>
#include <json-c/json.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

// ---- The kernel's classic BPF, as far as filters for seccomp use it -----------------------------

static uint32_t run_filter(const struct seccomp_filter *f, const struct seccomp_data *data)
{
	uint32_t a = 0;
	for (size_t pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &f->code[pc];
		bool yes;
		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			assert_true(i->k % 4 == 0 && i->k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + i->k, 4);
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & i->k) != 0;
			break;
		case BPF_RET | BPF_K:
			return i->k;
		default:
			fail_msg("instruction 0x%x at %zu", i->code, pc);
			return 0;
		}
		pc += yes ? i->jt : i->jf;
	}
	fail_msg("fell off the end");
	return 0;
}

// ---- ctr's documents ----------------------------------------------------------------------------

static struct json_object *get(struct json_object *o, const char *key)
{
	struct json_object *value = NULL;
	json_object_object_get_ex(o, key, &value);
	return value;
}

static const char **texts(struct json_object *array, size_t *ret_n)
{
	*ret_n = json_object_array_length(array);
	const char **list = alloc_array(*ret_n, sizeof(*list));
	for (size_t i = 0; i < *ret_n; i++)
		list[i] = json_object_get_string(json_object_array_get_idx(array, i));
	return list;
}

static struct seccomp_rule read_rule(struct json_object *o)
{
	struct seccomp_rule rule = {0};
	rule.names = texts(get(o, "names"), &rule.n_names);
	struct json_object *number = get(o, "errnoRet"), *args = get(o, "args");
	assert_null(seccomp_action(json_object_get_string(get(o, "action")),
	                           number ? json_object_get_int64(number) : -1, &rule.action));
	rule.n_arguments = args ? json_object_array_length(args) : 0;
	struct seccomp_argument *list = alloc_array(rule.n_arguments + 1, sizeof(*list));
	for (size_t i = 0; i < rule.n_arguments; i++) {
		struct json_object *arg = json_object_array_get_idx(args, i);
		list[i].index = (unsigned)json_object_get_int(get(arg, "index"));
		list[i].value = json_object_get_uint64(get(arg, "value"));
		list[i].value_two = json_object_get_uint64(get(arg, "valueTwo"));
		assert_null(
			seccomp_compare(json_object_get_string(get(arg, "op")), &list[i].compare));
	}
	rule.arguments = list;
	return rule;
}

// The filter that libseccomp makes of a golden document; false if there is no libseccomp.
static bool compile_golden(const char *name, struct seccomp_filter *ret)
{
	auto_free char *path = alloc_printf(GOLDEN "/%s.json", name);
	struct json_object *document = json_object_from_file(path);
	assert_non_null(document);
	struct json_object *o = get(get(document, "linux"), "seccomp");
	struct json_object *list = get(o, "syscalls");
	struct seccomp_profile p = {.n_rules = json_object_array_length(list)};
	p.architectures = texts(get(o, "architectures"), &p.n_architectures);
	assert_null(seccomp_action(json_object_get_string(get(o, "defaultAction")), -1,
	                           &p.default_action));
	struct seccomp_rule *rules = alloc_array(p.n_rules, sizeof(*rules));
	for (size_t i = 0; i < p.n_rules; i++)
		rules[i] = read_rule(json_object_array_get_idx(list, i));
	p.rules = rules;
	auto_strings struct strings names = {0};
	auto_error struct error *e = seccomp_compile(&p, ret, &names);
	for (size_t i = 0; i < names.n; i++)
		print_message("libseccomp doesn't know %s\n", names.items[i]);
	for (size_t i = 0; i < p.n_rules; i++) {
		free((void *)rules[i].names);
		free((void *)rules[i].arguments);
	}
	free(rules);
	free((void *)p.architectures);
	json_object_put(document);
	if (error_is(e, ERROR_UNSUPPORTED))
		return false;
	if (e)
		fail_msg("%s", e->message);
	return true;
}

static uint64_t capabilities_of(const char *name)
{
	const uint64_t plain = 1 << CAP_CHOWN | 1 << CAP_DAC_OVERRIDE | 1 << CAP_FSETID |
	                       1 << CAP_FOWNER | 1 << CAP_MKNOD | 1 << CAP_NET_RAW |
	                       1 << CAP_SETGID | 1 << CAP_SETUID | 1 << CAP_SETPCAP |
	                       1 << CAP_NET_BIND_SERVICE | 1 << CAP_SYS_CHROOT | 1 << CAP_KILL |
	                       1 << CAP_AUDIT_WRITE | UINT64_C(1) << CAP_SETFCAP;
	if (strcmp(name, "spec-seccomp") == 0)
		return plain;
	if (strcmp(name, "spec-seccomp-cap") == 0)
		return plain | UINT64_C(1) << CAP_SYS_ADMIN;
	return UINT64_MAX;
}

// ---- The proof ----------------------------------------------------------------------------------

enum { PROFILE_LAST = 456 }; // the highest number of containerd 2.1.1's profile: futex_requeue

static size_t edges(uint64_t *list)
{
	size_t n = 0;
	static const uint64_t values[] = {
		0,       1,       2,       7,          8,          9,          39,
		40,      41,      0x1ffff, 0x20000,    0x20001,    0x20007,    0x20008,
		0x20009, 0x40000, 0x80,    0x7e020000, 0x81fdffff, 0xfffffffe, 0xffffffff};
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		list[n++] = values[i];
		list[n++] = values[i] | UINT64_C(1) << 32;
		list[n++] = values[i] | UINT64_C(1) << 63;
	}
	for (unsigned bit = 0; bit < 64; bit++)
		list[n++] = UINT64_C(1) << bit;
	list[n++] = UINT64_MAX;
	return n;
}

static void compare(const struct seccomp_filter *ours, const struct seccomp_filter *theirs,
                    uint32_t arch, uint32_t nr)
{
	uint64_t list[256];
	size_t n = edges(list);
	for (size_t i = 0; i < n; i++) {
		struct seccomp_data d = {.nr = (int)nr, .arch = arch, .args = {list[i], 3, 4}};
		if (arch == AUDIT_ARCH_I386 && list[i] > UINT32_MAX)
			continue; // can't happen: the kernel gives such a task 32 bits
		uint32_t mine = run_filter(ours, &d), wanted = run_filter(theirs, &d);
		bool is_vsock =
			arch == AUDIT_ARCH_X86_64 && nr == SYS_socket && (uint32_t)list[i] == 40;
		if (nr > PROFILE_LAST)
			wanted = SECCOMP_RET_ERRNO | ENOSYS;
		if (is_vsock) // stricter, as the header says
			wanted = SECCOMP_RET_ERRNO | EPERM;
		if (mine != wanted)
			fail_msg("arch 0x%x call %u argument 0x%llx: 0x%x, libseccomp has 0x%x",
			         arch, nr, (unsigned long long)list[i], mine, wanted);
	}
}

static void decides_as_libseccomp(void **state)
{
	(void)state;
	static const char *const names[] = {"spec-seccomp", "spec-seccomp-cap",
	                                    "spec-seccomp-privileged"};
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		auto_seccomp_filter struct seccomp_filter ours = {0}, theirs = {0};
		if (!compile_golden(names[i], &theirs)) {
			print_message("SKIP: no libseccomp.so.2\n");
			skip();
		}
		assert_null(seccomp_default(capabilities_of(names[i]), &ours));
		print_message("%s: %u instructions, libseccomp's %u\n", names[i], ours.n, theirs.n);
		for (uint32_t nr = 0; nr < 1024; nr++) {
			compare(&ours, &theirs, AUDIT_ARCH_X86_64, nr);
			compare(&ours, &theirs, AUDIT_ARCH_I386, nr);
		}
		compare(&ours, &theirs, AUDIT_ARCH_X86_64, 0x3fffffff);
		compare(&ours, &theirs, AUDIT_ARCH_I386, 0x3fffffff);
		struct seccomp_data x32 = {.nr = 0x40000000 | SYS_getpid,
		                           .arch = AUDIT_ARCH_X86_64};
		assert_int_equal(run_filter(&ours, &x32), SECCOMP_RET_ERRNO | ENOSYS);
		struct seccomp_data arm = {.nr = 1, .arch = AUDIT_ARCH_ARM};
		assert_true(run_filter(&ours, &arm) == SECCOMP_RET_KILL_PROCESS);
	}
}

static void every_capability_alone(void **state)
{
	(void)state;
	// A capability only ever opens calls; clone3 goes from ENOSYS to allowed.
	auto_seccomp_filter struct seccomp_filter none = {0};
	assert_null(seccomp_default(0, &none));
	for (unsigned cap = 0; cap < 64; cap++) {
		auto_seccomp_filter struct seccomp_filter one = {0};
		assert_null(seccomp_default(UINT64_C(1) << cap, &one));
		for (uint32_t nr = 0; nr < 600; nr++) {
			struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64};
			uint32_t before = run_filter(&none, &d), after = run_filter(&one, &d);
			assert_true(before == after || after == SECCOMP_RET_ALLOW);
			assert_true(nr <= PROFILE_LAST || after == (SECCOMP_RET_ERRNO | ENOSYS));
		}
	}
	struct seccomp_data chroot_call = {.nr = SYS_chroot, .arch = AUDIT_ARCH_X86_64};
	assert_int_equal(run_filter(&none, &chroot_call), SECCOMP_RET_ERRNO | EPERM);
}

static void allow_lists(void **state)
{
	(void)state;
	auto_seccomp_filter struct seccomp_filter f = {0};
	int few[] = {SYS_write, SYS_exit_group, SYS_read, SYS_write};
	assert_null(seccomp_allow_only(few, 4, SECCOMP_RET_ERRNO | ENOSYS, &f));
	for (uint32_t nr = 0; nr < 600; nr++) {
		struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64};
		bool is_in = nr == SYS_read || nr == SYS_write || nr == SYS_exit_group;
		assert_int_equal(run_filter(&f, &d),
		                 is_in ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | ENOSYS);
	}
	seccomp_filter_done(&f);
	assert_null(seccomp_allow_only(NULL, 0, SECCOMP_RET_KILL_PROCESS, &f));
	struct seccomp_data d = {.nr = 0, .arch = AUDIT_ARCH_X86_64};
	assert_true(run_filter(&f, &d) == SECCOMP_RET_KILL_PROCESS);
	seccomp_filter_done(&f);

	int many[1024]; // every second number: jumps longer than 255
	for (int i = 0; i < 1024; i++)
		many[i] = 2 * (1023 - i);
	assert_null(seccomp_allow_only(many, 1000, SECCOMP_RET_ERRNO, &f));
	for (uint32_t nr = 0; nr < 2100; nr++) {
		d.nr = (int)nr;
		bool is_in = nr % 2 == 0 && nr >= 48 && nr <= 2046;
		assert_int_equal(run_filter(&f, &d), is_in ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO);
	}
	auto_error struct error *e = seccomp_allow_only(many, 1025, 0, &f);
	assert_string_equal(e->message, "allow-list of 1025 calls");
}

static void words(void **state)
{
	(void)state;
	uint32_t action;
	assert_null(seccomp_action("SCMP_ACT_ERRNO", 38, &action));
	assert_int_equal(action, SECCOMP_RET_ERRNO | 38);
	assert_null(seccomp_action("SCMP_ACT_ERRNO", -1, &action));
	assert_int_equal(action, SECCOMP_RET_ERRNO | EPERM);
	static const struct {
		const char *word, *message;
		int64_t number;
	} bad[] = {
		{"SCMP_ACT_NOPE", "seccomp action \"SCMP_ACT_NOPE\" is unknown", -1},
		{"", "seccomp action \"\" is unknown", -1},
		{"SCMP_ACT_ERRNO", "seccomp errnoRet 4096 is over 4095", 4096},
		{"SCMP_ACT_NOTIFY", "seccomp action SCMP_ACT_NOTIFY needs a listener", -1},
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		auto_error struct error *e = seccomp_action(bad[i].word, bad[i].number, &action);
		assert_string_equal(e->message, bad[i].message);
	}
	enum seccomp_compare c;
	auto_error struct error *e = seccomp_compare("SCMP_CMP_XX", &c);
	assert_string_equal(e->message, "seccomp comparison \"SCMP_CMP_XX\" is unknown");
	unsigned flag;
	auto_error struct error *f = seccomp_flag("SECCOMP_FILTER_FLAG_NEW_LISTENER", &flag);
	assert_string_equal(f->message,
	                    "seccomp flag \"SECCOMP_FILTER_FLAG_NEW_LISTENER\" is unknown");
}

static void bad_profiles(void **state)
{
	(void)state;
	static const char *const architecture[] = {"SCMP_ARCH_VAX"}, *const names[] = {"mkdir",
	                                                                               "nosuch"};
	static const struct seccomp_argument far = {.index = 6, .compare = SECCOMP_EQ};
	static const struct seccomp_argument twice[] = {{0, SECCOMP_EQ, 1, 0},
	                                                {0, SECCOMP_EQ, 2, 0}};
	struct seccomp_rule rule = {names, 2, SECCOMP_RET_ERRNO | 1, &far, 1};
	struct seccomp_profile p = {SECCOMP_RET_ALLOW, architecture, 1, &rule, 1};
	auto_seccomp_filter struct seccomp_filter f = {0};
	auto_error struct error *e = seccomp_compile(&p, &f, NULL);
	if (error_is(e, ERROR_UNSUPPORTED)) {
		print_message("SKIP: no libseccomp.so.2\n");
		skip();
	}
	assert_string_equal(e->message, "seccomp architecture \"SCMP_ARCH_VAX\" is unknown");
	p.n_architectures = 0;
	auto_error struct error *e2 = seccomp_compile(&p, &f, NULL);
	assert_string_equal(e2->message, "seccomp argument index 6 is over 5");
	rule.arguments = twice;
	rule.n_arguments = 2;
	auto_strings struct strings unknown = {0};
	assert_null(seccomp_compile(&p, &f, &unknown));
	assert_int_equal(unknown.n, 1);
	assert_string_equal(unknown.items[0], "nosuch");
	for (uint64_t value = 0; value < 4; value++) {
		struct seccomp_data d = {SYS_mkdir, AUDIT_ARCH_X86_64, 0, {value}};
		assert_int_equal(run_filter(&f, &d), value == 1 || value == 2
		                                             ? SECCOMP_RET_ERRNO | 1
		                                             : SECCOMP_RET_ALLOW);
	}
	p.n_rules = 5000;
	auto_error struct error *e3 = seccomp_compile(&p, &f, NULL);
	assert_string_equal(e3->message, "seccomp profile of 5000 rules");
}

// ---- Live ---------------------------------------------------------------------------------------

static int under_the_default(const struct seccomp_filter *f)
{
	struct timespec a, b;
	if (process_no_new_privs())
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &a);
	if (seccomp_install(f, 0))
		return 2;
	clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("loaded in %lld us\n",
	              (long long)(b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000);
	if (getppid() <= 0)
		return 3;
	if (unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
		return 4;
	if (syscall(SYS_clone3, NULL, 0) == 0 || errno != ENOSYS)
		return 5;
	if (socket(40, SOCK_STREAM, 0) >= 0 || errno != EPERM)
		return 6;
	return syscall(SYS_keyctl, 0) == 0 || errno != EPERM ? 7 : 0;
}

static int wait_for(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return pidfd_exit_code(status);
}

static void works_live(void **state)
{
	(void)state;
	auto_seccomp_filter struct seccomp_filter f = {0}, list = {0};
	assert_null(seccomp_default(0, &f));
	pid_t pid = fork();
	if (pid == 0)
		_exit(under_the_default(&f));
	assert_int_equal(wait_for(pid), 0);
	int few[] = {SYS_exit_group};
	assert_null(seccomp_allow_only(few, 1, SECCOMP_RET_KILL_PROCESS, &list));
	pid = fork();
	if (pid == 0) {
		if (process_no_new_privs() || seccomp_install(&list, 0))
			_exit(1);
		syscall(SYS_getppid);
		_exit(2);
	}
	assert_int_equal(wait_for(pid), 128 + SIGSYS);
	assert_int_equal(seccomp_install(&list, 1U << 31), EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_as_libseccomp), cmocka_unit_test(every_capability_alone),
		cmocka_unit_test(allow_lists),           cmocka_unit_test(words),
		cmocka_unit_test(bad_profiles),          cmocka_unit_test(works_live),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
