// SPDX-License-Identifier: Apache-2.0
// containerd 2.1.1's default seccomp profile as a document. Which calls are allowed to all stands
// in kernel/, where the filter is built from it; here are the rules around them.
#include "engine/spec_private.h"
#include "oci/names.h"
#include <string.h>

#define PROFILE_SIZE_LIMIT ((size_t)1 << 20)

// Allowed from kernel 4.8 on, and of this processor: rules of their own in containerd's document.
#define OF_KERNEL_4_8 "process_vm_readv process_vm_writev ptrace"
#define OF_PROCESSOR "arch_prctl modify_ldt"
// In the list, though no processor of ours has them.
#define OF_OTHERS "recv send"

enum verdict { ALLOW, CLONE, CLONE3, SOCKET, PERSONALITY };
#define ALWAYS 0
#define CAP(name) 1
struct call {
	const char *name;
	enum verdict verdict;
	unsigned capabilities;
};
#define CALL(name, x86_64, i386, verdict, capabilities) {#name, verdict, capabilities},
static const struct call calls[] = {
#include "kernel/seccomp_profile.inc"
};
#undef CALL

// clang-format off
static const struct {
	const char *capability, *calls;
} opened[] = {
	{ "CAP_DAC_READ_SEARCH", "open_by_handle_at" },
	{ "CAP_SYS_MODULE",      "delete_module init_module finit_module" },
	{ "CAP_SYS_RAWIO",       "iopl ioperm" },
	{ "CAP_SYS_CHROOT",      "chroot" },
	{ "CAP_SYS_PTRACE",      "kcmp pidfd_getfd process_madvise " OF_KERNEL_4_8 },
	{ "CAP_SYS_PACCT",       "acct" },
	{ "CAP_SYS_ADMIN",       "bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick "
	                         "lookup_dcookie mount mount_setattr move_mount open_tree "
	                         "perf_event_open quotactl quotactl_fd setdomainname sethostname setns "
	                         "syslog umount umount2 unshare" },
	{ "CAP_SYS_BOOT",        "reboot" },
	{ "CAP_SYS_NICE",        "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
	{ "CAP_SYS_TIME",        "settimeofday stime clock_settime clock_settime64" },
	{ "CAP_SYS_TTY_CONFIG",  "vhangup" },
	{ "CAP_SYSLOG",          "syslog" },
	{ "CAP_PERFMON",         "perf_event_open" },
	{ "CAP_BPF",             "bpf" },
};
static const uint64_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };
// clang-format on
#define N(array) (sizeof(array) / sizeof(*(array)))

#define FAMILY_VSOCK 40
#define CLONE_NEW_ANY 2114060288u // every namespace flag but time's

static bool has_word(const char *words, const char *word)
{
	size_t size = strlen(word);
	while (*words) {
		size_t n = strcspn(words, " ");
		if (n == size && !memcmp(words, word, size))
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

static void append_words(struct json *names, const char *words)
{
	while (*words) {
		size_t n = strcspn(words, " ");
		auto_free char *word = alloc_bytes(words, n);
		json_append_string(names, word);
		words += n + (words[n] == ' ');
	}
}

// Adds a rule to `list`; the names are its caller's to append.
static struct json *add_rule(struct json *list, const char *action, struct json **ret_names)
{
	struct json *rule = json_new_object();
	*ret_names = json_new_array();
	json_set(rule, "names", *ret_names);
	json_set_string(rule, "action", action);
	json_append(list, rule);
	return rule;
}

static void add_words(struct json *list, const char *words)
{
	struct json *names;
	add_rule(list, "SCMP_ACT_ALLOW", &names);
	append_words(names, words);
}

static void add_compare(struct json *list, const char *name, const char *op, uint64_t value)
{
	struct json *names, *rule = add_rule(list, "SCMP_ACT_ALLOW", &names);
	struct json *args = json_new_array(), *arg = json_new_object();
	json_append_string(names, name);
	json_set_u64(arg, "index", 0);
	json_set_u64(arg, "value", value);
	json_set_string(arg, "op", op);
	json_append(args, arg);
	json_set(rule, "args", args);
}

static void add_always(struct json *list)
{
	struct json *names;
	add_rule(list, "SCMP_ACT_ALLOW", &names);
	for (size_t i = 0; i < N(calls); i++)
		if (calls[i].verdict == ALLOW && !calls[i].capabilities &&
		    !has_word(OF_KERNEL_4_8, calls[i].name) &&
		    !has_word(OF_PROCESSOR, calls[i].name))
			json_append_string(names, calls[i].name);
	append_words(names, OF_OTHERS);
}

struct json *spec_default_seccomp(uint64_t bounding)
{
	static const char *const architectures[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86",
	                                            "SCMP_ARCH_X32"};
	struct json *profile = json_new_object(), *archs = json_new_array(),
		    *list = json_new_array(), *names;
	for (size_t i = 0; i < N(architectures); i++)
		json_append_string(archs, architectures[i]);
	json_set_string(profile, "defaultAction", "SCMP_ACT_ERRNO");
	json_set(profile, "architectures", archs);
	json_set(profile, "syscalls", list);
	add_always(list);
	add_compare(list, "socket", "SCMP_CMP_NE", FAMILY_VSOCK);
	for (size_t i = 0; i < N(personalities); i++)
		add_compare(list, "personality", "SCMP_CMP_EQ", personalities[i]);
	add_words(list, OF_KERNEL_4_8);
	add_words(list, OF_PROCESSOR);
	for (size_t i = 0; i < N(opened); i++)
		if (bounding >> oci_capability_number(opened[i].capability) & 1)
			add_words(list, opened[i].calls);
	if (!(bounding >> oci_capability_number("CAP_SYS_ADMIN") & 1)) {
		add_compare(list, "clone", "SCMP_CMP_MASKED_EQ", CLONE_NEW_ANY);
		struct json *rule = add_rule(list, "SCMP_ACT_ERRNO", &names);
		json_append_string(names, "clone3");
		json_set_u64(rule, "errnoRet", 38); // ENOSYS: libc then takes clone
	}
	return profile;
}

void spec_recognise_seccomp(struct oci_spec *spec)
{
	struct oci_linux *l = &spec->linux_;
	if (!l->seccomp)
		return;
	auto_json struct json *ours = spec_default_seccomp(spec->process.capabilities.bounding);
	if (json_equal(l->seccomp, ours))
		l->seccomp_kind = OCI_SECCOMP_BUILTIN;
}

fallible spec_apply_seccomp(struct oci_spec *spec, const struct spec_request *r)
{
	struct oci_linux *l = &spec->linux_;
	if (r->no_seccomp || (r->privileged && !r->seccomp && !r->seccomp_profile))
		return NULL;
	l->seccomp_kind = OCI_SECCOMP_BUILTIN;
	if (r->seccomp_profile) {
		const char *text = r->seccomp_profile;
		TRY_AS(json_parse(text, strlen(text), PROFILE_SIZE_LIMIT, &l->seccomp),
		       "decoding seccomp profile failed");
		l->seccomp_kind = OCI_SECCOMP_PROFILE;
	} else {
		l->seccomp = spec_default_seccomp(spec->process.capabilities.bounding);
	}
	const char *action = "";
	struct json_path path = {NULL, "seccomp profile", 0};
	TRY(json_as_object(l->seccomp, &path));
	TRY(json_require_string(l->seccomp, &path, "defaultAction", &action));
	l->seccomp_default_action = oci_spec_string(spec, action);
	return NULL;
}
