// SPDX-License-Identifier: Apache-2.0
// A user's profile by libseccomp. It is linked statically, as all of coracle is; a start without a
// profile of its own touches none of its pages.
#include "base/memory.h"
#include "kernel/seccomp.h"
#include "sys/fd.h"
#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	RULES_MAX = 4096,
	NAMES_MAX = 65536,
	ARCHITECTURES_MAX = 32,
	ARGUMENTS_MAX = 6,
	ERRNO_MAX = 4095
};
enum { OPTIMIZE_TREE = 2 };

struct word {
	const char *word;
	uint32_t value;
};

static const struct word actions[] = {
	// clang-format off
	{"SCMP_ACT_KILL",         SECCOMP_RET_KILL_THREAD},
	{"SCMP_ACT_KILL_THREAD",  SECCOMP_RET_KILL_THREAD},
	{"SCMP_ACT_KILL_PROCESS", SECCOMP_RET_KILL_PROCESS},
	{"SCMP_ACT_TRAP",         SECCOMP_RET_TRAP},
	{"SCMP_ACT_ERRNO",        SECCOMP_RET_ERRNO},
	{"SCMP_ACT_TRACE",        SECCOMP_RET_TRACE},
	{"SCMP_ACT_LOG",          SECCOMP_RET_LOG},
	{"SCMP_ACT_ALLOW",        SECCOMP_RET_ALLOW},
	{"SCMP_ACT_NOTIFY",       SECCOMP_RET_USER_NOTIF},
	{NULL, 0},
	// clang-format on
};
static const struct word comparisons[] = {
	// clang-format off
	{"SCMP_CMP_NE",        SECCOMP_NE},
	{"SCMP_CMP_LT",        SECCOMP_LT},
	{"SCMP_CMP_LE",        SECCOMP_LE},
	{"SCMP_CMP_EQ",        SECCOMP_EQ},
	{"SCMP_CMP_GE",        SECCOMP_GE},
	{"SCMP_CMP_GT",        SECCOMP_GT},
	{"SCMP_CMP_MASKED_EQ", SECCOMP_MASKED_EQ},
	{NULL, 0},
	// clang-format on
};
static const struct word flags[] = {
	// clang-format off
	{"SECCOMP_FILTER_FLAG_TSYNC",              1 << 0},
	{"SECCOMP_FILTER_FLAG_LOG",                1 << 1},
	{"SECCOMP_FILTER_FLAG_SPEC_ALLOW",         1 << 2},
	{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 1 << 5},
	{NULL, 0},
	// clang-format on
};

static fallible find(const char *what, const struct word *table, const char *word, uint32_t *ret)
{
	for (; table->word; table++) {
		if (strcmp(table->word, word) == 0) {
			*ret = table->value;
			return NULL;
		}
	}
	return error_new(ERROR_INVALID, "seccomp %s \"%.64s\" is unknown", what, word);
}

fallible seccomp_action(const char *word, int64_t errno_ret, uint32_t *ret)
{
	uint32_t action = 0;
	TRY(find("action", actions, word, &action));
	if (action == SECCOMP_RET_USER_NOTIF)
		return error_new(ERROR_UNSUPPORTED, "seccomp action %s needs a listener", word);
	if (action == SECCOMP_RET_ERRNO || action == SECCOMP_RET_TRACE) {
		if (errno_ret > ERRNO_MAX)
			return error_new(ERROR_INVALID, "seccomp errnoRet %lld is over %d",
			                 (long long)errno_ret, ERRNO_MAX);
		action |= errno_ret < 0 ? EPERM : (uint32_t)errno_ret;
	}
	*ret = action;
	return NULL;
}

fallible seccomp_compare(const char *word, enum seccomp_compare *ret)
{
	uint32_t value = 0;
	TRY(find("comparison", comparisons, word, &value));
	*ret = (enum seccomp_compare)value;
	return NULL;
}

fallible seccomp_flag(const char *word, unsigned *ret)
{
	return find("flag", flags, word, ret);
}

static fallible add_architecture(scmp_filter_ctx context, const char *word)
{
	static const char prefix[] = "SCMP_ARCH_";
	char name[32] = "";
	size_t n = strlen(word);
	if (!text_starts(word, prefix) || n - (sizeof(prefix) - 1) >= sizeof(name))
		return error_new(ERROR_INVALID, "seccomp architecture \"%.64s\" is unknown", word);
	for (size_t i = sizeof(prefix) - 1; i < n; i++)
		name[i - (sizeof(prefix) - 1)] = (char)tolower((unsigned char)word[i]);
	uint32_t arch = seccomp_arch_resolve_name(name);
	if (arch == 0)
		return error_new(ERROR_INVALID, "seccomp architecture \"%.64s\" is unknown", word);
	int r = seccomp_arch_add(context, arch);
	if (r < 0 && r != -EEXIST) // our own is there from the beginning
		return error_system(-r, "seccomp architecture %s", word);
	return NULL;
}

static fallible convert(const struct seccomp_rule *rule, struct scmp_arg_cmp *ret, bool *ret_twice)
{
	unsigned seen = 0;
	*ret_twice = false;
	if (rule->n_arguments > ARGUMENTS_MAX)
		return error_new(ERROR_INVALID, "seccomp rule with %zu arguments",
		                 rule->n_arguments);
	for (size_t i = 0; i < rule->n_arguments; i++) {
		const struct seccomp_argument *a = &rule->arguments[i];
		if (a->index >= ARGUMENTS_MAX)
			return error_new(ERROR_INVALID, "seccomp argument index %u is over 5",
			                 a->index);
		*ret_twice = *ret_twice || seen >> a->index & 1;
		seen |= 1U << a->index;
		ret[i] = (struct scmp_arg_cmp){a->index, (enum scmp_compare)a->compare, a->value,
		                               a->value_two};
	}
	return NULL;
}

static fallible add_rule(scmp_filter_ctx context, const struct seccomp_rule *rule,
                         struct strings *ret_unknown)
{
	struct scmp_arg_cmp arguments[ARGUMENTS_MAX];
	bool twice;
	TRY(convert(rule, arguments, &twice));
	// Two tests of one argument are alternatives for runc (libseccomp refuses them together).
	size_t n_rules = twice ? rule->n_arguments : 1;
	unsigned n_together = twice ? 1 : (unsigned)rule->n_arguments;
	for (size_t i = 0; i < rule->n_names; i++) {
		int nr = seccomp_syscall_resolve_name(rule->names[i]);
		if (nr == __NR_SCMP_ERROR) {
			if (ret_unknown)
				strings_add(ret_unknown, rule->names[i]);
			continue;
		}
		for (size_t j = 0; j < n_rules; j++) {
			int r = seccomp_rule_add_array(context, rule->action, nr, n_together,
			                               arguments + j);
			if (r < 0 && r != -EEXIST) // the same rule twice
				return error_system(-r, "seccomp rule for %s", rule->names[i]);
		}
	}
	return NULL;
}

static fallible export_program(scmp_filter_ctx context, struct seccomp_filter *ret)
{
	auto_fd int memory = memfd_create("seccomp", MFD_CLOEXEC);
	if (memory < 0)
		FAIL_ERRNO("memfd_create");
	int r = seccomp_export_bpf(context, memory);
	if (r < 0)
		return error_system(-r, "seccomp profile");
	off_t size = lseek(memory, 0, SEEK_END);
	if (size < 0 || lseek(memory, 0, SEEK_SET) < 0)
		FAIL_ERRNO("seccomp profile");
	size_t n = (size_t)size / sizeof(struct sock_filter);
	if (n == 0 || n > BPF_MAXINSNS)
		return error_new(ERROR_LIMIT, "seccomp filter of %zu instructions", n);
	auto_free struct sock_filter *code = alloc_array(n, sizeof(*code));
	TRY(fd_read_all(memory, code, n * sizeof(*code)));
	*ret = (struct seccomp_filter){take(&code), (unsigned short)n};
	return NULL;
}

static fallible fill(scmp_filter_ctx context, const struct seccomp_profile *p,
                     struct seccomp_filter *ret, struct strings *ret_unknown)
{
	for (size_t i = 0; i < p->n_architectures; i++)
		TRY(add_architecture(context, p->architectures[i]));
	for (size_t i = 0; i < p->n_rules; i++) {
		// libseccomp refuses what says the default again.
		if (p->rules[i].action != p->default_action)
			TRY(add_rule(context, &p->rules[i], ret_unknown));
	}
	ignore(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE,
	                        OPTIMIZE_TREE)); // since 2.5; only faster
	return export_program(context, ret);
}

fallible seccomp_compile(const struct seccomp_profile *p, struct seccomp_filter *ret,
                         struct strings *ret_unknown)
{
	if (p->n_rules > RULES_MAX || p->n_architectures > ARCHITECTURES_MAX)
		return error_new(ERROR_LIMIT, "seccomp profile of %zu rules", p->n_rules);
	size_t n_names = 0;
	for (size_t i = 0; i < p->n_rules; i++)
		n_names += p->rules[i].n_names;
	if (n_names > NAMES_MAX)
		return error_new(ERROR_LIMIT, "seccomp profile of %zu names", n_names);
	scmp_filter_ctx context = seccomp_init(p->default_action);
	if (!context)
		return error_new(ERROR_INVALID, "seccomp profile: bad default action");
	struct error *e = fill(context, p, ret, ret_unknown);
	seccomp_release(context);
	return e;
}
